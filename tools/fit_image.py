"""Fit a network to an image, and write it as a compact file."""

from fit_arguments import run

EXAMPLES = """\
  python tools/fit_image.py photo.png --max-seconds 60
  python tools/fit_image.py photo.png --parameters 100000 --bits 6 \\
      --config configs/fitting/siren_image.py --work-dir work_dirs/photo
  python tools/fit_image.py photo.png --resume   # after an interruption
Then: python tools/decode.py work_dirs/inrn_image_photo/fit.inrn out.png"""

if __name__ == '__main__':
    run(__doc__, EXAMPLES, 'image')

"""Fit a network to a video, and write it as a compact file."""

from fit_arguments import run

EXAMPLES = """\
  python tools/fit_video.py data/bunny --size 180 320 --max-seconds 600
  python tools/fit_video.py clip.mp4 --config configs/fitting/nerv_video.py \\
      --parameters 1500000 --prune 0.4
  python tools/fit_video.py clip.mp4 --resume    # after an interruption
Then: python tools/decode.py work_dirs/inrn_video_clip/fit.inrn out.mp4"""

if __name__ == '__main__':
    run(__doc__, EXAMPLES, 'video')

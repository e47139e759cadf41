"""Heat maps and t-SNE of a classifier, by mmpretrain's own tools.

`cam` and `tsne` run vis_cam.py and vis_tsne.py of the installed mmpretrain
with the arguments given; `... cam --help` shows them. What is added: INRN's
last stage is the target layer unless another is named, checkpoints are loaded
without running code from them, and heat maps of small images are enlarged.
"""

import argparse
import runpy
import sys
from pathlib import Path

EXAMPLES = """examples:
  python tools/visualize_classifier.py cam IMAGE CONFIG CHECKPOINT \\
      --save-path cam.png
  python tools/visualize_classifier.py cam IMAGE CONFIG CHECKPOINT \\
      --method LayerCAM --target-layers backbone.stages.1 --save-path cam.png
  python tools/visualize_classifier.py tsne CONFIG --checkpoint CHECKPOINT \\
      --vis-stage backbone --work-dir work_dirs/tsne"""
SCRIPTS = dict(cam='vis_cam.py', tsne='vis_tsne.py')
# Heat maps are enlarged to this many pixels, by a whole factor.
SIDE = 224


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', choices=SCRIPTS)
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help="those of mmpretrain's tool")
    return parser.parse_args()


def find_script(name):
    """Find the path of a visualization tool of the installed mmpretrain.

    Raises:
        SystemExit: If it, or what it needs, is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec('mmpretrain')
    script = spec and Path(spec.origin).parent / '.mim' / 'tools' / 'visualization' / name
    if not script or not script.is_file():
        sys.exit(f"error: mmpretrain, or its {name}, is not installed: pip install 'inrn_mm[cls]'.")
    need = 'pytorch_grad_cam' if name == 'vis_cam.py' else 'sklearn'
    if not find_spec(need):
        sys.exit(f"error: {name} needs {need}: pip install 'inrn_mm[vis]'.")
    return script


def target_layers(config):
    """Make arguments that name INRN's last stage; none for other networks."""
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        model = read_config(str(config)).model
    backbone = model.get('student', model).backbone
    if backbone.type not in ('INRN', 'inrn_mm.INRN'):
        return []
    from inrn_mm.backbones import INRN

    cfg = {k: v for k, v in backbone.items() if k in ('arch', 'out_indices')}
    return ['--target-layers', f'backbone.stages.{INRN(**cfg).out_indices[-1]}']


def enlarge(path):
    """Make a small picture one that can be seen."""
    import cv2

    picture = cv2.imread(str(path))
    factor = SIDE // min(picture.shape[:2])
    if factor > 1:
        cv2.imwrite(str(path), picture.repeat(factor, axis=0).repeat(factor, axis=1))


def main():
    args = parse_args()
    arguments = args.arguments
    asked = {'-h', '--help'} & set(arguments)
    script = find_script(SCRIPTS[args.what])
    from inrn_mm.engine import make_loading_safe
    from inrn_mm.utils.user_error import user_errors

    make_loading_safe()
    if args.what == 'cam' and not asked and '--target-layers' not in arguments:
        configs = [a for a in arguments if a.endswith('.py')]
        arguments = arguments + (target_layers(configs[0]) if configs else [])
    sys.argv = [str(script), *arguments]
    with user_errors():
        runpy.run_path(str(script), run_name='__main__')
    if args.what == 'cam' and '--save-path' in arguments:
        enlarge(arguments[arguments.index('--save-path') + 1])


if __name__ == '__main__':
    main()

"""One training step and one prediction of MMDetection's configs, shrunk.

``check_operators.py`` runs this file in a process of its own for each kind of
operators; a line of JSON is printed for each folder of configs.
"""

import argparse
import copy
import json
import multiprocessing
import os
import re
import sys
import warnings
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.utils import get_installed_path

# Where the first config with a ResNet-50 does not show what the folder is about.
CONFIGS = {
    'dcn': 'faster-rcnn_r50_fpn_dpool_1x_coco',  # deformable RoI pooling
    'centernet': 'centernet_r18-dcnv2_8xb16-crop512-140e_coco',  # that of the paper
    'fcos': 'fcos_r50-dcn-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco',
    'fpg': 'faster-rcnn_r50_fpg_crop640-50e_coco',
    'guided_anchoring': 'ga-faster-rcnn_r50-caffe_fpn_1x_coco',  # masked convolutions
    'htc': 'htc_r50_fpn_1x_coco',  # with semantic maps
    'legacy_1.x': 'mask-rcnn_r50_fpn_1x_coco_v1',
    'nas_fpn': 'retinanet_r50_nasfpn_crop640-50e_coco',
    'solov2': 'solov2-light_r50-dcn_fpn_ms-3x_coco',
    'tood': 'tood_r101-dconv-c3-c5_fpn_ms-2x_coco',
    'vfnet': 'vfnet_r50-mdconv-c3-c5_fpn_ms-2x_coco',
    'foveabox': 'fovea_r50_fpn_gn-head-align_4xb4-2x_coco',  # deformable convolutions
}
# What can do with less is 128 pixels high and wide.
SIZES = {'clrnet': (320, 800), 'ssd': (300, 300)}
# Steps between the pixels of semantic maps.
STRIDES = {'HybridTaskCascade': 8, 'SCNet': 8}
BOXES = 4


def find_root() -> Path:
    """Find the folder of MMDetection's configs."""
    return Path(get_installed_path('mmdet')) / '.mim' / 'configs'


def find_folders() -> dict[str, Path]:
    """Find the folders of MMDetection's configs that have models.

    Returns:
        dict[str, Path]: The config of each, by the folder's name.
    """
    found = {}
    for folder in sorted(find_root().iterdir()):
        if folder.name in ('_base_', 'common'):  # parts of configs
            continue
        files = sorted(folder.glob('*.py'), key=lambda f: ('r50' not in f.name, f.name))
        if folder.name in CONFIGS:
            found[folder.name] = folder / f'{CONFIGS[folder.name]}.py'
        elif files:
            found[folder.name] = files[0]
    return found


def shrink(cfg: Config) -> None:
    """Make a config fast, and independent of files that are downloaded.

    Args:
        cfg (Config): A model; changed.
    """
    for key, value in list(cfg.items()):
        if key == 'init_cfg' and isinstance(value, dict) and value.get('type') == 'Pretrained':
            cfg[key] = None
        elif key in ('pretrained', 'teacher_ckpt', 'batch_augments') and value:
            cfg[key] = False if value is True else None
        elif key == 'depth' and value in (101, 152):
            cfg[key] = 50
        elif key in ('max_per_img', 'nms_pre', 'nms_post', 'num_queries'):
            cfg[key] = min(value, 100)
        elif key == 'teacher_config':
            cfg[key] = value = Config.fromfile(find_root().parent / value)
        elif key == 'score_thr' and isinstance(value, float):
            cfg[key] = 0.0  # what is not trained is not sure
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, dict):
                shrink(part)


def find_values(cfg: Config, key: str) -> list:
    """List the values that an entry has anywhere in a config."""
    found = [cfg[key]] if key in cfg else []
    for value in cfg.values():
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, dict):
                found += find_values(part, key)
    return found


def make_batch(cfg: Config, size: tuple[int, int]) -> dict:
    """Draw two images with all annotations that a detector may ask for.

    Args:
        cfg (Config): The model.
        size (tuple[int, int]): Height and width.

    Returns:
        dict: ``inputs`` and ``data_samples``, as a data loader gives them.
    """
    from mmdet.testing import demo_mm_inputs, demo_mm_proposals

    classes = min([n for n in find_values(cfg, 'num_classes') if isinstance(n, int)] or [10])
    texts = ['a cat . a dog . a horse .'] * 2 if 'language_model' in cfg else None
    batch = demo_mm_inputs(
        2,
        (3, *size),
        num_items=[BOXES, BOXES],
        num_classes=max(2, min(classes, 10)),
        sem_seg_output_strides=STRIDES.get(cfg.type, 1),
        with_mask=True,
        with_semantic=True,
        texts=texts,
    )
    proposals = demo_mm_proposals([(3, *size)] * 2, 20)
    for sample, boxes in zip(batch['data_samples'], proposals):
        sample.proposals = boxes
        sample.gt_instances.labels.clamp_(max=classes - 1)
    return batch


def make_video(cfg: Config, size: tuple[int, int]) -> dict:
    """Draw a video of two frames."""
    from mmdet.testing import demo_track_inputs

    return demo_track_inputs(
        image_shapes=(3, *size), key_frames_inds=[0], num_items=[BOXES], with_mask=True
    )


def make_lanes(size: tuple[int, int]) -> dict:
    """Draw two images with one lane each."""
    from mmengine.structures import BaseDataElement, PixelData

    lanes = torch.zeros(4, 78)
    lanes[:, 0] = 1
    # no background, start at the bottom, angle, length and places
    lanes[0] = torch.cat([torch.tensor([0, 1, 0, 0.3, 0.4, 60.0]), torch.full((72,), 200.0)])
    samples = []
    for _ in range(2):
        sample = BaseDataElement(metainfo=dict(img_shape=size))
        sample.lines_array = lanes
        sample.org_height, sample.org_width = size
        sample.gt_sem_seg = PixelData(sem_seg=torch.randint(0, 5, (1, *size)))
        samples.append(sample)
    images = list(torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def make_people(size: tuple[int, int]) -> dict:
    """Draw four pictures of two people."""
    from mmdet.structures import ReIDDataSample

    samples = [ReIDDataSample().set_gt_label(i // 2) for i in range(4)]
    images = list(torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def make_inputs(cfg: Config, size: tuple[int, int]) -> tuple[dict, dict]:
    """Draw what a model is trained on and what it predicts from.

    Args:
        cfg (Config): The model.
        size (tuple[int, int]): Height and width.

    Returns:
        tuple[dict, dict]: Both, as data loaders give them.
    """
    kind = cfg.get('data_preprocessor', {}).get('type', '')
    if kind == 'LineDetDataProcessor':
        return (make_lanes(size),) * 2
    if kind == 'ReIDDataPreprocessor':
        return (make_people(size),) * 2
    if kind == 'TrackDataPreprocessor':
        # some trackers are trained as detectors, on single images
        single = cfg.data_preprocessor.get('use_det_processor')
        return make_batch(cfg.detector, size) if single else make_video(cfg, size), make_video(
            cfg, size
        )
    if kind == 'MultiBranchDataPreprocessor':
        batch = make_batch(cfg.detector, size)
        for i, sample in enumerate(batch['data_samples']):
            sample.set_metainfo(dict(homography_matrix=torch.eye(3).numpy(), img_id=i))
        branches = ('sup', 'unsup_teacher', 'unsup_student')
        parts = {key: dict.fromkeys(branches, value) for key, value in batch.items()}
        return parts, batch
    return (make_batch(cfg, size),) * 2


def record_calls() -> set[str]:
    """Note the operators of mmcv that are called from now on.

    Returns:
        set[str]: Their names; grows.
    """
    import mmcv._ext as operators

    called = set()

    def wrap(name, function):
        def call(*args, **kwargs):
            called.add(name)
            return function(*args, **kwargs)

        return call

    for name in dir(operators):
        function = getattr(operators, name)
        if not name.startswith('_') and callable(function) and not isinstance(function, type):
            setattr(operators, name, wrap(name, function))
    return called


def run_model(cfg: Config, size: tuple[int, int]) -> None:
    """Train a model for one step and let it predict.

    Args:
        cfg (Config): Of the model.
        size (tuple[int, int]): Of the images, height and width.

    Raises:
        ValueError: If the loss or a gradient is not finite.
    """
    from mmdet.registry import MODELS

    torch.manual_seed(0)
    MessageHub.get_current_instance().update_info('iter', 0)  # which losses ask for
    model = MODELS.build(cfg)
    model.init_weights()
    train, test = make_inputs(cfg, size)
    trained = model
    if cfg.type in ('DeepSORT', 'StrongSORT'):  # mmdet trains the detector by itself
        trained = model.detector
        options = dict(cfg.data_preprocessor, type='DetDataPreprocessor')
        options.pop('use_det_processor', None)
        trained.data_preprocessor = MODELS.build(options)
        train = make_batch(cfg.detector, size)
    trained.train()
    data = trained.data_preprocessor(copy.deepcopy(train), True)
    losses = trained(**data, mode='loss')
    loss = trained.parse_losses(losses)[0]
    loss.backward()
    grads = [p.grad for p in trained.parameters() if p.grad is not None]
    if not grads or not all(t.isfinite().all() for t in (loss, *grads)):
        raise ValueError('loss or gradients are not finite')
    model.eval()
    with torch.no_grad():
        model.test_step(copy.deepcopy(test))


def explain(error: Exception) -> tuple[str, str]:
    """Sort an error.

    Args:
        error (Exception): Raised by a model.

    Returns:
        tuple[str, str]: ``'operator'``, ``'package'`` or ``'error'``, and the
        operator, the package or what the error says.
    """
    text = ' '.join(str(error).split()) or repr(error)
    for pattern in (r"operator '(\w+)'", r'(\w+?)(?:_impl)?: implementation for device'):
        if found := re.search(pattern, text):
            return 'operator', found[1]
    for pattern in (r"No module named '(\w+)", r'(\w+) is not installed', r'install (\w+)'):
        if found := re.search(pattern, text, re.I):
            return 'package', found[1].lower()
    return 'error', f'{type(error).__name__}: {text}'[:150]


def try_folder(name: str, file: Path, verbose: bool = False) -> dict:
    """Run one config.

    Args:
        name (str): Of the folder.
        file (Path): The config.
        verbose (bool): Raise its error. Defaults to False.

    Returns:
        dict: What became of it.
    """
    row = dict(status='works', what='')
    called = record_calls()
    try:
        cfg = Config.fromfile(file).model
        shrink(cfg)
        run_model(cfg, SIZES.get(name, (128, 128)))
    except Exception as error:
        if verbose:
            raise
        row['status'], row['what'] = explain(error)
    return dict(row, operators=sorted(called))


def fork(name: str, file: Path, limit: float) -> dict:
    """Do what :func:`try_folder` does in a child process, which may crash or hang."""
    context = multiprocessing.get_context('fork')  # what is imported stays imported
    receive, send = context.Pipe(duplex=False)

    def run():
        with open(os.devnull, 'w') as nowhere:
            os.dup2(nowhere.fileno(), 2)
            os.dup2(nowhere.fileno(), 1)
        send.send(try_folder(name, file))

    process = context.Process(target=run)
    process.start()
    send.close()
    try:
        if receive.poll(limit):
            return receive.recv()
        return dict(status='error', what=f'not done in {limit:.0f} s', operators=[])
    except EOFError:
        process.join()
        return dict(status='error', what=f'ended with code {process.exitcode}', operators=[])
    finally:
        process.kill()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folders', nargs='+', help='folders of configs')
    parser.add_argument('--limit', type=float, default=180, help='seconds for each')
    parser.add_argument('--verbose', action='store_true', help='raise the error of the first')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    import inrn_mm.ops

    print(json.dumps(dict(kind=inrn_mm.ops.find_operators())), flush=True)
    from mmdet.utils import register_all_modules

    register_all_modules()
    folders = find_folders()
    for name in args.folders:
        if args.verbose:
            print(try_folder(name, folders[name], True))
            continue
        row = fork(name, folders[name], args.limit)
        print(json.dumps(dict(row, folder=name)), flush=True)


if __name__ == '__main__':
    sys.exit(main())

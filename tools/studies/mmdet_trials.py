"""One training step and one prediction of MMDetection's configs, shrunk.

``check_operators.py`` runs this module in a process of its own for each kind of
operators. It prints a line of JSON for each folder of configs.
"""

import argparse
import copy
import json
import multiprocessing
import os
import re
import traceback
import warnings
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from torch.distributed import HashStore, init_process_group

from inrn_mm.ops import find_operators
from tools.studies.mmdet_folders import find_folders, find_root
from tools.studies.mmdet_inputs import find_values, make_batch, make_inputs

# What can do with less is 128 pixels high and wide.
SIZES = {'clrnet': (320, 800), 'ddod': (384, 384), 'reid': (256, 128), 'ssd': (300, 300)}

# Boxes that are kept: mask heads take most of the time.
LIMITS = dict(max_per_img=20, num_proposals=20, nms_pre=100, nms_post=100, num_queries=100)


def shrink(cfg: Config) -> None:
    """Make a config fast, and independent of files that are downloaded.

    Args:
        cfg (Config): A model; changed.
    """
    for key, value in list(cfg.items()):
        if key == 'init_cfg' and isinstance(value, dict) and 'checkpoint' in value:
            cfg[key] = None
        elif key in ('pretrained', 'checkpoint', 'teacher_ckpt', 'batch_augments') and value:
            cfg[key] = False if value is True else None
        elif key == 'type' and value == 'SyncBN':
            cfg[key] = 'BN'  # torch's own wants a GPU in a process group
        elif key == 'depth' and value in (101, 152):
            cfg[key] = 50
        elif key in LIMITS:
            cfg[key] = min(value, LIMITS[key])
        elif key == 'teacher_config':
            cfg[key] = value = Config.fromfile(find_root().parent / value)
        elif key in ('score_thr', 'loc_filter_thr') and isinstance(value, float):
            cfg[key] = 0.0  # what is not trained is not sure
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, dict):
                shrink(part)


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
        cfg (Config): The model's config.
        size (tuple[int, int]): Height and width of the images.

    Raises:
        ValueError: If the loss or a gradient is not finite.
    """
    from mmdet.registry import MODELS

    torch.manual_seed(0)
    MessageHub.get_current_instance().update_info_dict(dict(iter=0, epoch=0))  # losses ask
    if 'MMSyncBN' in find_values(cfg, 'type'):  # asks for one even if it is alone
        init_process_group('gloo', store=HashStore(), rank=0, world_size=1)
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
    for pattern in (
        r"No module named '(\w+)",
        r'pip install "?(\w+)',
        r'(\w+) is not installed',
        r'please install (\w+)',
    ):
        if found := re.search(pattern, text, re.I):
            return 'package', found[1].lower()
    return 'error', f'{type(error).__name__}: {text}'[:150]


def try_folder(name: str, file: Path) -> dict:
    """Run one config.

    Args:
        name (str): Name of the folder.
        file (Path): The config.

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
        traceback.print_exc()
        row['status'], row['what'] = explain(error)
    return dict(row, operators=sorted(called))


def fork(name: str, file: Path, limit: float) -> dict:
    """Do what :func:`try_folder` does in a child process, which may crash or hang."""
    context = multiprocessing.get_context('fork')  # what is imported stays imported
    receive, send = context.Pipe(duplex=False)

    def run():
        with open(os.devnull, 'w') as nowhere:
            os.dup2(nowhere.fileno(), 1)  # for rows alone
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
    """Run folders, from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folders', nargs='+', help='folders of configs')
    parser.add_argument('--limit', type=float, required=True, help='seconds for each')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    try:
        find_operators()
    except ImportError as error:
        raise SystemExit(f'error: {error}') from None
    from mmdet.utils import register_all_modules

    register_all_modules()
    folders = find_folders()
    for name in args.folders:
        row = fork(name, folders[name], args.limit)
        print(json.dumps(dict(row, folder=name, config=folders[name].stem)), flush=True)


if __name__ == '__main__':
    main()

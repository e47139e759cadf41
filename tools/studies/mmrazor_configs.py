"""MMRazor's distillation configs in the terms of ours."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.utils import get_installed_path

from inrn_mm.distillation.configs import published_weights
from inrn_mm.engine.config_file import read_config

# what a run has besides its model
SECTIONS = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'train_dataloader')
SECTIONS += ('val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator')


def _generative(loss: dict, connector: dict) -> dict:
    mask = 'channels' if connector.get('mask_on_channel') else 'places'
    return dict(
        type='MaskedGenerativeLoss',
        mask=mask,
        mask_ratio=connector.get('lambda_mgd', 0.65),
        weight=loss.get('alpha_mgd', 2e-5),
    )


def _pearson(loss: dict, connector: dict) -> dict:
    if not loss.get('resize_stu', True):
        raise ValueError('PKDLoss resizes the teacher (resize_stu=False), which ours does not.')
    return dict(type='PearsonLoss', weight=loss.get('loss_weight', 1.0))


def _attention_guided(loss: dict, connector: dict) -> dict:
    means = loss.get('channel_weight', 4e-3)
    if loss.get('spatial_weight', 4e-3) != means:
        raise ValueError('FBKDLoss weights both means alike here, as in its paper.')
    if connector.get('mode', 'dot_product') != 'dot_product' or not connector.get('sub_sample'):
        raise ValueError('FBKDLoss has dot products and pooled keys here.')
    return dict(
        type='AttentionGuidedLoss',
        alpha=loss.get('mask_l2_weight', 7e-5),
        beta=means,
        gamma=loss.get('nonloacl_weight', 7e-5),
        temperature=connector.get('spatial_T', 0.5),
        # there it comes behind the pooling by 2 of mmcv's block
        pools=2 * connector.get('maxpool_stride', 2),
        reductions=connector.get('reduction', 2),
        weight=loss.get('loss_weight', 1.0),
    )


def _renamed(kind: str, **names: str) -> Callable[[dict, dict], dict]:
    """Make a conversion that renames arguments; what is not given is 1 there."""

    def convert(loss: dict, connector: dict) -> dict:
        return dict(type=kind, **{new: loss.get(old, 1.0) for old, new in names.items()})

    return convert


LOSSES = dict(
    ChannelWiseDivergence=_renamed('ChannelWiseLoss', tau='temperature', loss_weight='weight'),
    KLDivergence=_renamed('LogitKDLoss', tau='temperature', loss_weight='weight'),
    DKDLoss=_renamed(
        'DecoupledKDLoss', tau='temperature', alpha='alpha', beta='beta', loss_weight='weight'
    ),
    DISTLoss=_renamed(
        'DISTLoss',
        inter_loss_weight='beta',
        intra_loss_weight='gamma',
        tau='temperature',
        loss_weight='weight',
    ),
    PKDLoss=_pearson,
    MGDLoss=_generative,
    FBKDLoss=_attention_guided,
)


# whose settings are our losses'
CONNECTORS = ('MGDConnector', 'FBKDStudentConnector')


def convert(path: Path) -> str:
    """Convert a config.

    Args:
        path (Path): MMRazor's file.

    Returns:
        str: Ours, to be written into a file.

    Raises:
        ValueError: If it is no distillation, or has what there is no counterpart for;
            with the name of it.
    """
    with patch.dict(MODULE2PACKAGE, mmcls='mmpretrain'):  # its name of before
        cfg = read_config(str(path))
    model = cfg.get('model') or {}
    if not {'architecture', 'teacher', 'distiller'} <= set(model):
        raise ValueError(
            f'{path} is no distillation of MMRazor: its model has no architecture, teacher and '
            'distiller.'
        )
    base = _base(path, model.architecture)
    student = read_config(base)
    lines = [f"# From MMRazor's {path.name}.", f'_base_ = {base!r}', '']
    if 'inrn_mm' not in str(student.get('custom_imports')):
        lines += ["custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)"]
    if 'cfg_path' not in model.architecture:
        lines += _changes(student.model, model.architecture, '_base_.model')
    lines += ['model = dict(', '    _delete_=True,', "    type='KnowledgeDistiller',"]
    lines += ['    student=_base_.model,', f'    teacher={_teacher(model.teacher)},']
    if model.get('teacher_ckpt'):
        lines += [f'    teacher_checkpoint={model.teacher_ckpt!r},']
    lines += [f'    distill_losses={_python(_losses(model.distiller))},', ')']
    if model.architecture.get('pretrained'):
        lines += [f'load_from = {published_weights(base)!r}']
    for name in SECTIONS:
        if name in cfg and _plain(cfg[name]) != _plain(student.get(name)):
            value = _plain(cfg[name])
            if isinstance(value, dict):
                value = {'_delete_': True, **value}
            lines += [f'{name} = {_python(value)}']
    return '\n'.join(lines) + '\n'


def _base(path: Path, architecture: dict) -> str:
    """Find the config that the student's is."""
    if 'cfg_path' in architecture:
        return find_config(architecture['cfg_path'])
    written = Config._get_base_files(str(path))
    names = [written] if isinstance(written, str) else written
    found = [name for name in names if '::' in name and '_base_' not in name]
    if len(found) != 1:
        raise ValueError(
            f'{path} writes its student out and is based on no config of it: give '
            "architecture=dict(cfg_path='mmdet::...') there."
        )
    return find_config(found[0])


def find_config(name: str) -> str:
    """Find a package's config, also by the name that it had before.

    Args:
        name (str): As ``'mmdet::faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'``.

    Returns:
        str: The name of today.

    Raises:
        FileNotFoundError: If none is similar.
    """
    package, _, file = name.partition('::')
    package = {'mmcls': 'mmpretrain'}.get(package, package)
    folder = Path(get_installed_path(package), '.mim', 'configs')
    if (folder / file).is_file():
        return f'{package}::{file}'
    parent = Path(file).parent
    known = {path.name.replace('-', '_'): path.name for path in (folder / parent).glob('*.py')}
    near = difflib.get_close_matches(Path(file).name.replace('-', '_'), known, 1, 0.97)
    if not near:
        raise FileNotFoundError(f'The package {package} has no config {file}, nor a similar one.')
    return f'{package}::{(parent / known[near[0]]).as_posix()}'


def _teacher(teacher: dict) -> str:
    if 'cfg_path' in teacher:
        return repr(find_config(teacher['cfg_path']))
    return _python(_plain(teacher))


def _losses(distiller: dict) -> list[dict]:
    """Convert all losses; those that differ in layers and weight are one."""
    merged: list[dict] = []
    for name, loss in distiller['distill_losses'].items():
        kind = loss['type'].rpartition('.')[2]
        if kind not in LOSSES:
            raise ValueError(
                f"MMRazor's {kind} ({name}) has no counterpart here: convert the rest by hand, or "
                'take one of the methods of docs/distillation.md.'
            )
        sides = {}
        connector: dict = {}
        for source in distiller['loss_forward_mappings'][name].values():
            own = source.get('from_student')
            if own is None or source['recorder'].startswith('gt_'):
                continue  # labels come with the data samples
            recorders = distiller['student_recorders' if own else 'teacher_recorders']
            sides[own] = layer(recorders[source['recorder']], source)
            if own and 'connector' in source:
                connector = distiller['connectors'][source['connector']]
        if connector and connector['type'].rpartition('.')[2] not in CONNECTORS:
            raise ValueError(f"MMRazor's {connector['type']} ({name}) has no counterpart here.")
        found = LOSSES[kind](loss, connector)
        weight, pair = found.pop('weight'), (sides[True], sides[False])
        same = [x for x in merged if {k: x[k] for k in found} == found and len(x) == len(found) + 2]
        if same:
            same[0]['pairs'].append(pair)
            same[0]['weight'].append(weight)
        else:
            merged.append(dict(type=found.pop('type'), pairs=[pair], **found, weight=[weight]))
    for loss in merged:
        if len(set(loss['weight'])) == 1:
            loss['weight'] = float(loss['weight'][0])
    return merged


def layer(recorder: dict, source: dict) -> str:
    """Name what a recorder keeps, as our losses name layers.

    Args:
        recorder (dict): Its config.
        source (dict): Which of it a loss takes: ``data_idx``, ``record_idx``.

    Raises:
        ValueError: If it keeps no input or output of a module.
    """
    kind = recorder['type'].rpartition('.')[2]
    suffix = dict(ModuleOutputs='', ModuleInputs=':input').get(kind)
    if suffix is None:
        raise ValueError(
            f"MMRazor's recorder {kind} of {recorder.get('source')} has no counterpart here: name "
            "a module's output or input."
        )
    index = source.get('data_idx')
    call = source.get('record_idx')
    text = f'{recorder["source"]}{suffix}'
    text += '' if index is None else f'[{index}]'
    return text if call is None else f'{text}@{call}'


def _changes(before: dict, after: dict, path: str) -> Iterator[str]:
    """Write the assignments that make one config of another."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict) and old.get('type') == new.get('type'):
            yield from _changes(old, new, f'{path}.{key}')
        elif key != '_scope_' and _plain(old) != _plain(new):
            yield f'{path}.{key} = {_python(_plain(new))}'


def _python(value: object) -> str:
    """Write a value as mmengine writes configs."""
    return Config(dict(value=value)).pretty_text.removeprefix('value = ').strip()


def _plain(value: object) -> object:
    """Make plain dicts and lists, without the scopes that inheritance adds."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != '_scope_'}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    return value

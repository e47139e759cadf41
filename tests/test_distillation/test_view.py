"""Names, hooks and attributes of the student, seen through the distiller."""

import copy
import re

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import get_state_dict, load_checkpoint, load_state_dict
from torch import nn
from toys import ToyModel, toy_batch, toy_config

OWN = 'distill_losses.'


def prefixed(*args, **kwargs):
    """The hooks of mmpretrain's TimmClassifier and HuggingFaceClassifier."""

    def remove_prefix(self, state, prefix, metadata):
        return {re.sub(f'^{prefix}backbone.', prefix, k): v for k, v in state.items()}

    def add_prefix(state, prefix, *_):
        for k in list(state):
            # as there, every key that is not a child's
            if not k.startswith((f'{prefix}fc', f'{prefix}scale')):
                state[re.sub(f'^{prefix}', f'{prefix}backbone.', k)] = state.pop(k)

    model = ToyModel(*args, **kwargs)
    model._register_state_dict_hook(remove_prefix)
    model._register_load_state_dict_pre_hook(add_prefix)
    return model


class Renaming(ToyModel):
    """Loads old names, as mmdet's two-stage detectors."""

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        assert not any(OWN in key for key in state_dict)
        for key in [k for k in state_dict if k.startswith(f'{prefix}head.')]:
            state_dict[key.replace('head.', 'fc.')] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class Overriding(ToyModel):
    """Has a state of its own making."""

    def state_dict(self, *args, **kwargs):
        return {f'mine.{k}': v for k, v in super().state_dict(*args, **kwargs).items()}

    def load_state_dict(self, state_dict, strict=True):
        super().load_state_dict({k[len('mine.') :]: v for k, v in state_dict.items()}, strict)


class Extra(ToyModel):
    """Has a state that is no parameter, and forgives its absence."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())

    def get_extra_state(self):
        return torch.tensor([7])

    def set_extra_state(self, state):
        self.seen = state.item()


for cls in (Renaming, Overriding, Extra):
    MODELS.register_module(module=cls, force=True)
MODELS.register_module(name='Prefixed', module=prefixed, force=True)

TORCH = (lambda model: model.state_dict(), lambda model, state: model.load_state_dict(state))
MMENGINE = (get_state_dict, lambda model, state: load_state_dict(model, state, strict=True))


def pair(kind):
    """The plain model, all threes, and a distilled one, all twos."""
    plain = MODELS.build(dict(type=kind))
    model = MODELS.build({**toy_config(), 'student': dict(type=kind)})
    for net, value in ((plain, 3), (model, 2)):
        for tensor in (*net.parameters(), *net.buffers()):
            tensor.data.fill_(value)
    return plain, model


@pytest.mark.parametrize(
    'kind, way',
    [(kind, way) for kind in ('ToyModel', 'Prefixed', 'Renaming', 'Extra') for way in (0, 1)]
    + [('Overriding', 0)],
)
def test_both_ways_between_plain_and_distilled(kind, way):
    save, load = (TORCH, MMENGINE)[way]
    plain, model = pair(kind)
    state = copy.deepcopy(dict(save(model)))
    own = {k: v for k, v in state.items() if k.startswith(OWN)}
    assert own and set(state) - set(own) == set(save(plain))
    load(model, {**copy.deepcopy(dict(save(plain))), **own})
    assert all(p.eq(3).all() for p in model.student.backbone.parameters())
    assert all(p.eq(2).all() for p in model.distill_losses.parameters())
    load(plain, {k: v for k, v in state.items() if k not in own})
    assert all(p.eq(2).all() for p in plain.parameters())
    # nothing is left as it was in between
    assert list(model._modules)[-1] == 'distill_losses'
    assert set(save(model)) == set(state)


def test_renamed_keys_are_loaded():
    plain, model = pair('Renaming')
    state = {k.replace('fc.', 'head.'): v for k, v in plain.state_dict().items()}
    load_state_dict(model, state)
    assert model.fc.bias.eq(3).all()


def test_extra_state_is_the_students():
    _, model = pair('Extra')
    model.load_state_dict(model.state_dict())
    assert model.student.seen == 7


@pytest.mark.parametrize('load', [TORCH[1], MMENGINE[1]])
def test_the_students_hooks_do_not_forgive_the_losses(load):
    """Missing align convolutions are told, whatever the student forgives."""
    plain, model = pair('Extra')
    with pytest.raises(RuntimeError, match='distill_losses.0.align.0.conv.weight'):
        load(model, plain.state_dict())


@pytest.mark.parametrize('kind', ['ToyModel', 'Prefixed'])
def test_below_a_parent(kind):
    """EMA's and DDP's states have all keys and load again."""
    _, model = pair(kind)
    ema = ExponentialMovingAverage(model)
    state = copy.deepcopy(ema.state_dict())
    assert sum(f'module.{OWN}' in key for key in state) == 6
    for tensor in ema.parameters():
        tensor.data.zero_()
    if kind == 'ToyModel':  # a parent's state never has the names that hooks give
        ema.load_state_dict(state)
        assert all(p.eq(2).all() for p in ema.parameters())


def test_timm_classifier():
    """mmpretrain's wrapper, whose checkpoints have timm's names."""
    pytest.importorskip('timm')
    pytest.importorskip('mmpretrain')
    student = dict(
        type='mmpretrain.TimmClassifier',
        model_name='resnet18',
        num_classes=3,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    )
    plain = MODELS.build(copy.deepcopy(student))
    model = MODELS.build(
        dict(
            type='KnowledgeDistiller',
            student=copy.deepcopy(student),
            distill_losses=[
                dict(type='StageMSELoss', pairs=[('model.layer1', 'model.layer2')], teacher='self')
            ],
        )
    )
    for save, load in (TORCH, MMENGINE):
        state = copy.deepcopy(dict(save(model)))
        assert 'bn1.weight' in state
        own = {k: v for k, v in state.items() if k.startswith(OWN)}
        assert set(state) - set(own) == set(save(plain))
        load(plain, {k: v for k, v in state.items() if k not in own})
        load(model, state)


def test_attributes_set_through_the_wrapper_are_the_students():
    _, model = pair('ToyModel')
    model.test_cfg = dict(score=0.5)
    model.init_cfg = dict(type='Constant', layer='Linear', val=0.25)
    assert model.student.test_cfg is model.test_cfg
    model.init_weights()  # a random teacher
    assert model.student.fc.weight.eq(0.25).all() and model.is_init and model.student.is_init
    del model.test_cfg
    assert not hasattr(model.student, 'test_cfg')
    model.scale = nn.Parameter(torch.ones(2))
    assert model.student.scale.shape == (2,)


def test_the_wrappers_own_attributes_are_not_the_students():
    _, model = pair('ToyModel')
    model.ratio_interval = 5
    model.forward = model.forward
    assert not hasattr(model.student, 'ratio_interval')
    assert 'forward' not in vars(model.student)
    copied = copy.deepcopy(model)
    copied.note = 'of the copy'
    assert copied.student.note == 'of the copy' and not hasattr(model, 'note')
    assert copied.student is not model.student


def test_the_teacher_stays_where_it_is(tmp_path):
    """A checkpoint of the plain student into the distilled config."""
    plain, model = pair('Prefixed')
    torch.save(dict(state_dict=get_state_dict(plain)), tmp_path / 'plain.pth')
    model(**toy_batch(model), mode='loss')
    before = copy.deepcopy(model.teacher.net.state_dict())
    load_checkpoint(model, str(tmp_path / 'plain.pth'))
    assert model.fc.bias.eq(3).all()
    assert all(v.equal(before[k]) for k, v in model.teacher.net.state_dict().items())


def test_parameter_names_are_the_plain_students():
    """So that paramwise options and layer decay work as without teacher."""
    plain, model = pair('ToyModel')
    names = [n for n, _ in model.named_parameters() if not n.startswith('distill_losses.')]
    assert names == [n for n, _ in plain.named_parameters()]


def test_a_model_is_seen_through_the_wrapper():
    _, model = pair('ToyModel')
    assert model.fc is model.student.fc
    model.student.note = 'seen'
    assert model.note == 'seen'
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        model.nothing

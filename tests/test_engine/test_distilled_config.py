"""What flags make of a student's config, and what a method is told of the data."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

import inrn_mm  # noqa: F401
from inrn_mm.engine.class_names import class_names, match_names
from inrn_mm.engine.distilled_config import count_samples, distil, name_distillation, split_options


@DATASETS.register_module()
class FiveSamples:
    METAINFO = dict(classes=('a', 'b'))

    def __len__(self):
        return 5


def flags(**kwargs):
    return SimpleNamespace(**{'cfg_options': None, 'teacher': None, 'method': None, **kwargs})


def test_without_flags_nothing_changes():
    cfg = Config(dict(model=dict(type='A')))
    distil(cfg, flags())
    assert cfg.model == dict(type='A') and name_distillation('a', flags()) == 'a'
    options = dict(method='x')
    assert split_options(flags(cfg_options=options)) == (options, {})


def test_a_student_becomes_a_distillation():
    cfg = Config(dict(model=dict(type='A')))
    args = flags(teacher=['t.py', 't.pth'], method=['pkd'])
    distil(cfg, args)
    assert cfg.model == dict(
        type='KnowledgeDistiller',
        student=dict(type='A'),
        teacher='t.py',
        teacher_checkpoint='t.pth',
        method=dict(type='pkd'),
    )
    assert name_distillation('a', args) == 'a_pkd'


def test_teacher_alone_is_taught_by_auto():
    cfg = Config(dict(model=dict(type='A')))
    distil(cfg, flags(teacher=['t.py']))
    assert cfg.model.method == dict(type='auto') and cfg.model.teacher_checkpoint is None
    assert name_distillation('a', flags(teacher=['t.py'])) == 'a_auto'


def test_flags_change_a_distilled_config():
    model = dict(type='KnowledgeDistiller', student=dict(type='A'), teacher='t.py')
    cfg = Config(
        dict(model=dict(model, teacher_checkpoint='t.pth', distill_losses=[dict(type='B')]))
    )
    distil(cfg, flags(method=['pkd', 'kd']))
    assert 'distill_losses' not in cfg.model and cfg.model.teacher_checkpoint == 't.pth'
    assert cfg.model.method == [dict(type='pkd'), dict(type='kd')]
    distil(cfg, flags(teacher=['other.py']))
    assert cfg.model.teacher == 'other.py' and cfg.model.teacher_checkpoint is None


def test_options_of_student_and_distiller():
    options = {'model.neck.a': 1, 'model.method.weight': 2, 'model.task_weight': 3, 'lr': 4}
    own, later = split_options(flags(cfg_options=options, method=['pkd']))
    assert own == {'model.neck.a': 1, 'lr': 4}
    assert later == {'model.method.weight': 2, 'model.task_weight': 3}


@pytest.mark.parametrize('method', ['crd', dict(type='crd'), ['pkd', dict(type='crd')]])
def test_crd_is_told_the_size_of_the_training_set(method):
    model = dict(type='KnowledgeDistiller', method=method)
    loader = dict(dataset=dict(type='FiveSamples'))
    cfg = Config(dict(model=model, train_dataloader=loader))
    count_samples(cfg)
    assert cfg.model.method[-1] == dict(type='crd', num_samples=5)
    cfg.model.method = dict(type='crd', num_samples=7)
    count_samples(cfg)
    assert cfg.model.method == dict(type='crd', num_samples=7)


def test_names_of_classes():
    own = dict(train_dataloader=dict(dataset=dict(type='FiveSamples')))
    assert class_names(Config(own)) == ['a', 'b']
    inner = dict(type='FiveSamples', metainfo=dict(classes=['c']))
    for outer in (dict(dataset=inner), dict(datasets=[inner])):
        assert class_names(Config(dict(val_dataloader=dict(dataset=outer)))) == ['c']
    assert class_names(Config(dict(model=dict(type='A')))) is None
    assert match_names(['Hot dog', 'cat'], ['dog', 'hot-dog', 'hot_dog']) == [1, -1]

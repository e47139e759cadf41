import math

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub

from inrn_mm.distillation import WeightSchedule


def test_constant_is_the_default():
    schedule = WeightSchedule()
    assert [schedule.factor(i) for i in (0, 10, 10**6)] == [1, 1, 1]


def test_warmup_rises_linearly_and_never_starts_at_zero():
    schedule = WeightSchedule(warmup=3)
    assert [schedule.factor(i) for i in range(5)] == [0.25, 0.5, 0.75, 1, 1]


@pytest.mark.parametrize('kind, middle', [('linear', 0.55), ('cosine', 0.55)])
def test_decay(kind, middle):
    schedule = WeightSchedule(decay=(10, 20), decay_type=kind, final=0.1)
    assert schedule.factor(0) == schedule.factor(10) == 1
    assert schedule.factor(15) == pytest.approx(middle)
    assert schedule.factor(20) == schedule.factor(99) == pytest.approx(0.1)
    quarter = {'linear': 0.25, 'cosine': (1 - math.cos(math.pi / 4)) / 2}[kind]
    assert schedule.factor(12.5) == pytest.approx(1 - 0.9 * quarter)


def test_stop():
    schedule = WeightSchedule(stop=5)
    assert [schedule.factor(i) for i in (4, 5, 6)] == [1, 0, 0]


@pytest.fixture
def hub():
    hub = MessageHub.get_current_instance()
    old = dict(hub.runtime_info)
    hub.runtime_info.clear()
    yield hub
    hub.runtime_info.clear()
    hub.runtime_info.update(old)


@pytest.mark.parametrize('by_epoch', [True, False])
def test_follows_the_runner(by_epoch, hub):
    hub.update_info('iter', 7)
    hub.update_info('epoch', 2)
    schedule = WeightSchedule(stop=5, by_epoch=by_epoch)
    assert schedule.current() == (1 if by_epoch else 0)


def announce(hub, **train_cfg):
    """What mmengine's runner tells of a loop with a single epoch."""
    cfg = Config(
        dict(
            param_scheduler=[dict(type='ConstantLR', by_epoch=False)],
            train_cfg=train_cfg,
            val_cfg=dict(type='ValLoop'),
        )
    )
    hub.update_info_dict(dict(cfg=cfg.pretty_text, epoch=0, iter=7, max_epochs=1))


@pytest.mark.parametrize('train_cfg', [
    dict(by_epoch=False, max_iters=9),
    dict(dynamic_intervals=[(0, 1), (5, 2)] * 9, max_iters=9,
         type='IterBasedTrainLoop'),
])  # yapf: disable
def test_epochs_under_a_loop_of_iterations_are_refused(train_cfg, hub):
    announce(hub, **train_cfg)
    with pytest.raises(ValueError, match='stays in epoch 0; give the sched'):
        WeightSchedule(stop=5, by_epoch=True).current()
    assert WeightSchedule(by_epoch=True).current() == 1
    assert WeightSchedule(stop=5).current() == 0


@pytest.mark.parametrize(
    'train_cfg', [dict(by_epoch=True, max_epochs=1), dict(type='EpochBasedTrainLoop', max_epochs=1)]
)
def test_a_single_epoch_is_one(train_cfg, hub):
    announce(hub, **train_cfg)
    assert WeightSchedule(warmup=1, by_epoch=True).current() == 0.5


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(decay=(5, 5)), 'begin < end'),
        (dict(decay_type='step'), "Unknown decay_type 'step'"),
        (dict(warmup=-1), 'warmup must be a whole number of at least 0, got -1'),
        (dict(decay=(0, math.nan)), 'decay must be a whole number'),
        (dict(stop=-5), 'stop must be a whole number'),
        (dict(stop=2.5), 'stop must be a whole number'),
        (dict(final=math.nan), 'final must be a finite number at least 0, got nan'),
        (dict(final=-1.0), 'final must be'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        WeightSchedule(**kwargs)

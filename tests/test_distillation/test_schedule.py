import math

import pytest
from mmengine.logging import MessageHub

from inrn_mm.distillation import WeightSchedule


def test_constant_is_the_default():
    schedule = WeightSchedule()
    assert [schedule.factor(i) for i in (0, 10, 10**6)] == [1, 1, 1]


def test_warmup_rises_linearly_and_never_starts_at_zero():
    schedule = WeightSchedule(warmup=3)
    assert [schedule.factor(i) for i in range(5)] == [.25, .5, .75, 1, 1]


@pytest.mark.parametrize('kind, middle', [
    ('linear', 0.55),
    ('cosine', 0.55),
])
def test_decay(kind, middle):
    schedule = WeightSchedule(decay=(10, 20), decay_type=kind, final=0.1)
    assert schedule.factor(0) == schedule.factor(10) == 1
    assert schedule.factor(15) == pytest.approx(middle)
    assert schedule.factor(20) == schedule.factor(99) == pytest.approx(0.1)
    quarter = {'linear': .25, 'cosine': (1 - math.cos(math.pi / 4)) / 2}[kind]
    assert schedule.factor(12.5) == pytest.approx(1 - 0.9 * quarter)


def test_stop():
    schedule = WeightSchedule(stop=5)
    assert [schedule.factor(i) for i in (4, 5, 6)] == [1, 0, 0]


@pytest.mark.parametrize('by_epoch', [True, False])
def test_follows_the_runner(by_epoch):
    hub = MessageHub.get_current_instance()
    old = dict(hub.runtime_info)
    try:
        hub.update_info('iter', 7)
        hub.update_info('epoch', 2)
        schedule = WeightSchedule(stop=5, by_epoch=by_epoch)
        assert schedule.current() == (1 if by_epoch else 0)
    finally:
        hub.runtime_info.clear()
        hub.runtime_info.update(old)


@pytest.mark.parametrize('kwargs, message', [
    (dict(decay=(5, 5)), 'begin < end'),
    (dict(decay_type='step'), "Unknown decay_type 'step'"),
    (dict(warmup=-1), 'must not be negative'),
])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        WeightSchedule(**kwargs)

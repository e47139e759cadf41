"""Whatever is given ends in a sentence of ours, or works."""

import io
import json
import math

import pytest
import torch
from faults.checkpoint_faults import content, same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.registry import MODELS
from torch import nn

from inrn_mm.backbones import INRN
from inrn_mm.distillation import WeightSchedule
from inrn_mm.distillation.taps import Tap
from inrn_mm.engine import load_state, load_weights
from inrn_mm.fitting.codec import container, read_fit
from inrn_mm.layers import INReBlock
from inrn_mm.utils.user_error import explain

few = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
many = settings(few, max_examples=300, derandomize=False)

numbers = st.one_of(
    st.integers(-3, 40),
    st.floats(-2, 10),
    st.sampled_from([math.nan, math.inf, -math.inf, 10**30, True, None]),
)
names = st.one_of(st.text(max_size=8), st.sampled_from(['mlp', 'conv', 'mlp-conv', 'm', 's']))
lists = st.lists(numbers, max_size=3)
anything = st.one_of(numbers, names, lists)
json_values = st.recursive(
    anything, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2)
)


def said_or_done(action):
    """The result; None if a sentence of ours came instead."""
    try:
        return action()
    except Exception as error:
        if explain(error) is None:
            raise
        return None


BLOCK = dict(
    in_channels=numbers,
    out_channels=numbers,
    compression=numbers,
    hidden_channels=numbers,
    order=st.one_of(names, st.lists(st.sampled_from(['mlp', 'conv', 'x'])).map('-'.join)),
    kernel_size=numbers,
    drop_path_rate=numbers,
    residual=st.booleans(),
)
NETWORK = dict(
    arch=st.one_of(names, st.fixed_dictionaries(dict(widths=lists, depths=lists))),
    compression=numbers,
    kernel_size=numbers,
    stem=names,
    in_channels=numbers,
    frozen_stages=numbers,
    drop_path_rate=numbers,
)
SCHEDULE = dict(
    warmup=numbers,
    decay=lists,
    decay_type=st.sampled_from(['linear', 'cosine', 'x']),
    final=numbers,
    stop=numbers,
)
LOSSES = {
    'LogitKDLoss': dict(temperature=numbers, standardize=st.booleans()),
    'DecoupledKDLoss': dict(alpha=numbers, beta=numbers, temperature=numbers),
    'DISTLoss': dict(beta=numbers, gamma=numbers, temperature=numbers),
    'ReviewLoss': dict(mid_channels=numbers),
    'ContrastiveLoss': dict(num_samples=numbers, embed_dims=numbers, momentum=numbers),
    'MaskedGenerativeLoss': dict(mask_ratio=numbers, mask=names),
    'AttentionTransferLoss': dict(power=numbers),
}


def some_of(arguments):
    """One or two arguments; the others keep their defaults."""
    return st.sets(st.sampled_from(sorted(arguments)), min_size=1, max_size=2).flatmap(
        lambda chosen: st.fixed_dictionaries({name: arguments[name] for name in chosen})
    )


def build_block(arguments):
    small = dict(in_channels=8)
    with torch.device('meta'):  # widths of a thousand cost nothing
        block = said_or_done(lambda: INReBlock(**{**small, **arguments}))
    assert block is None or isinstance(block, INReBlock)


def build_network(arguments):
    with torch.device('meta'):
        net = said_or_done(lambda: INRN(**{**dict(arch='s'), **arguments}))
    assert net is None or net.out_channels


def build_schedule(arguments):
    schedule = said_or_done(lambda: WeightSchedule(**arguments))
    if schedule is not None:
        factors = [schedule.factor(step) for step in (0, 1, 10, 10**6)]
        assert all(math.isfinite(factor) and factor >= 0 for factor in factors)


def build_loss(chosen):
    kind, arguments = chosen
    cfg = dict(type=kind, pairs=[(0, 0)], **arguments)
    if kind == 'ContrastiveLoss':
        cfg = dict(dict(num_samples=4), **cfg)
    loss = said_or_done(lambda: MODELS.build(cfg))
    assert loss is None or all(math.isfinite(weight) for weight in loss.current_weights())


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
        self.fc = nn.Linear(4, 2)


NET = Net()


def read_layer(layer):
    tap = said_or_done(lambda: Tap.parse(layer, NET))
    assert tap is None or isinstance(tap, Tap)


def read_checkpoint(tmp_path):
    path = tmp_path / 'a.pth'

    def check(entries):
        torch.save({**content(), **entries}, path)
        read = load_state(path)
        assert set(read) == {*content(), *entries}
        if not entries.keys() & content().keys():
            assert same(read)
        said_or_done(lambda: load_weights(NET, read, 'a.pth'))

    return check


def read_bytes(tmp_path):
    path = tmp_path / 'a.pth'

    def check(data):
        path.write_bytes(data)
        assert said_or_done(lambda: load_state(path)) is None

    return check


def read_compact(tmp_path):
    path = tmp_path / 'a.inrn'

    def check(header):
        packed = io.BytesIO(container.pack(header, [b'a', b'b', b'c', b'd'])).getvalue()
        path.write_bytes(packed)
        assert said_or_done(lambda: read_fit(path)) is None

    return check


layers = st.one_of(
    anything,
    st.sampled_from(['fc', 'backbone', 'fc:input', 'backbone.0@-1', 'backbone[1]', 'backbone.0.']),
    st.text('backbone.fc:input[]@-019', max_size=12),
)
headers = st.fixed_dictionaries(
    dict(
        net=st.one_of(
            json_values,
            st.dictionaries(st.sampled_from(['width', 'shape', '_scope_', 'x']), json_values).map(
                lambda cfg: dict(cfg, type='SIREN')
            ),
        ),
        shape=json_values,
        max=json_values,
        fps=json_values,
        bits=json_values,
    )
).filter(lambda header: json.dumps(header, allow_nan=True))
entries = st.dictionaries(
    st.sampled_from(['meta', 'message_hub', 'state_dict', 'optimizer', 'more']),
    json_values,
    max_size=3,
)
TARGETS = {
    'blocks': (some_of(BLOCK), lambda _: build_block),
    'networks': (some_of(NETWORK), lambda _: build_network),
    'schedules': (some_of(SCHEDULE), lambda _: build_schedule),
    'losses': (
        st.sampled_from(sorted(LOSSES)).flatmap(
            lambda kind: st.tuples(st.just(kind), some_of({**LOSSES[kind], 'weight': numbers}))
        ),
        lambda _: build_loss,
    ),
    'layers': (layers, lambda _: read_layer),
    'checkpoints': (entries, read_checkpoint),
    'bytes': (
        st.one_of(
            st.binary(max_size=200),
            st.binary(max_size=60).map(lambda tail: b'PK\x03\x04' + tail),
            st.binary(max_size=60).map(
                lambda tail: b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.' + tail
            ),
        ),
        read_bytes,
    ),
    'compact files': (headers, read_compact),
}


@pytest.mark.parametrize('name', TARGETS)
def test_a_few(name, tmp_path):
    strategy, make = TARGETS[name]
    few(given(strategy)(make(tmp_path)))()


@pytest.mark.slow
@pytest.mark.parametrize('name', TARGETS)
def test_many(name, tmp_path):
    strategy, make = TARGETS[name]
    many(given(strategy)(make(tmp_path)))()

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from inrn_mm.engine import FusedAdam, FusedAdamW


def steps(net, optimizer, data):
    for _ in range(5):
        loss = net(data).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.detach() for p in net.parameters()]


@pytest.mark.parametrize('name', ['Adam', 'AdamW'])
@pytest.mark.smoke
def test_it_is_the_plain_one(name):
    net = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))
    twin = copy.deepcopy(net)
    data = torch.randn(4, 6)
    plain = getattr(torch.optim, name)(net.parameters(), lr=1e-2)
    wrapper = build_optim_wrapper(
        twin, dict(type='OptimWrapper', optimizer=dict(type=f'Fused{name}', lr=1e-2))
    )
    for ours, theirs in zip(steps(twin, wrapper.optimizer, data), steps(net, plain, data)):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_without_the_kernel_it_is_plain(monkeypatch):
    init = torch.optim.Adam.__init__

    def old(self, params, fused=None, **kwargs):
        if fused:
            raise RuntimeError('`fused=True` requires CUDA')
        init(self, params, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, '__init__', old)
    net = nn.Linear(2, 2)
    before = net.weight.detach().clone()
    optimizer = FusedAdam(net.parameters(), lr=1e-2)
    assert not optimizer.defaults['fused']
    steps(net, optimizer, torch.ones(1, 2))
    assert not torch.equal(net.weight, before)


def test_this_torch_has_the_kernel():
    version = tuple(int(n) for n in torch.__version__.split('.')[:2])
    if version < (2, 4):
        pytest.skip('torch before 2.4 has no such kernel for CPUs')
    for kind in (FusedAdam, FusedAdamW):
        assert kind(nn.Linear(2, 2).parameters()).defaults['fused']

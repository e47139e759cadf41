import warnings

import pytest
import torch
from mmengine.config import Config

from inrn_mm.engine import devices as dist
from inrn_mm.engine import launch
from inrn_mm.engine.devices import check_devices, init_cpu_group
from inrn_mm.engine.launch import enable_amp


@pytest.fixture
def cpu(monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
    for module in (dist, launch):
        monkeypatch.setattr(module, 'get_device', lambda: 'cpu')
    monkeypatch.setattr(dist.os, 'cpu_count', lambda: 2)


def test_cpu_processes(cpu):
    assert check_devices(2) == 'cpu'


def test_more_processes_than_cores(cpu):
    with pytest.raises(RuntimeError, match='8 GPUs were asked for and there is none.*2'):
        check_devices(8)


def test_fewer_gpus_than_asked_for(monkeypatch):
    monkeypatch.setattr(dist, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    assert check_devices(1) == 'cuda'
    with pytest.raises(RuntimeError, match='8 GPUs were asked for and there is 1'):
        check_devices(8)


def test_gpu_asked_for_without_one(cpu, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
    with pytest.raises(RuntimeError, match='CUDA_VISIBLE_DEVICES=-1 to use the CPU'):
        check_devices()


def test_zero_processes():
    with pytest.raises(ValueError, match='1 or more'):
        check_devices(0)


def test_slurm_without_gpus(cpu):
    with pytest.raises(RuntimeError, match='--launcher slurm needs GPUs'):
        init_cpu_group(Config(dict(launcher='slurm')))


def test_one_process_needs_no_group(cpu):
    cfg = Config(dict(launcher='none'))
    init_cpu_group(cfg)
    assert 'model_wrapper_cfg' not in cfg


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason='this torch has no gloo')
def test_group_of_processes_of_the_cpu(tmp_path):
    """Without a word from torch on how it is made."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    try:
        model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.SyncBatchNorm(3))
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            ddp = dist.CPUDistributedDataParallel(model)
        assert ddp.broadcast_buffers is False
        ddp.module(torch.rand(4, 2)).sum().backward()
    finally:
        torch.distributed.destroy_process_group()


@pytest.fixture(params=['compiled', 'torchvision'])
def operators(request, monkeypatch):
    """Operators of mmcv that are in use."""
    monkeypatch.setattr(launch, 'find_operators', lambda: request.param)
    return request.param


@pytest.mark.parametrize('part', [{}, {'student'}, {'teacher'}])
@pytest.mark.parametrize(
    'model', [dict(roi_head={}), dict(backbone=dict(dcn=dict(type='DCN'))), dict(neck=[])]
)
def test_bfloat16_of_models_with_operators(cpu, operators, part, model):
    """Compiled operators have no kernels for it, torchvision's have."""
    cfg = Config(dict(model=dict.fromkeys(part, model) or model))
    cfg.optim_wrapper = dict(type='OptimWrapper')
    if operators == 'compiled' and 'neck' not in model:
        with pytest.raises(RuntimeError, match='INRN_MMCV_OPS=torchvision'):
            enable_amp(cfg)
    else:
        enable_amp(cfg)
        assert cfg.optim_wrapper.type == 'CPUAmpOptimWrapper'


def test_bfloat16_on_a_gpu(monkeypatch, operators):
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
    head = dict(type='RetinaHead', loss_cls=dict(type='FocalLoss'))
    for dtype in ('bfloat16', 'float16'):
        wrapper = dict(type='AmpOptimWrapper', dtype=dtype)
        cfg = Config(dict(model=dict(bbox_head=head), optim_wrapper=wrapper))
        if operators == 'compiled' and dtype == 'bfloat16':
            with pytest.raises(RuntimeError, match='no kernels for bfloat16'):
                enable_amp(cfg)
        else:
            enable_amp(cfg)
            assert cfg.optim_wrapper.dtype == dtype


def test_amp_of_others_without_gpu(cpu):
    own = dict(type='AmpOptimWrapper', loss_scale=512.0, dtype='float16')
    for wrapper in (dict(type='OptimWrapper'), own):
        cfg = Config(dict(model={}, optim_wrapper=wrapper))
        cfg.optim_wrapper.optimizer = dict(type='SGD')
        enable_amp(cfg)
        assert cfg.optim_wrapper == dict(type='CPUAmpOptimWrapper', optimizer=dict(type='SGD'))


def test_amp_on_a_gpu(monkeypatch):
    monkeypatch.setattr(launch, 'get_device', lambda: 'cuda')
    own = dict(type='AmpOptimWrapper', loss_scale=512.0)
    plain = dict(type='OptimWrapper')
    for wrapper, scale in ((plain, 'dynamic'), (own, 512.0)):
        cfg = Config(dict(model=dict(roi_head={}), optim_wrapper=wrapper))
        enable_amp(cfg)
        assert cfg.optim_wrapper == dict(type='AmpOptimWrapper', loss_scale=scale)

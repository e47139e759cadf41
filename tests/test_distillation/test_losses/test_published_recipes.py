"""A step of the published pairs on CIFAR-100, beside mdistiller's.

Its networks, layers, losses and weights with those of our configs: the loss of
a batch and the gradient of all of the student's weights have to agree.
"""

import copy
import importlib
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from published import assert_near, clone, copy_fusions, copy_weights, load
from torch import nn

pytest.importorskip('mmpretrain')
from mmpretrain.structures import DataSample

import inrn_mm.classification  # noqa: F401
from inrn_mm.distillation import WeightSchedule

CONFIGS = Path(__file__).parents[3] / 'configs' / 'classification'
PAIRS = dict(resnet20='resnet56', resnet8x4='resnet32x4')
# the file of each method, and what the thin pair changes in it
METHODS = dict(
    kd=('kd', []),
    at=('at', []),
    fitnet=('fitnet', []),
    ofd=('ofd', []),
    crd=('crd', ['CRD.FEAT.STUDENT_DIM', 64, 'CRD.FEAT.TEACHER_DIM', 64]),
    review=(
        'reviewkd',
        [
            'REVIEWKD.IN_CHANNELS',
            [16, 32, 64, 64],
            'REVIEWKD.OUT_CHANNELS',
            [16, 32, 64, 64],
            'REVIEWKD.REVIEWKD_WEIGHT',
            0.6,
        ],
    ),
    dkd=('dkd/res32x4_res8x4', ['DKD.BETA', 2.0]),
)
# what presets.yml sets for this pair
SETTINGS = {('resnet20', 'review'): dict(weight=0.6), ('resnet20', 'dkd'): dict(beta=2.0)}
LABELS = torch.tensor([1, 57, 99, 3])
INDICES = torch.tensor([3, 0, 17000, 49999])


def published_cfg(monkeypatch, method, thin):
    """What the published training of a pair is set to."""
    pytest.importorskip('yacs')
    cfg = load(monkeypatch, 'mdistiller', 'mdistiller/engine/cfg.py').CFG
    file, changes = METHODS[method]
    cfg.merge_from_file(str(clone('mdistiller') / f'configs/cifar100/{file}.yaml'))
    if thin:
        cfg.merge_from_list(changes)
    return cfg


def our_model(cfg):
    """The distiller of a config, all of whose weights are in use."""
    changes = dict(teacher_checkpoint=None, allow_random_teacher=True, ratio_interval=0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(copy.deepcopy(cfg.model), data_preprocessor=cfg.data_preprocessor, **changes)
        )
    (loss,) = model.distill_losses
    loss.schedule = WeightSchedule()  # past its warm-up
    return model, loss


def copy_network(ours, theirs):
    """Our values under their names, in the order of definition."""
    mine = [
        value
        for name, value in ours.state_dict().items()
        if not name.startswith('distill_losses.')  # beside the student
    ]
    names = theirs.state_dict()
    assert len(mine) == len(names)
    theirs.load_state_dict(dict(zip(names, mine)))


def copy_connectors(method, loss, theirs):
    if method == 'fitnet':
        copy_weights(loss.regressors, theirs.conv_reg)
    elif method == 'ofd':
        copy_weights(loss.connectors, theirs.connectors)
    elif method == 'review':
        copy_fusions(loss, theirs)
    elif method == 'crd':
        copy_weights(loss.student_embeds, theirs.embed_s)
        copy_weights(loss.teacher_embeds, theirs.embed_t)
        theirs.contrast.memory_v1.copy_(loss.student_memory[0])
        theirs.contrast.memory_v2.copy_(loss.teacher_memory[0])


@pytest.mark.parametrize('student, teacher', PAIRS.items())
@pytest.mark.parametrize('method', METHODS)
def test_step(mdistiller, monkeypatch, method, student, teacher):
    mine = Config.fromfile(CONFIGS / f'{student}-from-{teacher}_kd_cifar100.py')
    mine.model.method = dict(type=method, **SETTINGS.get((student, method), {}))
    if method == 'crd':
        mine.model.method.num_samples = 50000
    torch.manual_seed(0)
    model, loss = our_model(mine)
    inputs = torch.randn(4, 3, 32, 32)
    # running statistics of a network that has seen images, so that the
    # teacher's logits are no astronomic numbers
    net = model.teacher.net.train()
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None
    net(inputs)
    net.eval()

    cfg = published_cfg(monkeypatch, method, student == 'resnet20')
    networks = importlib.import_module('mdistiller.models.cifar')
    theirs = [networks.cifar_model_dict[name][0](num_classes=100) for name in (student, teacher)]
    for ours, other in zip((model.student, net), theirs):
        copy_network(ours, other)
    theirs = mdistiller.distiller_dict[cfg.DISTILLER.TYPE](
        *theirs, cfg, *([50000] if method == 'crd' else [])
    )
    copy_connectors(method, loss, theirs)
    # FitNet's constructor shows its teacher a random image in training mode
    copy_network(net, theirs.teacher)
    loss.attach_teacher([None] * 3, net)
    columns = (INDICES[:, None] + torch.arange(16385)) % 50000
    monkeypatch.setattr(loss, 'draw', lambda *args: columns, raising=False)

    samples = []
    for label, index in zip(LABELS, INDICES):
        samples.append(DataSample(metainfo=dict(sample_idx=index.item())).set_gt_label(label))
    model.train()
    ours, _ = model.parse_losses(model(inputs, samples, mode='loss'))
    theirs.train()
    theirs.teacher.eval()  # OFD's code leaves it in training mode
    _, losses = theirs.forward_train(
        image=inputs, target=LABELS, epoch=20, index=INDICES, contrastive_index=columns
    )
    total = sum(losses.values()).sum()
    # CRD adds 16384 terms
    assert_near(ours, total, rtol=3e-4)
    gradients = (
        torch.autograd.grad(x, list(m.student.parameters()))
        for x, m in ((ours, model), (total, theirs))
    )
    for a, b in zip(*gradients):
        assert_near(a, b, rtol=1e-2)

    # the schedule
    solver, optimizer = cfg.SOLVER, mine.optim_wrapper.optimizer
    assert optimizer == dict(
        type=solver.TYPE, lr=solver.LR, momentum=solver.MOMENTUM, weight_decay=solver.WEIGHT_DECAY
    )
    assert mine.train_cfg.max_epochs == solver.EPOCHS
    assert mine.train_dataloader.batch_size == solver.BATCH_SIZE
    assert mine.param_scheduler.milestones == solver.LR_DECAY_STAGES
    assert mine.param_scheduler.gamma == solver.LR_DECAY_RATE

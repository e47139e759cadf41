"""Distillers of other packages that the benchmark times beside ours."""

import copy

import pytest
import torch

pytest.importorskip('mmdet')


def distiller(**student):
    from mmengine.registry import MODELS

    import inrn_mm  # noqa: F401

    cfg = dict(
        type='KnowledgeDistiller',
        student=student,
        teacher=student,
        allow_random_teacher=True,
        distill_losses=[
            dict(type='StageMSELoss', pairs=[(1, 1), (3, 3)], weight=[0.5, 2.0], name='ms')
        ],
    )
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(cfg))
    model.init_weights()
    return model.train(), cfg


@pytest.fixture
def faster_rcnn(det_scope):
    from tiny_coco import tiny_faster_rcnn

    widths = (8, 8, 16, 16)
    return tiny_faster_rcnn(dict(type='INRN', arch=dict(widths=widths, depths=(1,) * 4)), widths)


@pytest.fixture
def gfl(det_scope):
    from tiny_coco import tiny_one_stage

    return tiny_one_stage('gfl/gfl_r50_fpn_1x_coco.py')


@pytest.fixture
def det_scope():
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def losses(model):
    from tools.benchmark.samples import random_batch

    batch = model.data_preprocessor(random_batch('mmdet', 2, (64, 64)), True)
    torch.manual_seed(1)
    found = model(**batch, mode='loss')
    return model.parse_losses(found)[1]


def test_mmrazor_has_our_losses(faster_rcnn):
    from tools.benchmark import peers

    try:
        peers.import_mmrazor()
    except ImportError as error:
        pytest.skip(str(error))
    ours, cfg = distiller(**faster_rcnn)
    model = peers.mmrazor(ours, cfg)
    model.train()  # returns None
    theirs, own = losses(model), losses(ours)
    distilled = [v for k, v in own.items() if k.startswith('loss_ms')]
    peer = [v for k, v in theirs.items() if k.startswith('distill.loss')]
    assert len(distilled) == len(peer) == 2
    torch.testing.assert_close(torch.stack(peer), torch.stack(distilled))
    # not equal: the teacher's heads run there, and sample before the student's
    torch.testing.assert_close(
        theirs['student.loss_rpn_cls'], own['loss_rpn_cls'], rtol=1e-2, atol=0
    )


def test_mmrazor_has_other_losses_to_leave_out(faster_rcnn):
    from tools.benchmark import peers

    ours, cfg = distiller(**faster_rcnn)
    ours.distill_losses.append(torch.nn.Identity())
    with pytest.raises(ValueError, match='StageMSELoss alone'):
        peers.mmrazor(ours, cfg)


def test_mmdet_ld_has_our_networks(gfl):
    from tools.benchmark import peers

    ours, cfg = distiller(**gfl)
    theirs = peers.mmdet_ld(ours, cfg)
    theirs.train()
    for key, value in ours.teacher.net.state_dict().items():
        assert torch.equal(theirs.teacher_model.state_dict()[key], value)
    student = theirs.state_dict()
    assert 'distill_losses.0.align.0.conv.weight' not in student
    for key, value in student.items():
        assert torch.equal(ours.student.state_dict()[key], value)
    assert losses(theirs)['loss_ld'] > 0


def test_mmdet_ld_is_of_gfl(faster_rcnn):
    from tools.benchmark import peers

    ours, cfg = distiller(**faster_rcnn)
    with pytest.raises(ValueError, match='GFL'):
        peers.mmdet_ld(ours, cfg)

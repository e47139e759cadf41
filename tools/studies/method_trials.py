"""One step of a student under a teacher, by each method."""

import copy
from dataclasses import dataclass

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement

from inrn_mm.distillation.configs import model_config
from tools.studies.mmdet_inputs import make_batch
from tools.studies.mmdet_trials import shrink

# A detector of each kind of mmdet's heads, and classifiers of mmpretrain.
NETWORKS = {
    'Faster R-CNN': 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'Mask R-CNN': 'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
    'Cascade R-CNN': 'mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
    'RetinaNet': 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
    'FCOS': 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
    'ATSS': 'mmdet::atss/atss_r50_fpn_1x_coco.py',
    'GFL': 'mmdet::gfl/gfl_r50_fpn_1x_coco.py',
    'RTMDet-tiny': 'mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
    'RTMDet-s': 'mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py',
    'YOLOX-s': 'mmdet::yolox/yolox_s_8xb8-300e_coco.py',
    'DETR': 'mmdet::detr/detr_r50_8xb2-150e_coco.py',
    'Conditional DETR': 'mmdet::conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
    'Deformable DETR': 'mmdet::deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
    'ResNet-18': 'mmpretrain::resnet/resnet18_8xb32_in1k.py',
    'ResNet-50': 'mmpretrain::resnet/resnet50_8xb32_in1k.py',
    'Swin-T': 'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
    'ViT-B/32': 'mmpretrain::vision_transformer/vit-base-p32_64xb64_in1k.py',
    'INRN-M': 'inrn_mm::classification/inrn-m_imagenet.py',
}
# Each student under a teacher of its kind, and under one of another.
PAIRS = [
    *(('Faster R-CNN', name) for name in ('Mask R-CNN', 'Cascade R-CNN', 'GFL')),
    *(('Mask R-CNN', name) for name in ('Faster R-CNN', 'RetinaNet')),
    *(('Cascade R-CNN', name) for name in ('Cascade R-CNN', 'Faster R-CNN', 'DETR')),
    *(('RetinaNet', name) for name in ('RetinaNet', 'GFL', 'Faster R-CNN')),
    *(('FCOS', name) for name in ('FCOS', 'ATSS', 'RTMDet-s')),
    *(('GFL', name) for name in ('GFL', 'ATSS', 'Cascade R-CNN')),
    *(('RTMDet-tiny', name) for name in ('RTMDet-s', 'YOLOX-s', 'Deformable DETR')),
    *(('YOLOX-s', name) for name in ('YOLOX-s', 'RTMDet-s', 'FCOS')),
    *(('DETR', name) for name in ('DETR', 'Conditional DETR', 'Faster R-CNN')),
    *(('Deformable DETR', name) for name in ('Conditional DETR', 'DETR')),
    *(('ResNet-18', name) for name in ('ResNet-50', 'Swin-T', 'ViT-B/32')),
    *(('Swin-T', name) for name in ('ResNet-50', 'ViT-B/32')),
    *(('ViT-B/32', name) for name in ('ViT-B/32', 'ResNet-50')),
    *(('INRN-M', name) for name in ('ResNet-50', 'Swin-T')),
]
TRANSFORMERS = {'DETR', 'Conditional DETR', 'Deformable DETR'}
SIZE = (128, 128)


@dataclass
class Trial:
    """What became of a student under a teacher by a method.

    Args:
        status (str): ``'works'``, ``'refused'`` by a sentence of ours, or
            ``'error'``.
        text (str): That sentence, or what went wrong. Defaults to ``''``.
    """

    status: str
    text: str = ''


def small_config(name: str) -> dict:
    """Read a network's config, shrunk and without files to download.

    Args:
        name (str): A key of ``NETWORKS``.
    """
    cfg = model_config(NETWORKS[name])
    shrink(cfg)
    if isinstance(cfg.get('train_cfg'), dict):
        cfg.train_cfg.pop('augments', None)  # mixed labels
    return cfg


def try_method(student: str, teacher: str, method: str) -> Trial:
    """Build a distillation and train one step of it.

    Args:
        student (str): A key of ``NETWORKS``.
        teacher (str): Another.
        method (str): Name of a method.

    Returns:
        Trial: What became of it.
    """
    cfg = small_config(student)
    # random teachers are sure of nothing
    settings = dict(min_score=0.0) if method == 'kd' and {student, teacher} <= TRANSFORMERS else {}
    if method == 'crd':
        settings = dict(num_samples=100)
    scope = cfg.get('_scope_')
    model = dict(
        type='KnowledgeDistiller',
        student=cfg,
        teacher=small_config(teacher),
        allow_random_teacher=True,
        method=dict(type=method, **settings),
    )
    torch.manual_seed(0)
    MessageHub.get_current_instance().update_info_dict(dict(iter=0, epoch=0))
    with DefaultScope.overwrite_default_scope('mmdet' if scope == 'mmdet' else 'mmpretrain'):
        try:
            distiller = MODELS.build(model)
        except ValueError as error:
            return Trial('refused', str(error))
        except Exception as error:
            return Trial('error', f'{type(error).__name__}: {error}')
        try:
            check_step(distiller, _batch(Config(cfg), scope))
        except Exception as error:
            return Trial('error', f'{type(error).__name__}: {error}')
    return Trial('works')


def _batch(cfg: Config, scope: str) -> dict:
    if scope == 'mmdet':
        batch = make_batch(cfg, SIZE)
        for sample in batch['data_samples']:
            if cfg.type != 'MaskRCNN':
                del sample.gt_instances.masks
        return batch
    from mmpretrain.structures import DataSample

    size = cfg.backbone.get('img_size', 224)
    samples = [DataSample().set_gt_label(i) for i in range(2)]
    for i, sample in enumerate(samples):
        sample.set_metainfo(dict(img_shape=(size, size), sample_idx=i))
    images = list(torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def check_step(distiller: torch.nn.Module, batch: dict) -> None:
    """Train one step, and see that the distillation teaches.

    Args:
        distiller (KnowledgeDistiller): The model.
        batch (dict): ``inputs`` and ``data_samples`` of a data loader.

    Raises:
        ValueError: If a loss is not finite, or reaches no weight of the student.
    """
    distiller.init_weights()
    with torch.no_grad():  # heads that begin as zeros score all classes alike
        for weight in distiller.student.parameters():
            weight.add_(torch.randn_like(weight), alpha=1e-3)
    distiller.train()
    distiller.ratio_interval = 0
    data = distiller.data_preprocessor(copy.deepcopy(batch), True)
    samples: list[BaseDataElement] = data['data_samples']
    losses = distiller.loss(data['inputs'], samples)
    taught = [losses[f'loss_{name}'] for bound in distiller.bound for name in bound.names]
    total = sum(taught)
    if not torch.isfinite(total):
        raise ValueError(f'the losses are {[float(x) for x in taught]}')
    weights = [p for p in distiller.student.parameters() if p.requires_grad]
    grads = torch.autograd.grad(total, weights, allow_unused=True) if total.requires_grad else ()
    if not any(grad is not None and grad.abs().sum() > 0 for grad in grads):
        raise ValueError('no weight of the student has a gradient')

"""Checkpoints of every model class of mmdet and mmpretrain, distilled."""

import copy
import importlib
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import get_state_dict
from torch import nn

import inrn_mm  # noqa: F401, registers the distiller

# a config of each class that builds without network and further packages
CONFIGS = dict(
    mmdet="""
        ATSS atss/atss_r50_fpn_1x_coco
        AutoAssign autoassign/autoassign_r50-caffe_fpn_1x_coco
        BaseReID reid/reid_r50_8xb32-6e_mot17train80_test-mot17val20
        BoxInst boxinst/boxinst_r50_fpn_ms-90k_coco
        CascadeRCNN _base_/models/cascade-rcnn_r50_fpn
        CenterNet centernet/centernet-update_r50-caffe_fpn_ms-1x_coco
        CondInst condinst/condinst_r50_fpn_ms-poly-90k_coco_instance
        ConditionalDETR conditional_detr/conditional-detr_r50_8xb2-50e_coco
        CornerNet cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco
        CrowdDet crowddet/crowddet-rcnn_r50_fpn_8xb2-30e_crowdhuman
        DABDETR dab_detr/dab-detr_r50_8xb2-50e_coco
        DDOD ddod/ddod_r50_fpn_1x_coco
        DDQDETR ddq/ddq-detr-4scale_r50_8xb2-12e_coco
        DETR detr/detr_r50_8xb2-150e_coco
        DINO dino/dino-4scale_r50_8xb2-12e_coco
        DeepSORT sort/sort_faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval
        DeformableDETR deformable_detr/deformable-detr_r50_16xb2-50e_coco
        FCOS fcos/fcos_r50-caffe_fpn_gn-head_1x_coco
        FOVEA foveabox/fovea_r50_fpn_4xb4-1x_coco
        FSAF fsaf/fsaf_r50_fpn_1x_coco
        FastRCNN _base_/models/fast-rcnn_r50_fpn
        FasterRCNN _base_/models/faster-rcnn_r50_fpn
        GFL gfl/gfl_r50_fpn_1x_coco
        GridRCNN grid_rcnn/grid-rcnn_r50_fpn_gn-head_2x_coco
        HybridTaskCascade htc/htc-without-semantic_r50_fpn_1x_coco
        Mask2Former mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic
        Mask2FormerVideo mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019
        MaskFormer maskformer/maskformer_r50_ms-16xb1-75e_coco
        MaskRCNN _base_/models/mask-rcnn_r50_fpn
        MaskScoringRCNN ms_rcnn/ms-rcnn_r50_fpn_1x_coco
        MaskTrackRCNN masktrack_rcnn/masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019
        NASFCOS nas_fcos/nas-fcos_r50-caffe_fpn_nashead-gn-head_4xb4-1x_coco
        PAA paa/paa_r50_fpn_1x_coco
        PanopticFPN panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco
        PointRend point_rend/point-rend_r50-caffe_fpn_ms-1x_coco
        QDTrack qdtrack/qdtrack_faster-rcnn_r50_fpn_4e_base
        QueryInst queryinst/queryinst_r50_fpn_1x_coco
        RPN _base_/models/rpn_r50_fpn
        RTMDet rtmdet/rtmdet_tiny_8xb32-300e_coco
        RepPointsDetector reppoints/reppoints-moment_r50_fpn_1x_coco
        RetinaNet _base_/models/retinanet_r50_fpn
        SCNet scnet/scnet_r50_fpn_1x_coco
        SOLO solo/solo_r50_fpn_1x_coco
        SOLOv2 solov2/solov2_r50_fpn_1x_coco
        SingleStageDetector _base_/models/ssd300
        SoftTeacher soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco
        SparseRCNN sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco
        TOOD tood/tood_r50_fpn_1x_coco
        TridentFasterRCNN tridentnet/tridentnet_r50-caffe_1x_coco
        VFNet vfnet/vfnet_r50_fpn_1x_coco
        YOLACT yolact/yolact_r50_1xb8-55e_coco
        YOLOF yolof/yolof_r50-c5_8xb8-1x_coco
        YOLOV3 yolo/yolov3_d53_8xb8-ms-608-273e_coco
        YOLOX yolox/yolox_tiny_8xb8-300e_coco
    """,
    mmpretrain="""
        BEiT beit/beit_beit-base-p16_8xb256-amp-coslr-300e_in1k
        BYOL byol/byol_resnet50_16xb256-coslr-200e_in1k
        BarlowTwins barlowtwins/barlowtwins_resnet50_8xb256-coslr-1000e_in1k
        CAE cae/cae_beit-base-p16_8xb256-amp-coslr-300e_in1k
        DenseCL densecl/densecl_resnet50_8xb32-coslr-200e_in1k
        ImageClassifier _base_/models/resnet18
        ImageToImageRetriever arcface/resnet50-arcface_8xb32_inshop
        MAE _base_/models/mae_vit-base-p16
        MFF mff/mff_vit-base-p16_8xb512-amp-coslr-300e_in1k
        MaskFeat maskfeat/maskfeat_vit-base-p16_8xb256-amp-coslr-300e_in1k
        MixMIM mixmim/mixmim_mixmim-base_16xb128-coslr-300e_in1k
        MoCo mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k
        MoCoV3 mocov3/mocov3_vit-base-p16_16xb256-amp-coslr-300e_in1k
        SimCLR simclr/simclr_resnet50_16xb256-coslr-200e_in1k
        SimMIM simmim/simmim_swin-base-w6_8xb256-amp-coslr-100e_in1k-192px
        SimSiam simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k
        SparK spark/spark_sparse-resnet50_8xb512-amp-coslr-800e_in1k
        SwAV swav/swav_resnet50_8xb32-mcrop-coslr-200e_in1k-224px-96px
    """,
)
# classes that no config has, or that want a network or further packages
LEFT_OUT = dict(
    mmdet=(
        'BaseMOTModel BertModel ByteTrack DetectionTransformer Detectron2Wrapper GLIP '
        'GroundingDINO KnowledgeDistillationSingleStageDetector LAD OCSORT SemiBaseDetector '
        'SingleStageInstanceSegmentor StrongSORT TwoStageDetector TwoStagePanopticSegmentor'
    ),
    mmpretrain='AverageClsScoreTTA EVA HuggingFaceClassifier MILAN TimmClassifier iTPN',
)
CASES = [
    (package, *line.split())
    for package, lines in CONFIGS.items()
    for line in lines.strip().splitlines()
]


@pytest.mark.parametrize('package', CONFIGS)
def test_every_model_class_is_covered(package):
    pytest.importorskip(package)
    importlib.import_module(f'{package}.models')
    registry = importlib.import_module(f'{package}.registry').MODELS
    registered = {
        name
        for name, cls in registry.module_dict.items()
        if isinstance(cls, type)
        and issubclass(cls, BaseModel)
        # what mmpretrain registers where transformers is installed
        and 'multimodal' not in cls.__module__
    }
    covered = {name for other, name, _ in CASES if other == package}
    assert registered <= covered | set(LEFT_OUT[package].split())


@pytest.fixture
def on_no_device(monkeypatch):
    """Build without memory, but for the few numbers that are read."""
    linspace = torch.linspace
    monkeypatch.setattr(torch, 'linspace', lambda *a, **k: linspace(*a, **{**k, 'device': 'cpu'}))
    with torch.device('meta'):
        yield


@pytest.mark.parametrize('package, name, config', CASES, ids=lambda value: value.split('/')[0])
def test_names_are_the_plain_models(package, name, config, on_no_device):
    root = Path(pytest.importorskip(package).__file__).parent / '.mim' / 'configs'
    if not (root / f'{config}.py').is_file():
        pytest.skip(f'this {package} has no {config}')
    cfg = Config.fromfile(root / f'{config}.py')
    student = cfg.model
    if 'data_preprocessor' in cfg:
        student.setdefault('data_preprocessor', cfg.data_preprocessor)
    assert student.type == name
    with DefaultScope.overwrite_default_scope(package):
        plain = MODELS.build(copy.deepcopy(student))
        model = MODELS.build(dict(type='KnowledgeDistiller', student=student))
    model.distill_losses.append(nn.Linear(2, 2))
    own = {f'distill_losses.0.{name}' for name in ('weight', 'bias')}

    for save in (get_state_dict, lambda net: net.state_dict()):
        names = list(save(plain))
        assert list(save(model)) == [*names, *sorted(own, reverse=True)]
    state = model.state_dict()
    model.load_state_dict({**plain.state_dict(), **{key: state[key] for key in own}})
    plain.load_state_dict({k: v for k, v in state.items() if k not in own})
    assert [n for n, _ in model.named_parameters() if n not in own] == [
        n for n, _ in plain.named_parameters()
    ]


def test_single_stage_weights_load_into_a_two_stage_student(on_no_device):
    """mmdet renames their keys while loading."""
    root = Path(pytest.importorskip('mmdet').__file__).parent / '.mim' / 'configs'
    student = Config.fromfile(root / '_base_/models/faster-rcnn_r50_fpn.py').model
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(dict(type='KnowledgeDistiller', student=student))
    state = {
        key.replace('rpn_head', 'bbox_head'): value
        for key, value in model.state_dict().items()
        if not key.startswith('roi_head')
    }
    keys = model.load_state_dict(state, strict=False)
    assert not keys.unexpected_keys
    assert keys.missing_keys and all(key.startswith('roi_head') for key in keys.missing_keys)

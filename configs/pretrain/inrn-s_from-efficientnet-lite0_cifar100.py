# INRN-S from CIFAR-100 without its labels, under EfficientNet-Lite0, which sees
# the images at 128 x 128: its map of stride 16 has then the student's 8 x 8
# places. Nearest neighbours and a linear probe are those of the test images.
_base_ = [
    '../_base_/models/efficientnet-lite0_teacher.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    type='KnowledgeDistiller',
    student=dict(type='INRN', arch='s'),
    teacher=dict(size=(128, 128), **_base_.teacher),
    distill_losses=[
        dict(type='DenseFeatureLoss', pairs=[(2, 'timm_model.blocks.4')]),
        dict(type='GlobalFeatureLoss', pairs=[(2, 'timm_model.bn2')]),
    ],
)
data_preprocessor = dict(num_classes=None)
val_cfg = dict()
test_cfg = dict()
val_evaluator = dict(_delete_=True, type='ProbeMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='probe/knn', rule='greater'))

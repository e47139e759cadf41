# INRN-M from images without labels, under EfficientNet-Lite0.
_base_ = [
    '../_base_/models/efficientnet-lite0_teacher.py',
    '../_base_/datasets/folder_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    type='KnowledgeDistiller',
    student=dict(type='INRN', arch='m'),
    teacher=_base_.teacher,
    distill_losses=[
        # strides 16 and 32
        dict(
            type='DenseFeatureLoss', pairs=[(2, 'timm_model.blocks.4'), (3, 'timm_model.blocks.6')]
        ),
        dict(type='GlobalFeatureLoss', pairs=[(3, 'timm_model.bn2')]),
    ],
)

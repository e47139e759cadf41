# INRN-M from images without labels, under DINOv2 ViT-S/14 (its class token and
# its patches); mmpretrain names its weights.
_base_ = [
    '../_base_/datasets/folder_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    type='KnowledgeDistiller',
    student=dict(type='INRN', arch='m'),
    teacher='mmpretrain::dinov2/vit-small-p14_dinov2-pre_headless.py',
    distill_losses=[
        dict(type='DenseFeatureLoss', pairs=[(2, 'backbone.ln1')]),
        dict(type='GlobalFeatureLoss', pairs=[(3, 'backbone[0]')]),
    ],
)

# The pretraining demo: INRN-S from all digits without labels, under
# EfficientNet-Lite0, which sees them at 64 x 64: its map of stride 16 has then
# the student's 4 x 4 places.
_base_ = [
    '../_base_/models/efficientnet-lite0_teacher.py',
    '../_base_/datasets/demo_digits.py',
    '../_base_/schedules/demo_digits.py',
    '../_base_/pretrain_runtime.py',
]

model = dict(
    type='KnowledgeDistiller',
    student=dict(type='INRN', arch='s'),
    teacher=dict(size=(64, 64), **_base_.teacher),
    distill_losses=[
        dict(type='DenseFeatureLoss', pairs=[(2, 'timm_model.blocks.4')]),
        dict(type='GlobalFeatureLoss', pairs=[(2, 'timm_model.bn2')]),
    ],
)
data_preprocessor = dict(type='mmpretrain.ClsDataPreprocessor', num_classes=None)
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        _delete_=True,
        type='ImageFolders',
        data_root=_base_.data_root + '/pool',
        pipeline=_base_.train_pipeline,
    ),
)
val_evaluator = dict(_delete_=True, type='ProbeMetric')
test_evaluator = val_evaluator
default_hooks = dict(logger=dict(interval=10, ignore_last=False))
log_processor = dict(window_size=10)

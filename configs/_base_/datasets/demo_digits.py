# The set of the classification demo, made by `python -m tools.demo.digits`. Its
# folder is work_dirs/demo-classification/data or the environment's
# INRN_DIGITS_ROOT.
data_root = '{{$INRN_DIGITS_ROOT:work_dirs/demo-classification/data}}'
data_preprocessor = dict(num_classes=10, mean=[80.0] * 3, std=[90.0] * 3, to_rgb=True)
# No flips: a mirrored digit is none.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=16, padding=1),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=10,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_prefix=data_root + '/train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_prefix=data_root + '/val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator

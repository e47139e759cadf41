# CIFAR-100 kept in memory, on the GPU if there is one, and augmented by whole
# batches (which cannot be pinned there). The folder is data/cifar100/ or the
# environment's INRN_CIFAR100_ROOT. The scopes are for configs that inherit
# from this one by inrn_mm::..., where mmengine would look for mmpretrain's
# modules in ours.
data_preprocessor = dict(
    type='BatchPreprocessor',
    num_classes=100,
    # RGB, as stored: .5071 .4865 .4409 and .2673 .2564 .2761 of 255
    mean=[129.304, 124.070, 112.434],
    std=[68.170, 65.392, 70.418],
    to_rgb=False,
    transforms=[dict(type='BatchCropFlip', padding=4)],
)
data_root = '{{$INRN_CIFAR100_ROOT:data/cifar100}}'
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    pin_memory=False,
    drop_last=False,
    collate_fn=dict(type='collate_in_memory'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        _scope_='mmpretrain',
        type='InMemoryCIFAR100',
        data_root=data_root,
        split='train',
        pipeline=[dict(type='PackInputs')],
    ),
)
val_dataloader = dict(
    batch_size=500,
    num_workers=0,
    pin_memory=False,
    collate_fn=dict(type='collate_in_memory'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        _scope_='mmpretrain',
        type='InMemoryCIFAR100',
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=[dict(type='PackInputs')],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(_scope_='mmpretrain', type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator

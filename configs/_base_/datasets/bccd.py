# BCCD: 364 photographs of blood cells (red, white, platelets), 205 / 87 / 72 for
# training, validation and test, in VOC's XML. The folder is data/bccd/ or the
# environment's INRN_BCCD_ROOT. COCO's AP, of the XML's own boxes.
dataset_type = 'XMLDataset'
data_root = '{{$INRN_BCCD_ROOT:data/bccd}}/'
scale = (256, 192)  # of 640 x 480, in multiples of the largest stride
# flips both ways: a cell has no upper side
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1)),  # two boxes of the set are empty
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    # `instances`: the evaluator has no file of annotations
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances'),
    ),
]
common = dict(
    type=dataset_type,
    data_root=data_root,
    data_prefix=dict(sub_data_root=''),
    metainfo=dict(classes=('RBC', 'WBC', 'Platelets')),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='ImageSets/Main/train.txt', pipeline=train_pipeline, **common),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='ImageSets/Main/val.txt', pipeline=test_pipeline, test_mode=True, **common
    ),
)
test_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='ImageSets/Main/test.txt', pipeline=test_pipeline, test_mode=True, **common
    ),
)
val_evaluator = dict(type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator

# Images of any folder without labels, cropped, flipped and jittered; student and
# teacher see the same. The folder is data/images/ or the environment's
# INRN_IMAGES_ROOT, or several by --cfg-options train_dataloader.dataset.data_root.
data_preprocessor = dict(
    type='ImgDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
)
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='pseudo_collate'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ImageFolders',
        data_root='{{$INRN_IMAGES_ROOT:data/images}}',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='RandomResizedCrop',
                scale=224,
                crop_ratio_range=(0.3, 1.0),
                interpolation='bicubic',
                backend='pillow',
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3),
            dict(type='PackInputs'),
        ],
    ),
)

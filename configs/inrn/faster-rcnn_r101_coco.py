# The teacher: ResNet101-FPN, caffe style, 3x multi-scale.
_base_ = 'mmdet::faster_rcnn/faster-rcnn_r101-caffe_fpn_ms-3x_coco.py'

custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)
# The checkpoint was trained on BGR images of std 1; mmdet 3's config lost it.
model = dict(
    data_preprocessor=dict(mean=[103.530, 116.280, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
)
data_root = '{{$INRN_COCO_ROOT:data/coco}}'
train_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root)))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/instances_val2017.json')
test_evaluator = val_evaluator

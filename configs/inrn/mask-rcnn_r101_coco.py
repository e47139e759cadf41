# The teacher: ResNet101-FPN, caffe style, 3x multi-scale.
_base_ = 'mmdet::mask_rcnn/mask-rcnn_r101-caffe_fpn_ms-poly-3x_coco.py'

custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)
data_root = '{{$INRN_COCO_ROOT:data/coco}}'
train_dataloader = dict(dataset=dict(dataset=dict(data_root=data_root)))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + '/annotations/instances_val2017.json')
test_evaluator = val_evaluator

# Faster R-CNN ResNet-50, distilled from ResNet101-FPN by FGD.
# Neck and heads begin as the teacher's, the paper's inheriting strategy;
# with another teacher_checkpoint, name it here, too.
_base_ = '../inrn/faster-rcnn_r50_coco.py'

weights = 'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r101_caffe_fpn_mstrain_3x_coco/faster_rcnn_r101_caffe_fpn_mstrain_3x_coco_20210526_095742-a7ae426d.pth'
inherited = dict(type='Pretrained', checkpoint=weights)
_base_.model.neck.init_cfg = dict(prefix='neck.', **inherited)
_base_.model.rpn_head.init_cfg = dict(prefix='rpn_head.', **inherited)
_base_.model.roi_head.bbox_head.init_cfg = dict(prefix='roi_head.bbox_head.', **inherited)

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::inrn/faster-rcnn_r101_coco.py',
    teacher_checkpoint=weights,
    method='fgd',
)
# The loss is a sum over the map: clipped as in the paper's code.
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))

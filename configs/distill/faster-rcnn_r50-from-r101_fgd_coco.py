# Faster R-CNN ResNet-50, distilled from ResNet101-FPN by FGD.
# Neck and heads begin as the teacher's, the paper's inheriting strategy;
# with another teacher_checkpoint, name it here, too.
_base_ = [
    '../inrn/faster-rcnn_r50_coco.py',
    '../_base_/distillers/fgd_coco.py',
    '../_base_/teachers/faster-rcnn_r101.py',
]

inherited = dict(type='Pretrained', checkpoint=_base_.teacher_checkpoint)
_base_.model.neck.init_cfg = dict(prefix='neck.', **inherited)
_base_.model.rpn_head.init_cfg = dict(prefix='rpn_head.', **inherited)
_base_.model.roi_head.bbox_head.init_cfg = dict(prefix='roi_head.bbox_head.', **inherited)

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
# The loss is a sum over the map: clipped as in the paper's code.
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))

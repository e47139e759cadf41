# Faster R-CNN ResNet-50, distilled from ResNet101-FPN by OFD.
_base_ = [
    '../inrn/faster-rcnn_r50_coco.py',
    '../_base_/distillers/ofd_coco.py',
    '../_base_/teachers/faster-rcnn_r101.py',
]

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
# The loss is a sum over the map: clipped.
optim_wrapper = dict(clip_grad=dict(max_norm=35, norm_type=2))

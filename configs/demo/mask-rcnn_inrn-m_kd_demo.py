# The demo's student distilled from its teacher: what
# inrn/mask-rcnn_inrn-m_kd_coco.py does on COCO.
_base_ = ['./mask-rcnn_inrn-m_demo.py', '../_base_/distill_stages.py']

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher='inrn_mm::demo/mask-rcnn_r101_demo.py',
    teacher_checkpoint='work_dirs/demo-mask/teacher/epoch_3.pth',
    **_base_.distill)

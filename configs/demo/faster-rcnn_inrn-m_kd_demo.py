# The demo's student distilled from its teacher: what
# inrn/faster-rcnn_inrn-m_kd_coco.py does on COCO.
_base_ = ['./faster-rcnn_inrn-m_demo.py', '../_base_/distill_stages.py']

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher='inrn_mm::demo/faster-rcnn_r101_demo.py',
    teacher_checkpoint='work_dirs/demo/teacher/epoch_3.pth',
    **_base_.distill)

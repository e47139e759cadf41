# The demo's student distilled from its teacher: what
# inrn/faster-rcnn_inrn-m_kd_coco.py does on COCO.
_base_ = './faster-rcnn_inrn-m_demo.py'

# The teacher was trained from scratch, minutes before: its last stages have
# something to teach, its first ones hold the student back.
model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::demo/faster-rcnn_r101_demo.py',
    teacher_checkpoint='work_dirs/demo/teacher/epoch_3.pth',
    distill_losses=[dict(type='StageMSELoss', pairs=[(2, 2), (3, 3)], weight=[0.1, 0.3])],
)
# and what it knows need not be checked
custom_hooks = [*_base_.custom_hooks, dict(type='TeacherCheckHook', num_batches=0)]

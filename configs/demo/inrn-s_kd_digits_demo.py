# The classification demo's student distilled from its teacher: Eq. 3 on the
# last stage, and the teacher's softened predictions.
_base_ = './inrn-s_digits_demo.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::demo/resnet18_digits_demo.py',
    teacher_checkpoint='work_dirs/demo-classification/teacher/epoch_6.pth',
    distill_losses=[
        dict(type='StageMSELoss', pairs=[(2, 2)]),
        dict(type='LogitKDLoss', pairs=[('head.fc', 'head.fc')]),
    ],
)
# The teacher was trained and tested seconds before.
custom_hooks = [*_base_.custom_hooks, dict(type='TeacherCheckHook', num_batches=0)]

# ResNet-8x4, distilled from ResNet-32x4 by ReviewKD.
# Stages after their last activation, the teacher's before it, and after
# pooling, as in the published code; with warm-up.
_base_ = ['./resnet8x4_cifar100.py', '../_base_/teachers/resnet32x4.py']

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[
        dict(
            type='ReviewLoss',
            pairs=[
                (0, 'backbone.layer1.4.relu:input@-1'),
                (1, 'backbone.layer2.4.relu:input@-1'),
                (2, 'backbone.layer3.4.relu:input@-1'),
                ('head.fc:input', 'head.fc:input'),
            ],
            schedule=dict(warmup=20, by_epoch=True),
            weight=5.0,
        )
    ],
)

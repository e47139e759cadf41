# ResNet-20, distilled from ResNet-56 by ReviewKD.
# Stages after their last activation, the teacher's before it, and after
# pooling, as in the published code; with warm-up.
_base_ = ['./resnet20_cifar100.py', '../_base_/teachers/resnet56.py']

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
                (0, 'backbone.layer1.8.relu:input@-1'),
                (1, 'backbone.layer2.8.relu:input@-1'),
                (2, 'backbone.layer3.8.relu:input@-1'),
                ('head.fc:input', 'head.fc:input'),
            ],
            schedule=dict(warmup=20, by_epoch=True),
            weight=0.6,
        )
    ],
)

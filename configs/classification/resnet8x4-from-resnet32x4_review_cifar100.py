# ResNet-8x4, distilled from ResNet-32x4 by ReviewKD.
# Before the last activation of each stage and after pooling, with warm-up.
_base_ = ['./resnet8x4_cifar100.py', './_base_/teacher_resnet32x4.py']

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[
        dict(
            type='ReviewLoss',
            pairs=[('backbone.layer1.0.relu:input@-1',
                    'backbone.layer1.4.relu:input@-1'),
                   ('backbone.layer2.0.relu:input@-1',
                    'backbone.layer2.4.relu:input@-1'),
                   ('backbone.layer3.0.relu:input@-1',
                    'backbone.layer3.4.relu:input@-1'),
                   ('head.fc:input', 'head.fc:input')],
            schedule=dict(warmup=20, by_epoch=True),
            weight=5.0)
    ])

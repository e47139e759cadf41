# INRN-S, distilled from ResNet-32x4 by ReviewKD.
# Before the last activation of each stage and after pooling, with warm-up.
_base_ = ['./inrn-s_cifar100.py', './_base_/teacher_resnet32x4.py']

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[
        dict(
            type='ReviewLoss',
            pairs=[('backbone.stages.0.1.act:input',
                    'backbone.layer1.4.relu:input@-1'),
                   ('backbone.stages.1.8.act:input',
                    'backbone.layer2.4.relu:input@-1'),
                   ('backbone.stages.2.2.act:input',
                    'backbone.layer3.4.relu:input@-1'),
                   ('head.fc:input', 'head.fc:input')],
            schedule=dict(warmup=20, by_epoch=True),
            weight=5.0)
    ])

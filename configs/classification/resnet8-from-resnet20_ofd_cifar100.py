# ResNet-8, distilled from ResNet-20 by OFD.
# Before the last activation of each stage, with the paper's weight.
_base_ = ['./resnet8_cifar100.py', '../_base_/teachers/resnet20.py']

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[
        dict(
            type='OverhaulLoss',
            pairs=[
                ('backbone.layer1.0.relu:input@-1', 'backbone.layer1.2.relu:input@-1'),
                ('backbone.layer2.0.relu:input@-1', 'backbone.layer2.2.relu:input@-1'),
                ('backbone.layer3.0.relu:input@-1', 'backbone.layer3.2.relu:input@-1'),
            ],
            margin_layers=[
                'backbone.layer1.2.bn2',
                'backbone.layer2.2.bn2',
                'backbone.layer3.2.bn2',
            ],
            weight=1e-3,
        )
    ],
)

# ResNet-20, distilled from ResNet-56 by OFD.
# Before the last activation of each stage, with the paper's weight.
_base_ = ['./resnet20_cifar100.py', '../_base_/teachers/resnet56.py']

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
                ('backbone.layer1.2.relu:input@-1', 'backbone.layer1.8.relu:input@-1'),
                ('backbone.layer2.2.relu:input@-1', 'backbone.layer2.8.relu:input@-1'),
                ('backbone.layer3.2.relu:input@-1', 'backbone.layer3.8.relu:input@-1'),
            ],
            margin_layers=[
                'backbone.layer1.8.bn2',
                'backbone.layer2.8.bn2',
                'backbone.layer3.8.bn2',
            ],
            weight=1e-3,
        )
    ],
)

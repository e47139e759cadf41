# ResNet-14x4, distilled from ResNet-32x4 by OFD.
# Before the last activation of each stage, with the paper's weight.
_base_ = ['./resnet14x4_cifar100.py', '../_base_/teachers/resnet32x4.py']

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
                ('backbone.layer1.1.relu:input@-1', 'backbone.layer1.4.relu:input@-1'),
                ('backbone.layer2.1.relu:input@-1', 'backbone.layer2.4.relu:input@-1'),
                ('backbone.layer3.1.relu:input@-1', 'backbone.layer3.4.relu:input@-1'),
            ],
            margin_layers=[
                'backbone.layer1.4.bn2',
                'backbone.layer2.4.bn2',
                'backbone.layer3.4.bn2',
            ],
            weight=1e-3,
        )
    ],
)

# INRN-S, distilled from ResNet-32x4 by OFD.
# Before the last activation of each stage, with the paper's weight.
_base_ = ['./inrn-s_cifar100.py', '../_base_/teachers/resnet32x4.py']

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
                ('backbone.stages.0.1.act:input', 'backbone.layer1.4.relu:input@-1'),
                ('backbone.stages.1.8.act:input', 'backbone.layer2.4.relu:input@-1'),
                ('backbone.stages.2.2.act:input', 'backbone.layer3.4.relu:input@-1'),
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

# INRN-M, distilled from ResNet-101 by OFD.
# Before the last activation of each stage, with the paper's weight.
_base_ = ['./inrn-m_imagenet.py', './_base_/teacher_resnet101_imagenet.py']

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[
        dict(
            type='OverhaulLoss',
            pairs=[('backbone.stages.0.1.act:input',
                    'backbone.layer1.2.relu:input@-1'),
                   ('backbone.stages.1.2.act:input',
                    'backbone.layer2.3.relu:input@-1'),
                   ('backbone.stages.2.8.act:input',
                    'backbone.layer3.22.relu:input@-1'),
                   ('backbone.stages.3.2.act:input',
                    'backbone.layer4.2.relu:input@-1')],
            margin_layers=[
                'backbone.layer1.2.bn3', 'backbone.layer2.3.bn3',
                'backbone.layer3.22.bn3', 'backbone.layer4.2.bn3'
            ],
            weight=1e-4)
    ])

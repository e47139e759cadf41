# INRN-L, distilled from ResNet-101 by ReviewKD.
# Before the last activation of each stage and after pooling.
_base_ = ['./inrn-l_imagenet.py', './_base_/teacher_resnet101_imagenet.py']

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
                    'backbone.layer1.2.relu:input@-1'),
                   ('backbone.stages.1.2.act:input',
                    'backbone.layer2.3.relu:input@-1'),
                   ('backbone.stages.2.8.act:input',
                    'backbone.layer3.22.relu:input@-1'),
                   ('backbone.stages.3.2.act:input',
                    'backbone.layer4.2.relu:input@-1'),
                   ('head.fc:input', 'head.fc:input')],
            mid_channels=512,
            weight=1.0)
    ])

# Before the last activation of each stage, of INRN-M or INRN-L, whose stages
# have the same depths, and of ResNet-101; and the norms of ResNet-101 that
# OFD's margins come from.
preactivations = [
    ('backbone.stages.0.1.act:input', 'backbone.layer1.2.relu:input@-1'),
    ('backbone.stages.1.2.act:input', 'backbone.layer2.3.relu:input@-1'),
    ('backbone.stages.2.8.act:input', 'backbone.layer3.22.relu:input@-1'),
    ('backbone.stages.3.2.act:input', 'backbone.layer4.2.relu:input@-1'),
]
margin_layers = [
    'backbone.layer1.2.bn3',
    'backbone.layer2.3.bn3',
    'backbone.layer3.22.bn3',
    'backbone.layer4.2.bn3',
]

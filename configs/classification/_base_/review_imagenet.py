# ReviewKD with the weight of its paper, before the last activation of each
# stage and after pooling, for INRN-M and INRN-L, whose stages have the same
# depths.
distill_losses = [
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
]

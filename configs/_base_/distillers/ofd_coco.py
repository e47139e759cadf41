# OFD before the last activation of each stage. The paper has no two-stage
# detector; the weight is the one of its segmentation. The margins come from
# the norms of the last blocks of the teacher, a ResNet-101.
# The student is a ResNet-50.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='OverhaulLoss',
            pairs=[
                ('backbone.layer1.2.relu:input@-1', 'backbone.layer1.2.relu:input@-1'),
                ('backbone.layer2.3.relu:input@-1', 'backbone.layer2.3.relu:input@-1'),
                ('backbone.layer3.5.relu:input@-1', 'backbone.layer3.22.relu:input@-1'),
                ('backbone.layer4.2.relu:input@-1', 'backbone.layer4.2.relu:input@-1'),
            ],
            margin_layers=[
                'backbone.layer1.2.bn3',
                'backbone.layer2.3.bn3',
                'backbone.layer3.22.bn3',
                'backbone.layer4.2.bn3',
            ],
            connector=dict(type='NormedConv', norm_cfg=dict(type='SyncBN')),
            weight=1e-5,
        )
    ],
)

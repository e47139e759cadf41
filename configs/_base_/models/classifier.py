# A linear layer on pooled features. The backbone, its last width and the
# number of classes are the config's. The scope is for configs that inherit
# from it by inrn_mm::..., where mmengine would look for mmpretrain's modules
# in ours.
model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0)),
)

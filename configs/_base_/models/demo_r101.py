# What the demo's teachers share: ResNet-101 from scratch, at half of the
# students' learning rate, with which so deep a network learns faster.
r101 = dict(
    backbone=dict(
        depth=101, frozen_stages=-1, norm_eval=False, zero_init_residual=True, init_cfg=None
    )
)
r101_lr = 0.001

# Beyond the paper: learned grids of several sizes beside the sinusoidal
# embedding, before the same INRe blocks; L1 with SSIM.
_base_ = './inrn_image.py'

model = dict(
    net=dict(
        arch=dict(widths=[48], blocks=2),
        levels=8,
        grids=dict(sizes=[(16, 24), (32, 48), (64, 96)], channels=4),
    ),
    loss=dict(alpha=0.7, norm='l1'),
)
optim_wrapper = dict(optimizer=dict(lr=5e-3))

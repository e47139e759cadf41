# inrn-plus_video.py for small frames (96 x 160) and 0.14 million parameters:
# four stages from a grid of 6 x 10, most parameters in the maps of the time.
_base_ = './inrn-plus_video.py'

model = dict(
    net=dict(
        arch=dict(widths=[32, 32, 24, 16], blocks=[1, 1, 1, 0]),
        strides=(2, 2, 2, 2),
        time_grids=[
            dict(stage=0, every=1, channels=8),
            dict(stage=1, every=2, channels=6),
            dict(stage=2, every=5, channels=4),
            dict(stage=3, every=31, channels=4),
        ],
    )
)
optim_wrapper = dict(optimizer=dict(lr=1e-2))

# inrn-plus-small_video.py with as many parameters as NeRV-S has, most of them
# in the maps of the time. A frame reads few of them, so a step and a frame
# cost a fraction of NeRV-S's.
_base_ = './inrn-plus-small_video.py'

model = dict(
    net=dict(
        arch=dict(widths=[64, 48, 32, 16]),
        time_grids=[
            dict(stage=0, every=1, channels=128),
            dict(stage=1, every=1, channels=112),
            dict(stage=2, every=1, channels=64),
            dict(stage=3, every=2, channels=16),
        ],
    )
)

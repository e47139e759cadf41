# inrn-plus_video.py for small frames, of about 100 pixels a side, whose first
# stages do not enlarge: more of the parameters are maps.
_base_ = './inrn-plus_video.py'

model = dict(
    net=dict(
        arch=dict(widths=[32, 32, 32, 24, 16], blocks=[1, 0, 1, 1, 0]),
        time_grids=[
            dict(stage=0, every=1, channels=8),
            dict(stage=3, every=4, channels=6),
            dict(stage=4, every=16, channels=6)
        ]))
optim_wrapper = dict(optimizer=dict(lr=1e-2))

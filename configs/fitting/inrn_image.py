# INRe blocks on pixel coordinates (Fig. 1b). Frequencies above the image's
# own only add noise between pixels: 24 levels reach 1.25^23 = 169 periods.
_base_ = './_base_/image.py'

model = dict(
    net=dict(
        type='SingleStageINRN',
        kind='pixel',
        arch=dict(widths=[64], blocks=3),
        compression=1,
        levels=24),
    tile=256)
optim_wrapper = dict(optimizer=dict(lr=2e-3))

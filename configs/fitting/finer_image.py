# FINER: on Kodak at equal size the stronger of the two beside WIRE.
_base_ = './siren_image.py'

model = dict(net=dict(_delete_=True, type='FINER', width=256, num_layers=3))

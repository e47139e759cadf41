# FINER, which generalises SIREN: its sines' frequency grows with their input.
_base_ = './siren_image.py'

model = dict(net=dict(_delete_=True, type='FINER', width=256, num_layers=3))

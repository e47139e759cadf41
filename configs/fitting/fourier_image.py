# Gaussian Fourier features and a ReLU network.
_base_ = './siren_image.py'

model = dict(net=dict(_delete_=True, type='FourierMLP', width=256, num_layers=3, scale=10.0))
optim_wrapper = dict(optimizer=dict(lr=1e-3))

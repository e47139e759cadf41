# Gaussian Fourier features and a ReLU network on pixels of a video, in tiles
# of several frames.
_base_ = './siren_video.py'

model = dict(net=dict(_delete_=True, type='FourierMLP', width=1024, num_layers=3, scale=10.0))
optim_wrapper = dict(optimizer=dict(lr=1e-3))

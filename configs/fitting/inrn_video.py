# The paper's INRN (Table 1, "Ours"): MLP and convolution interleaved, 13.0
# million parameters at 720 x 1280. Equation 1 with the mean squared error.
_base_ = [
    '../_base_/models/signal_fitter.py',
    '../_base_/datasets/signal.py',
    '../_base_/schedules/fit.py',
    '../_base_/fitting_runtime.py',
]

model = dict(net=dict(type='SingleStageINRN', arch='interleaved'))

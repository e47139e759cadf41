_base_ = './default_runtime.py'

default_hooks = dict(
    logger=dict(interval=8, ignore_last=False), checkpoint=dict(max_keep_ckpts=1, save_best=None)
)
log_processor = dict(window_size=8)

_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)
default_hooks = dict(
    logger=dict(interval=10, ignore_last=False),
    checkpoint=dict(type='AtomicCheckpointHook', max_keep_ckpts=1),
)
custom_hooks = [dict(type='NonFiniteLossHook')]
log_processor = dict(window_size=10)

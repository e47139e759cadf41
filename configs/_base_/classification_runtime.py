_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(imports=['inrn_mm', 'inrn_mm.classification'], allow_failed_imports=False)
default_hooks = dict(
    checkpoint=dict(type='AtomicCheckpointHook', max_keep_ckpts=1, save_best='auto')
)
custom_hooks = [dict(type='NonFiniteLossHook')]

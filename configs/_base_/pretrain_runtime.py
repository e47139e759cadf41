# Without a validation, unless `probe` names a small folder of labelled images
# (a folder for each class): --cfg-options probe=data/labelled.
_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(imports=['inrn_mm', 'mmpretrain'], allow_failed_imports=False)
default_hooks = dict(checkpoint=dict(type='AtomicCheckpointHook', max_keep_ckpts=1))
custom_hooks = [dict(type='NonFiniteLossHook')]
probe = None

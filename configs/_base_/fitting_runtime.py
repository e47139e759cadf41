custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)
default_scope = 'mmengine'
default_hooks = dict(
    param_scheduler=dict(type='BudgetHook'),
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=1)
custom_hooks = [dict(type='NonFiniteLossHook')]
randomness = dict(seed=0)

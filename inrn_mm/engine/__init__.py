"""What the tools add to mmengine's runner."""

from ..utils.user_error import user_errors
from .checkpoints import find_last_checkpoint, load_state, load_weights, make_loading_safe
from .cpu_amp import CPUAmpOptimWrapper
from .devices import CPUDistributedDataParallel
from .fused_optimizers import FusedAdam, FusedAdamW
from .hooks import (
    AtomicCheckpointHook,
    CheckpointFitHook,
    DatasetCheckHook,
    EpochSeedHook,
    NonFiniteLossHook,
    TeacherCheckHook,
    UnlabeledHook,
)

__all__ = [
    'AtomicCheckpointHook',
    'CPUAmpOptimWrapper',
    'CPUDistributedDataParallel',
    'CheckpointFitHook',
    'DatasetCheckHook',
    'EpochSeedHook',
    'FusedAdam',
    'FusedAdamW',
    'NonFiniteLossHook',
    'TeacherCheckHook',
    'UnlabeledHook',
    'find_last_checkpoint',
    'load_state',
    'load_weights',
    'make_loading_safe',
    'user_errors',
]

"""What the tools add to mmengine's runner."""

from .checkpoint import load_state, load_weights, make_loading_safe
from .checkpoint_fit_hook import CheckpointFitHook
from .checkpoint_hook import AtomicCheckpointHook, find_last_checkpoint
from .cpu_amp import CPUAmpOptimWrapper
from .dataset_check import DatasetCheckHook
from .dist import CPUDistributedDataParallel
from .epoch_seed_hook import EpochSeedHook
from .fused_optimizers import FusedAdam, FusedAdamW
from .nonfinite_hook import NonFiniteLossHook
from .teacher_check_hook import TeacherCheckHook
from .user_error import user_errors

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
    'find_last_checkpoint',
    'load_state',
    'load_weights',
    'make_loading_safe',
    'user_errors',
]

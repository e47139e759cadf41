"""Hooks of the runner, one file each."""

from .checkpoint_fit_hook import CheckpointFitHook
from .checkpoint_hook import AtomicCheckpointHook
from .dataset_check_hook import DatasetCheckHook
from .epoch_seed_hook import EpochSeedHook
from .nonfinite_hook import NonFiniteLossHook
from .teacher_check_hook import TeacherCheckHook
from .unlabeled_hook import UnlabeledHook

__all__ = [
    'AtomicCheckpointHook',
    'CheckpointFitHook',
    'DatasetCheckHook',
    'EpochSeedHook',
    'NonFiniteLossHook',
    'TeacherCheckHook',
    'UnlabeledHook',
]

"""mmengine's loops over frame numbers in place of a data set."""

from mmengine.evaluator import Evaluator
from mmengine.logging import print_log
from mmengine.registry import LOOPS
from mmengine.runner import IterBasedTrainLoop, Runner, TestLoop, ValLoop
from torch.utils.data import Dataset

from ..utils.unwrap import unwrap
from .fitter import SignalFitter


class Numbers(Dataset):
    """``dict(inputs=i)`` for i below a number.

    Args:
        length (int): The number.
    """

    metainfo: dict = {}

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict:
        return dict(inputs=index)


@LOOPS.register_module()
class FitTrainLoop(IterBasedTrainLoop):
    """mmengine's loop of iterations over the items of a fitter.

    Args:
        runner (Runner): The runner of a :class:`SignalFitter`.
        dataloader (dict): Some of the keys of mmengine's dataloaders only
            ``batch_size`` is of use.
        max_epochs (int, optional): Passes over all frames (or tiles).
            Defaults to None, see ``max_iters``.
        max_iters (int, optional): Steps, where no epochs are given.
            Defaults to None.
        val_interval (int): Epochs, or steps with ``max_iters``, between
            evaluations; there is one at the end. Defaults to 1000.

    Raises:
        ValueError: If not exactly one of the lengths is given, or it is none.
        MemoryError: If a step cannot fit into the memory.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: dict,
        max_epochs: int | None = None,
        max_iters: int | None = None,
        val_interval: int = 1000,
    ) -> None:
        if (max_epochs is None) == (max_iters is None):
            raise ValueError(
                'FitTrainLoop takes max_epochs or max_iters, one '
                f'of them; got {max_epochs} and {max_iters}.'
            )
        if (max_epochs or max_iters or 0) < 1:
            raise ValueError(f'A fit takes at least one step, not {max_epochs or max_iters}.')
        fitter = fitter_of(runner)
        loader = _loader(dataloader, fitter.num_items, infinite=True)
        fitter.check_memory(loader['batch_size'])
        epoch_length = -(-fitter.num_items // loader['batch_size'])
        if max_epochs is not None:
            max_iters = max_epochs * epoch_length
            val_interval *= epoch_length
        super().__init__(runner, loader, max_iters, val_interval=val_interval)


@LOOPS.register_module()
class FitValLoop(ValLoop):
    """mmengine's loop over all frames.

    Metrics that need larger frames are left out.

    Args:
        runner (Runner): The runner of a :class:`SignalFitter`.
        dataloader (dict): See :class:`FitTrainLoop`.
        evaluator (Evaluator | dict | list): Metrics.
    """

    def __init__(self, runner: Runner, dataloader: dict, evaluator) -> None:
        shape = fitter_of(runner).signal.shape
        super().__init__(runner, _loader(dataloader, shape[0]), evaluator)
        _leave_out(self.evaluator, min(shape[1:3]))


@LOOPS.register_module()
class FitTestLoop(TestLoop):
    """mmengine's loop over all frames for tools/test.py; see :class:`FitValLoop`.

    Args:
        runner (Runner): The runner of a :class:`SignalFitter`.
        dataloader (dict): See :class:`FitTrainLoop`.
        evaluator (Evaluator | dict | list): Metrics.
    """

    def __init__(self, runner: Runner, dataloader: dict, evaluator) -> None:
        shape = fitter_of(runner).signal.shape
        super().__init__(runner, _loader(dataloader, shape[0]), evaluator)
        _leave_out(self.evaluator, min(shape[1:3]))


def fitter_of(runner: Runner) -> SignalFitter:
    """Take the model out of what it is wrapped in, such as DDP.

    Args:
        runner (Runner): The runner of a fitting config.

    Returns:
        SignalFitter: Its model.

    Raises:
        ValueError: If it is another model.
    """
    model = unwrap(runner.model)
    if not isinstance(model, SignalFitter):
        raise ValueError(
            f"The loops for fitting need model.type='SignalFitter', not '{type(model).__name__}'."
        )
    return model


def _leave_out(evaluator: Evaluator, side: int) -> None:
    """Leave out metrics whose window is larger than the frames."""
    small = [m for m in evaluator.metrics if side < getattr(m, 'min_side', 1)]
    for metric in small:
        evaluator.metrics.remove(metric)
        print_log(
            f'{type(metric).__name__} is not measured: it needs {metric.min_side} pixels a side, '
            f'the input has {side}.',
            'current',
        )


def _loader(dataloader: dict, length: int, infinite: bool = False) -> dict:
    """Complete a config's dataloader."""
    kind = 'InfiniteSampler' if infinite else 'DefaultSampler'
    return {
        'batch_size': 1,
        'num_workers': 0,
        **dataloader,
        'dataset': Numbers(length),
        'sampler': dict(type=kind, shuffle=infinite),
        'collate_fn': dict(type='default_collate'),
    }

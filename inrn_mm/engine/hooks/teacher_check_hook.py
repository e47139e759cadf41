"""Stop a distillation whose teacher is no better than random weights."""

import contextlib
import copy
import logging
import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import HOOKS
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.data import Dataset, IterableDataset

from ...utils.unwrap import unwrap

OFF = "custom_hooks=[dict(type='TeacherCheckHook', num_batches=0)]"
DIGESTS = 'teacher_digests'  # in the message hub
DRAWS = 2  # of random weights: the best counts


@HOOKS.register_module()
class TeacherCheckHook(Hook):
    """Compare each teacher with the same network of random weights.

    A checkpoint that does not fit its config, a wrong normalisation or wrong
    classes give a teacher whose features mean nothing, and the distilled
    training goes on without an error. Here the teacher's own loss on a few
    training samples, in eval mode, must be below that of random weights.

    A resumed training must have the teachers that it began with: fingerprints
    of their weights are in its checkpoints.

    The samples are taken from the dataset, not from the dataloader, and the
    random state is put back, so that the training is the one without the
    check. It is left out when a training is resumed, for teachers with no
    checkpoint and for those that cannot compute a loss of these samples or
    have heads of other classes than the student.

    Random weights are not all alike: with three classes and four images their
    losses differ by a fifth and more, so that some untrained teachers pass.

    Args:
        num_batches (int): How many batches of the training set are scored; 0
            switches the check off. Defaults to 2.
        ratio (float): The teacher's loss must be below this share of the
            loss of random weights. Defaults to 0.9.

    Raises:
        ValueError: If it is not, naming the checkpoint and both losses, or a
            resumed training had another teacher.
    """

    priority = 'LOW'

    def __init__(self, num_batches: int = 2, ratio: float = 0.9) -> None:
        self.num_batches = num_batches
        self.ratio = ratio

    def before_train(self, runner) -> None:
        """Check the teachers of a distiller."""
        model = unwrap(runner.model)
        teachers = {
            name: teacher
            for name, teacher in getattr(model, 'teachers', {}).items()
            if teacher.loaded and teacher.checkpoint is not None
        }
        compare_digests(runner.message_hub, teachers)
        dataset = runner.train_dataloader.dataset
        if (
            self.num_batches < 1
            or runner.iter
            or not teachers
            or isinstance(dataset, IterableDataset)
        ):
            return
        with preserved_random_state():
            batches = self._batches(runner.train_dataloader, model)
            for name, teacher in teachers.items():
                self._check(name, teacher, model, batches)

    def _batches(self, loader, model: nn.Module) -> list[dict]:
        """Load batches as in training, but for augmentations of whole batches."""
        dataset = loader.dataset
        # a batch sampler has the size, where there is one
        size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', 1)
        count = min(size * self.num_batches, len(dataset))
        picks = np.linspace(0, len(dataset) - 1, count).astype(int)
        with copied_pipelines(dataset):
            samples = [dataset[int(i)] for i in picks]
        preprocessor = copy.deepcopy(model.data_preprocessor)
        preprocessor.batch_augments = None
        return [
            preprocessor(loader.collate_fn(samples[i : i + size]), True)
            for i in range(0, count, size)
        ]

    def _check(self, name: str, teacher, model: nn.Module, batches: list[dict]) -> None:
        losses = (float('nan'),) * 2
        reason = None
        if not hasattr(teacher.net, 'parse_losses'):
            reason = 'it is a network without a loss'
        elif class_counts(teacher.net) != class_counts(model.student):
            reason = "its heads have other classes than the student's"
        else:
            try:
                losses = self._losses(teacher, batches)
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:  # whatever a foreign network says
                reason = f'it computes no loss of these samples ({type(error).__name__}: {error})'
        # one decision for all ranks
        losses = torch.tensor(losses)
        all_reduce(losses, 'mean')
        own, chance = losses.tolist()
        if chance != chance:
            reason = reason or 'the loss of random weights is no number'
            print_log(
                f"The teacher '{name}' is not compared with random weights: {reason}.", 'current'
            )
            return
        num_samples = sum(len(data['data_samples']) for data in batches)
        what = (
            f'the loss of {teacher.checkpoint} on {num_samples} training '
            f'samples is {own:.4g}, that of the same network with random '
            f'weights {chance:.4g}'
        )
        if not own < self.ratio * chance:
            raise ValueError(
                f"The teacher '{name}' is no better than random: {what}; "
                'give the checkpoint that belongs to the config, the '
                'normalisation and the classes of the teacher, or switch '
                f'this check off by {OFF}.'
            )
        print_log(f"The teacher '{name}' is checked: {what}.", 'current')

    @staticmethod
    def _losses(teacher, batches: list[dict]) -> tuple[float, float]:
        """Compute the loss of the teacher, and the best of random weights."""
        own = score(teacher.net, teacher.convert, batches)
        chance = []
        for draw in range(DRAWS):
            torch.manual_seed(1 + draw)
            chance.append(score(randomized(teacher.net), teacher.convert, batches))
        return own, min(chance)


def compare_digests(hub: MessageHub, teachers: dict) -> None:
    """Keep fingerprints of the teachers in the checkpoints, and compare.

    Args:
        hub (MessageHub): The runner's; a resumed one has those of the run.
        teachers (dict): Name to teacher.

    Raises:
        ValueError: If a resumed training had another teacher.
    """
    digests = {name: teacher.digest for name, teacher in teachers.items()}
    for name, was in (hub.get_info(DIGESTS) or {}).items():
        if digests.get(name, was) != was:
            raise ValueError(
                f"The teacher '{name}' is another than the training began with: "
                f'{teachers[name].checkpoint} has other weights (fingerprint '
                f'{digests[name]}, not {was}). Give the former file, or start anew, '
                'from the weights of this training by load_from and without resume.'
            )
    hub.update_info(DIGESTS, digests)


@torch.no_grad()
def score(net: nn.Module, convert, batches: list[dict]) -> float:
    """Mean loss of a network.

    Args:
        net (nn.Module): A ``BaseModel``.
        convert (callable): From the student's inputs to the teacher's, see
            :meth:`FrozenTeacher.convert`.
        batches (list[dict]): With ``inputs`` and ``data_samples``.
    """
    # both networks sample the same
    torch.manual_seed(0)
    np.random.seed(0)
    total = 0.0
    for data in batches:
        samples = copy.deepcopy(data['data_samples'])
        inputs, samples, _ = convert(data['inputs'], samples)
        loss, _ = net.parse_losses(net(inputs, samples, mode='loss'))
        total += loss.item()
    return total / len(batches)


def randomized(net: nn.Module) -> nn.Module:
    """Copy a network, in eval mode, and initialise its weights anew.

    Its batch norms use the statistics of the batch: those that belong to
    random weights are not known, and without them the activations of deep
    networks explode, which any teacher is better than.
    """
    net = revert_sync_batchnorm(copy.deepcopy(net))
    for module in net.modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
        if getattr(module, 'init_cfg', None):
            module.init_cfg = _not_pretrained(module.init_cfg)
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # a line for each parameter
    try:
        net.init_weights()
    finally:
        logging.disable(level)
    net.eval()
    for module in net.modules():
        if isinstance(module, _NormBase):
            module.train()
    return net


def _not_pretrained(init_cfg):
    """Leave out of an ``init_cfg`` what loads weights."""
    several = isinstance(init_cfg, (list, tuple))
    kept = [cfg for cfg in (init_cfg if several else [init_cfg]) if cfg.get('type') != 'Pretrained']
    return kept or None


def class_counts(net: nn.Module) -> set[int]:
    """List the numbers of classes of a network's heads; an RPN has none."""
    counts = {
        getattr(module, 'num_classes', None)
        for name, module in net.named_modules()
        if 'head' in name and 'rpn' not in name
    }
    return {count for count in counts if isinstance(count, int)}


@contextlib.contextmanager
def preserved_random_state() -> Iterator[None]:
    """Put the random generators back afterwards."""
    state, numpy_state = random.getstate(), np.random.get_state()
    cuda = torch.cuda.is_available()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if cuda else []):
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)


@contextlib.contextmanager
def copied_pipelines(dataset: Dataset | None) -> Iterator[None]:
    """Use copies of the transforms, which may remember images."""
    originals = []
    while dataset is not None:
        if hasattr(dataset, 'pipeline'):
            originals.append((dataset, dataset.pipeline))
            dataset.pipeline = copy.deepcopy(dataset.pipeline)
        dataset = getattr(dataset, 'dataset', None)
    try:
        yield
    finally:
        for owner, pipeline in originals:
            owner.pipeline = pipeline

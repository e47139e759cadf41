"""CIFAR-100 that stays in memory."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.device import get_device
from mmengine.registry import DATASETS, FUNCTIONS, TRANSFORMS, DefaultScope
from mmpretrain.datasets.categories import CIFAR100_CATEGORIES
from mmpretrain.structures import DataSample

from .cifar100_files import load_cifar100


@DATASETS.register_module()
class InMemoryCIFAR100(BaseDataset):
    """CIFAR-100 as one tensor, from which whole batches are taken.

    PyTorch's dataloader asks for a batch at once (``__getitems__``), which is
    one look-up in the tensor, on the GPU where there is one; augmentation and
    normalisation are the data preprocessor's (:class:`BatchPreprocessor`),
    on the batch as well. Needs ``num_workers=0`` (a worker would only copy)
    and ``collate_fn=dict(type='collate_in_memory')``.

    One sample at a time (``dataset[i]``), it goes through ``pipeline`` like a
    sample of mmpretrain's ``CIFAR100``: for inference and tools.

    Args:
        data_root (str): Folder, see :func:`load_cifar100`.
        split (str): ``'train'`` or ``'test'``. Defaults to ``'train'``.
        metainfo (dict, optional): With ``classes`` only the images of these
            classes are kept, labelled in this order. Defaults to None, all
            100 in alphabetical order.
        indices (int | Sequence[int], optional): Only the first so many
            images, or these, out of those of ``classes``.
            Defaults to None, all.
        device (str, optional): Where the images are. Defaults to None, the
            GPU if there is one.
        pipeline (Sequence[dict]): Transforms of a single sample, a dict with
            ``img`` (ndarray of shape (32, 32, 3), RGB) and ``gt_label``.
            Defaults to ``[dict(type='PackInputs')]``.
        test_mode (bool): As in mmengine. Defaults to False.
        lazy_init (bool): Read the files by :meth:`full_init` only.
            Defaults to False.

    Raises:
        FileNotFoundError: If there is no CIFAR-100.
        ValueError: If its files are damaged, or a class, an index or the
            split does not exist.
    """

    METAINFO = dict(classes=CIFAR100_CATEGORIES)

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        device: str | None = None,
        pipeline: Sequence[dict] = (dict(type='PackInputs'),),
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"CIFAR-100 has no split '{split}': choose train or test.")
        self.split = split
        self.device = torch.device(device or get_device())
        # mmengine's Compose would look transforms up in its own registry
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            pipeline = Compose(
                [
                    TRANSFORMS.build(transform) if isinstance(transform, dict) else transform
                    for transform in pipeline
                ]
            )
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            data_prefix={},
            indices=indices,
            serialize_data=False,
            pipeline=pipeline.transforms,
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def full_init(self) -> None:
        """Read the files, once."""
        if self._fully_initialized:
            return
        images, labels = load_cifar100(self.data_root, self.split)
        images, labels = self._choose_classes(images, labels)
        if self._indices is not None:
            chosen = self._choose_indices(len(labels))
            images, labels = images[chosen], labels[chosen]
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(self.device)
        self.labels = torch.from_numpy(labels).to(self.device)
        self._fully_initialized = True

    def _choose_classes(self, images: np.ndarray, labels: np.ndarray) -> tuple:
        classes = self.metainfo['classes']
        known = list(CIFAR100_CATEGORIES)
        unknown = [name for name in classes if name not in known]
        if unknown:
            raise ValueError(
                f"CIFAR-100 has no class '{unknown[0]}': set metainfo.classes "
                f'to some of its {len(known)} classes ({known[0]}, {known[1]}'
                ', ...) or leave it out.'
            )
        new = np.full(len(known), -1)
        new[[known.index(name) for name in classes]] = range(len(classes))
        labels = new[labels]
        kept = labels >= 0
        return images[kept], labels[kept]

    def _choose_indices(self, count: int) -> np.ndarray:
        indices = self._indices
        if isinstance(indices, int):
            indices = (
                range(min(indices, count))
                if indices >= 0
                else range(max(count + indices, 0), count)
            )
        indices = np.asarray(indices, dtype=int)
        if not indices.size or indices.min() < -count or indices.max() >= count:
            raise ValueError(
                f'indices={self._indices} of the {self.split} images leave '
                f'none or are out of range: there are {count}.'
            )
        return indices

    def __len__(self) -> int:
        self.full_init()
        return len(self.labels)

    def get_data_info(self, idx: int) -> dict:
        """Give a sample before the pipeline."""
        self.full_init()
        return dict(
            img=self.images[idx].permute(1, 2, 0).cpu().numpy(),
            gt_label=int(self.labels[idx]),
            sample_idx=idx % len(self),
        )

    def get_cat_ids(self, idx: int) -> list[int]:
        """List the classes of a sample, for samplers that balance them."""
        self.full_init()
        return [int(self.labels[idx])]

    def __getitem__(self, idx: int) -> dict:
        return self.pipeline(self.get_data_info(idx))

    def __getitems__(self, indices: Sequence[int]) -> dict | list[dict]:
        """Give a batch.

        Args:
            indices (Sequence[int]): Indices of N samples.

        Returns:
            dict: ``inputs`` uint8 ``(N, 3, 32, 32)`` and ``data_samples``
            with ``gt_label`` and ``sample_idx``; a list of samples if there
            is more in the pipeline than ``PackInputs``.
        """
        self.full_init()
        if torch.utils.data.get_worker_info() and self.device.type != 'cpu':
            raise ValueError(
                'InMemoryCIFAR100 has its images on the GPU, where workers '
                'cannot read them: set num_workers=0 of the dataloader, or '
                "device='cpu' of the dataset."
            )
        if [type(t).__name__ for t in self.pipeline.transforms] != ['PackInputs']:
            return [self[i] for i in indices]
        picked = torch.as_tensor(indices)
        if self.device.type == 'cuda':
            picked = picked.pin_memory()
        picked = picked.to(self.device, non_blocking=True)
        samples = []
        for index, label in zip(indices, self.labels[picked].split(1)):
            sample = DataSample()
            sample.set_field(label, 'gt_label', dtype=torch.Tensor)
            sample.set_field(index, 'sample_idx', field_type='metainfo')
            samples.append(sample)
        return dict(inputs=self.images[picked], data_samples=samples)


@FUNCTIONS.register_module()
def collate_in_memory(batch: dict | Sequence[dict]) -> dict:
    """Leave a batch of :class:`InMemoryCIFAR100` as it is.

    Args:
        batch (dict | Sequence[dict]): A batch, or samples to make one of.
    """
    if isinstance(batch, dict):
        return batch
    return dict(
        inputs=[sample['inputs'] for sample in batch],
        data_samples=[sample['data_samples'] for sample in batch],
    )

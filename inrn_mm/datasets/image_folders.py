"""Images of any folders, without labels."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from mmengine.utils import track_iter_progress

from .checks.image_files import look_at_all, look_at_header
from .checks.records import Record

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
SHOWN = 3  # files named in a message
LONG = 2000  # images that are worth a progress bar


@DATASETS.register_module()
class ImageFolders(BaseDataset):
    """All images below some folders, whatever else is there.

    Folders are walked through recursively, links and all, and files taken by
    their extensions; those of COCO, VOC or ImageNet do as they are, with
    their annotations unread. Images that are empty, cut off or of no known
    format are left out and told of when the set is read, by their first and
    last bytes; one that does not decode in the end is told of once and
    another image taken in its place.

    Args:
        data_root (str | Sequence[str]): The folders.
        extensions (Sequence[str]): Endings of image files, in lower case.
            Defaults to JPEG, PNG, BMP, WebP, TIFF, PPM and PGM.
        verify (bool): Look at each file when the set is read.
            Defaults to True.
        indices (int | Sequence[int], optional): Only the first so many, or
            these, of the images in the order of their paths.
            Defaults to None, all.
        **kwargs: ``pipeline`` and further arguments of mmengine's
            ``BaseDataset``.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no image.
    """

    def __init__(
        self,
        data_root: str | Sequence[str],
        extensions: Sequence[str] = EXTENSIONS,
        verify: bool = True,
        indices: int | Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        self.folders = [data_root] if isinstance(data_root, str) else list(data_root)
        self.extensions = tuple(extensions)
        self.verify = verify
        self._told: set[str] = set()
        super().__init__(data_root='', data_prefix={}, indices=indices, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images that can be read."""
        paths = [path for folder in self.folders for path in self._walk(folder)]
        found = len(paths)
        if self.verify:
            paths = self._whole(paths)
        if not paths:
            reason = f'none of {found} can be read' if found else f'no {", ".join(self.extensions)}'
            raise ValueError(
                f'There is no image below {", ".join(self.folders)} ({reason}): name a folder of '
                'images by data_root.'
            )
        return [dict(img_path=path) for path in paths]

    def prepare_data(self, idx: int) -> dict | None:
        """Load an image; None, for which another is taken, if it does not decode."""
        data = self.get_data_info(idx)
        for i, transform in enumerate(self.pipeline.transforms):
            try:
                data = transform(data)
            except Exception as error:
                if i or not type(transform).__name__.startswith('LoadImage'):
                    raise
                self._tell(data['img_path'], error)
                return None
            if data is None:
                return None
        return data

    def _walk(self, folder: str) -> list[str]:
        if not os.path.isdir(folder):
            raise FileNotFoundError(
                f'The folder of images {folder} does not exist (looked for '
                f'{os.path.abspath(folder)}): name another one by data_root.'
            )
        return sorted(
            os.path.join(place, name)
            for place, _, names in os.walk(folder, followlinks=True)
            for name in names
            if name.lower().endswith(self.extensions)
        )

    def _whole(self, paths: list[str]) -> list[str]:
        """Leave out the files that cannot be read, and tell of them."""
        nothing: Any = None  # is annotated
        records = [Record(i, p, p, nothing, [], [], [], [], '') for i, p in enumerate(paths)]
        looks = look_at_all(records, look_at_header)
        if len(paths) >= LONG and is_main_process():
            looks = track_iter_progress((looks, len(paths)))
        looks = list(looks)
        broken = [look for look in looks if look.severity]
        if broken:
            kinds = Counter(look.text for look in broken)
            names = ', '.join(look.record.path for look in broken[:SHOWN])
            print_log(
                f'{len(broken)} of {len(paths)} images are left out '
                f'({"; ".join(f"{text}: {n}" for text, n in kinds.items())}): {names}'
                + (', ...' if len(broken) > SHOWN else '.'),
                'current',
                logging.WARNING,
            )
        return [look.record.path for look in looks if not look.severity]

    def _tell(self, path: str, error: Exception) -> None:
        if path in self._told:
            return
        self._told.add(path)
        print_log(
            f'The image {path} does not decode ({type(error).__name__}): another one is taken.',
            'current',
            logging.WARNING,
        )

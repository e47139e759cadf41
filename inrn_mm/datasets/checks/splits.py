"""Pictures that are in more than one split."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence

from .findings import Findings


def digests(paths: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """Hash the files that could be the same; others are told by their size.

    Args:
        paths (Mapping[str, Sequence[str]]): Paths of the files of each split.

    Returns:
        dict[str, dict[str, str]]: Split to path to digest.
    """
    sizes: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for split, files in paths.items():
        for path in dict.fromkeys(files):
            if os.path.isfile(path):
                sizes[os.path.getsize(path)].append((split, path))
    found: dict[str, dict[str, str]] = {split: {} for split in paths}
    known: dict[str, str] = {}  # one file may be in several splits
    for size, places in sizes.items():
        if not size or len(places) < 2:
            continue
        for split, path in places:
            if path not in known:
                with open(path, 'rb') as file:
                    known[path] = hashlib.blake2b(file.read(), digest_size=16).hexdigest()
            found[split][path] = known[path]
    return found


def check_leaks(hashes: Mapping[str, Mapping[str, str]], found: Findings) -> None:
    """Look for the same file, byte for byte, in two splits or twice in one.

    Args:
        hashes (Mapping[str, Mapping[str, str]]): Split to path to digest.
        found (Findings): Added to.
    """
    seen: dict[str, tuple[str, str]] = {}
    for split, files in hashes.items():
        for path, digest in files.items():
            other, first = seen.setdefault(digest, (split, path))
            item = f'{path} and {first}' if path != first else path
            if other != split:
                found.add(
                    'warning',
                    f'pictures of the {split} split are in the {other} split as well: what is '
                    'measured on them was learned',
                    'leave them out of one split',
                    item=item,
                )
            elif path != first:
                text = f'pictures are in the {split} split twice, under two names'
                found.add('note', text, 'leave one out', item=item)

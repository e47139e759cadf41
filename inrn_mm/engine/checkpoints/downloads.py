"""Weights from the network: fetched once, checked, kept apart by URL."""

import hashlib
import re
import socket
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import get_rank, is_distributed

# as torch.hub and OpenMMLab name their files: resnet50-0676ba61.pth
HASH = re.compile(r'-([0-9a-f]{8,64})\.\w+$')


def download(url: str) -> Path:
    """Fetch a URL into torch's hub folder; rank 0 first if distributed.

    Files whose names end in the first digits of their SHA-256 lie where torch
    and mmengine put them too, and are checked; the others are kept in a
    folder of the URL's own, since many servers have a ``model.pth``.

    Args:
        url (str): Address of the file, http or https.

    Returns:
        Path: The file.

    Raises:
        ConnectionError: If it cannot be downloaded.
        RuntimeError: If it is another file than its name says.
    """
    path, digest = _place(url)
    error = None
    if get_rank() == 0:
        error = _try_download(url, path)
    if is_distributed():
        torch.distributed.barrier()
        if get_rank() > 0:  # another node, or rank 0 failed
            error = _try_download(url, path)
    if error is not None:
        raise ConnectionError(
            f'Cannot download {url} ({error}): download it where there is a '
            f'network and put it at {path}, or give the path of a local file.'
        )
    if digest is not None:
        found = _sha256(path)
        if not found.startswith(digest):
            raise RuntimeError(
                f'{path}, from {url}, is damaged or another file: its SHA-256 '
                f'begins with {found[: len(digest)]}, not with the {digest} of its '
                'name. Delete it to download it again or, if you trust it, '
                'copy it and give the path of the copy.'
            )
    return path


def _place(url: str) -> tuple[Path, str | None]:
    """Tell where the file is kept, and the digest in its name."""
    name = Path(urlparse(url).path).name
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    found = HASH.search(name)
    # digits alone may be a date
    if found and not found.group(1).isdigit():
        return folder / name, found.group(1)
    return folder / hashlib.sha256(url.encode()).hexdigest()[:12] / name, None


def _try_download(url: str, path: Path) -> Exception | None:
    if path.is_file():
        return None
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # writes a temporary file and renames it at the end
        torch.hub.download_url_to_file(url, str(path))
    except (URLError, OSError, RuntimeError) as error:
        return error
    finally:
        socket.setdefaulttimeout(timeout)
    return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()

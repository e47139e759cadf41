"""Token sequences of transformers as maps."""

from torch import Tensor


def tokens_to_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Lay the patch tokens of a transformer out as a map.

    Args:
        tokens (Tensor): ``(N, L, C)``, up to sixteen class or register tokens
            in front of the patches.
        size (tuple[int, int]): Height and width of the images in pixels.

    Returns:
        Tensor: ``(N, C, h, w)`` with the images' aspect ratio.

    Raises:
        ValueError: If no such grid has as many patches.
    """
    length = tokens.shape[1]
    for extra in range(min(17, length)):
        patches = length - extra
        height = max(1, round((patches * size[0] / size[1]) ** 0.5))
        width = patches // height
        # the same patch size along both sides, up to padding
        if height * width == patches and abs(size[0] / height - size[1] / width) < 1:
            return tokens[:, extra:].transpose(1, 2).unflatten(2, (height, width))
    raise ValueError(
        f'{length} tokens are no grid of patches of a {size[0]} x {size[1]} '
        'image; name a layer that gives a map.'
    )

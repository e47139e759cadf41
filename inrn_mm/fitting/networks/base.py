"""What every network that holds a signal has in common."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor


class FittingNet(BaseModule):
    """A network whose weights are an image or a video.

    Subclasses set :attr:`kind`:

    - ``'pixel'``: ``forward(coords)`` maps coordinates ``(B, H, W, D)`` in
      [-1, 1] to colours ``(B, C, H, W)``. D is 2 (x, y) for an image and 3
      (x, y, t) for a video. Networks that act on each pixel by itself take
      any H and W; those with convolutions look at the neighbours, see
      :attr:`halo`, and want the training image's spacing.
    - ``'frame'``: ``forward(times)`` maps times ``(B,)`` in [0, 1] to whole
      frames ``(B, C, H, W)`` of the signal's size. One with an encoder sets
      :attr:`needs_target`: while the target is there, it gets the true frames
      of these times as a second argument.

    Colours are in [0, 1] where the fit is perfect, but not clamped.

    Args:
        shape (Sequence[int]): The signal's frames, height, width and
            channels; an image has one frame.

    Raises:
        ValueError: If that is not four positive numbers.
    """

    kind: str = ''
    #: Pixels on each side of an output that a pixel network looks at.
    halo: int = 0
    needs_target: bool = False

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        if len(shape) != 4 or min(shape) < 1:
            raise ValueError(
                'A signal has frames, height, width and channels '
                f'of at least one, got shape={tuple(shape)}.'
            )
        self.shape = tuple(int(n) for n in shape)

    @property
    def num_coordinates(self) -> int:
        """The D of pixel networks: 2 for an image, 3 for a video."""
        return 2 if self.shape[0] == 1 else 3

    def times(self, frames: Tensor) -> Tensor:
        """Map frame numbers to what a network of frames takes.

        Args:
            frames (Tensor): Numbers from 0, whole or between frames.

        Returns:
            Tensor: Times, float32 of the same shape, from 0 to 1.
        """
        return frames.float() / max(self.shape[0] - 1, 1)

    def decoder_state(self) -> dict[str, Tensor]:
        """Collect the tensors that decoding needs: what a compact file holds.

        They load by ``load_state_dict(..., strict=False)``.
        """
        return self.state_dict()

    @property
    def num_parameters(self) -> int:
        """Numbers that decoding needs, the size of comparisons."""
        return sum(value.numel() for value in self.decoder_state().values())

"""The global context block of FGD."""

from torch import Tensor, nn


class GlobalContext(nn.Module):
    """Adds what the whole map says to each of its places.

    The block of `GCNet <https://arxiv.org/abs/1904.11492>`_ as FGD uses it:
    places are pooled with a learned attention, go through a bottleneck of
    half the channels and are added. It starts as the identity.

    Args:
        channels (int): Channels of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 2, 1)
        self.attention = nn.Conv2d(channels, 1, 1)
        self.transform = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.LayerNorm([hidden, 1, 1]),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
        )
        nn.init.kaiming_normal_(self.attention.weight)
        nn.init.zeros_(self.attention.bias)
        nn.init.zeros_(self.transform[-1].weight)
        nn.init.zeros_(self.transform[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        """Add the context.

        Args:
            x (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: The map with its context, in the same shape.
        """
        x = x.to(self.attention.weight.dtype)
        share = self.attention(x).flatten(2).softmax(2)
        context = (x.flatten(2) * share).sum(2)[:, :, None, None]
        return x + self.transform(context)

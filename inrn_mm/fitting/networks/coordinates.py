"""Peers that map each coordinate by itself to a colour."""

import math
from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..precision import full_precision
from .base import FittingNet


class CoordinateNet(FittingNet):
    """Base of them: ``layers`` maps ``(..., D)`` to ``(..., C)``."""

    kind = 'pixel'
    layers: nn.Sequential

    def forward(self, coords: Tensor) -> Tensor:
        """Map ``(B, H, W, D)`` to ``(B, C, H, W)``."""
        # half precision does not tell neighbouring coordinates apart
        with full_precision(coords):
            x = self.layers[0](coords)
        return self.layers[1:](x).permute(0, 3, 1, 2)


class Sine(nn.Module):
    """``sin(omega * linear(x))``, initialised as in SIREN's paper.

    Args:
        in_features (int): Input width.
        out_features (int): Output width.
        omega (float): Frequency of the sine.
        first (bool): Whether it is the first layer, which takes coordinates.
            Defaults to False.
    """

    def __init__(
        self, in_features: int, out_features: int, omega: float, first: bool = False
    ) -> None:
        super().__init__()
        self.omega = omega
        self.linear = nn.Linear(in_features, out_features)
        bound = 1 / in_features if first else math.sqrt(6 / in_features) / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to the last axis."""
        return torch.sin(self.omega * self.linear(x))


class VariableSine(Sine):
    """``sin(omega * (|z| + 1) * z)`` of ``z = linear(x)``: FINER's.

    The first layer's bias is drawn from a wide range, which picks the
    frequencies.

    Args:
        in_features (int): Input width.
        out_features (int): Output width.
        omega (float): Frequency of the sine.
        first (bool): Whether it is the first layer, which takes coordinates.
            Defaults to False.
        first_bias (float): Bound of the first layer's initial bias.
            Defaults to 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        omega: float,
        first: bool = False,
        first_bias: float = 1.0,
    ) -> None:
        super().__init__(in_features, out_features, omega, first)
        if first:
            nn.init.uniform_(self.linear.bias, -first_bias, first_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Apply to the last axis."""
        z = self.linear(x)
        with torch.no_grad():  # as in FINER's code
            scale = z.abs() + 1
        return torch.sin(self.omega * scale * z)


class SineNet(CoordinateNet):
    """Sine layers and a linear one to colours around 0.5.

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        layers (list[Sine]): All but the last layer; the first takes
            coordinates.
    """

    def __init__(self, shape: Sequence[int], layers: list[Sine]) -> None:
        super().__init__(shape)
        width = layers[-1].linear.out_features
        head = nn.Linear(width, self.shape[3])
        bound = math.sqrt(6 / width) / layers[-1].omega
        nn.init.uniform_(head.weight, -bound, bound)
        self.layers = nn.Sequential(*layers, head)

    def forward(self, coords: Tensor) -> Tensor:
        """Map ``(B, H, W, D)`` to ``(B, C, H, W)``."""
        return (super().forward(coords) + 1) / 2


@MODELS.register_module()
class SIREN(SineNet):
    """Periodic activations (Sitzmann et al., NeurIPS 2020, arXiv:2006.09661).

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        width (int): Defaults to 256.
        num_layers (int): Hidden layers after the first. Defaults to 3.
        omega (float): Frequency of all sines. Defaults to 30.
    """

    def __init__(
        self, shape: Sequence[int], width: int = 256, num_layers: int = 3, omega: float = 30.0
    ) -> None:
        inputs = 2 if shape[0] == 1 else 3
        super().__init__(
            shape,
            [
                Sine(width if i else inputs, width, omega, first=i == 0)
                for i in range(num_layers + 1)
            ],
        )


@MODELS.register_module()
class FINER(SineNet):
    """Variable-periodic activations (Liu et al., CVPR 2024).

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        width (int): Defaults to 256.
        num_layers (int): Hidden layers after the first. Defaults to 3.
        omega (float): Frequency of all sines. Defaults to 30.
        first_bias (float): Bound of the first layer's initial bias.
            Defaults to 1.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 256,
        num_layers: int = 3,
        omega: float = 30.0,
        first_bias: float = 1.0,
    ) -> None:
        inputs = 2 if shape[0] == 1 else 3
        super().__init__(
            shape,
            [
                VariableSine(width if i else inputs, width, omega, i == 0, first_bias)
                for i in range(num_layers + 1)
            ],
        )


class FourierFeatures(nn.Module):
    """Sines and cosines of random projections; the matrix is not learned.

    Args:
        in_features (int): D, coordinates of a point.
        number (int): Number of projections.
        scale (float): Standard deviation of the frequencies.
    """

    def __init__(self, in_features: int, number: int, scale: float) -> None:
        super().__init__()
        self.register_buffer('matrix', scale * torch.randn(number, in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., D)`` to ``(..., 2 * number)``."""
        # half of 2 pi: coordinates span two units here, one in the paper
        angles = math.pi * nn.functional.linear(x, self.matrix)
        return torch.cat([angles.sin(), angles.cos()], -1)


@MODELS.register_module()
class FourierMLP(CoordinateNet):
    """Gaussian Fourier features and ReLUs (Tancik et al., NeurIPS 2020).

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        width (int): Defaults to 256.
        num_layers (int): Hidden layers. Defaults to 3.
        num_features (int): Random frequencies. Defaults to 256.
        scale (float): Standard deviation of the frequencies. Defaults to 10.
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int = 256,
        num_layers: int = 3,
        num_features: int = 256,
        scale: float = 10.0,
    ) -> None:
        super().__init__(shape)
        layers: list[nn.Module] = [FourierFeatures(self.num_coordinates, num_features, scale)]
        inputs = 2 * num_features
        for _ in range(num_layers):
            layers += [nn.Linear(inputs, width), nn.ReLU()]
            inputs = width
        layers += [nn.Linear(width, self.shape[3]), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

"""Where the last activation of a stage is, and the norm before it."""

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ..taps import Layer, Tap
from .networks import Network
from .pairing import Unpaired

# what blocks of residual networks call the activation after their sum
_ACTIVATIONS = ('relu', 'act', 'activate')


def name_input(network: Network, stage: Layer) -> Layer:
    """Name the input of a stage's last activation.

    Args:
        network (Network): The network.
        stage (int | str): The stage.

    Returns:
        int | str: The layer, as :meth:`Tap.parse` reads it; the stage itself
        if it does not end in an activation.
    """
    try:
        path, block = _last_block(network, stage)
    except Unpaired:
        return stage
    for name in _ACTIVATIONS:
        if isinstance(getattr(block, name, None), nn.Module):
            # one module may be each of the block's activations
            last = '' if network.runs_once(f'{path}.{name}') else '@-1'
            return f'{path}.{name}:input{last}'
    return stage


def name_margin(network: Network, stage: Layer) -> str:
    """Name the last norm of a stage, which scales what the activation gets.

    Args:
        network (Network): The network.
        stage (int | str): The stage.

    Returns:
        str: Path of the norm.

    Raises:
        Unpaired: If the stage's last block has no norm.
    """
    path, block = _last_block(network, stage)
    norms = [
        name
        for name, child in block.named_children()
        if isinstance(child, (_NormBase, nn.GroupNorm, nn.LayerNorm))
    ]
    if not norms:
        raise Unpaired(
            f'the last block of stage {stage} of the {network.role} {network.name} has no norm '
            'that tells its margin'
        )
    return f'{path}.{norms[-1]}'


def _last_block(network: Network, stage: Layer) -> tuple[str, nn.Module]:
    """Find the path of a stage's last block, and the block."""
    tap = Tap.parse(stage, network.net)
    path = tap.path
    if isinstance(stage, int) and tap.index is not None:  # an item of the backbone's output
        path = f'{path}.stages.{stage}'.lstrip('.')
    try:
        blocks = network.net.get_submodule(path)
    except AttributeError:
        blocks = nn.Module()
    names = [name for name, _ in blocks.named_children()]
    if not names:
        raise Unpaired(f'stage {stage} of the {network.role} {network.name} is no list of blocks')
    return f'{path}.{names[-1]}', blocks.get_submodule(names[-1])

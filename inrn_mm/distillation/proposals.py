"""Running a two-stage teacher on the student's proposals."""
from torch import Tensor, nn

from .taps import Tap

# Fed with the features and the sampled proposals ``(n, 5)``: index of the
# image and corners in pixels of the batch.
PROPOSALS = Tap('roi_head.bbox_roi_extractor', 'input', 1)


def check_two_stage(*nets: nn.Module) -> None:
    """Raise an error unless all networks have one RoI box head.

    Raises:
        ValueError: If one is no two-stage detector, or is a cascade.
    """
    for net in nets:
        modules = dict(net.named_modules())
        extractor = modules.get(PROPOSALS.path)
        if extractor is None or isinstance(extractor, nn.ModuleList):
            raise ValueError(
                'same_proposals compares the RoI heads of two-stage detectors '
                f'with a single box head; {type(net).__name__} has none.')


def forward_proposals(net: nn.Module, inputs: Tensor,
                      proposals: Tensor) -> None:
    """Run backbone, neck and RoI box head, but no RPN.

    Args:
        net (nn.Module): mmdet's two-stage detector.
        inputs (Tensor): Images ``(N, C, H, W)``.
        proposals (Tensor): ``(n, 5)``.
    """
    net.roi_head._bbox_forward(net.extract_feat(inputs), proposals)

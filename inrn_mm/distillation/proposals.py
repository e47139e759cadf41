"""Running a two-stage teacher on the student's proposals."""

from collections.abc import Sequence

from torch import Tensor, nn

from .taps import Tap

# Fed with the features and the sampled proposals ``(n, 5)``: index of the
# image and corners in pixels of the batch; a cascade has one for each stage.
EXTRACTOR = 'roi_head.bbox_roi_extractor'


def proposal_taps(net: nn.Module) -> list[Tap]:
    """List where the sampled proposals of a two-stage detector are seen.

    Args:
        net (nn.Module): The detector.

    Returns:
        list[Tap]: One, or that of each stage of a cascade; none for others.
    """
    extractor = dict(net.named_modules()).get(EXTRACTOR)
    if extractor is None:
        return []
    if isinstance(extractor, nn.ModuleList):
        return [Tap(f'{EXTRACTOR}.{i}', 'input', 1) for i in range(len(extractor))]
    return [Tap(EXTRACTOR, 'input', 1)]


def check_two_stage(*nets: nn.Module) -> None:
    """Raise an error unless all networks have RoI box heads.

    Raises:
        ValueError: If one is no two-stage detector.
    """
    for net in nets:
        if not proposal_taps(net):
            raise ValueError(
                'same_proposals compares the RoI heads of two-stage detectors; '
                f'{type(net).__name__} has none.'
            )


def check_same_boxes(taps: Sequence[Tap], same_proposals: bool) -> None:
    """Raise an error where layers of a RoI head score different boxes.

    Args:
        taps (Sequence[Tap]): Layers of a loss under another network.
        same_proposals (bool): That loss's.

    Raises:
        ValueError: If one is in the RoI head and the proposals are each
            network's own, or it is not in the box head.
    """
    for tap in taps:
        if not tap.path.startswith('roi_head'):
            continue
        if not same_proposals:
            raise ValueError(
                f"The layer '{tap}' scores each network's own proposals, "
                'which are other boxes: set same_proposals=True.'
            )
        if not tap.path.startswith('roi_head.bbox_'):
            raise ValueError(
                f"The layer '{tap}' does not run on the student's proposals: "
                'same_proposals=True is for the box head, '
                "'roi_head.bbox_head'."
            )


def forward_proposals(
    net: nn.Module, inputs: Tensor, proposals: Sequence[Tensor], taps: Sequence[Tap]
) -> None:
    """Run backbone, neck and RoI box head, the RPN only if tapped.

    Args:
        net (nn.Module): mmdet's two-stage detector.
        inputs (Tensor): Images ``(N, C, H, W)``.
        proposals (Sequence[Tensor]): ``(n, 5)``, of each stage of the
            student; a cascade's stages score those of the same stage.
        taps (Sequence[Tap]): What is recorded.
    """
    features = net.extract_feat(inputs)
    if any(tap.path.startswith('rpn_head') for tap in taps):
        net.rpn_head(features)
    stages = len(proposal_taps(net))
    cascade = isinstance(net.roi_head.bbox_head, nn.ModuleList)
    for i, rois in enumerate(proposals[:stages]):
        net.roi_head._bbox_forward(*([i] if cascade else []), features, rois)

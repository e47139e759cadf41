"""ReviewKD: stages of the student review those of the teacher."""

from .networks import Network
from .pairing import pair_embeddings, pair_levels, pair_stages
from .preactivations import name_input
from .registry import METHODS


@METHODS.register_module(name='review')
def choose_review(student: Network, teacher: Network) -> dict:
    """Compare all levels of the necks; of classifiers all stages and what is pooled.

    Widths and weights are those of `the paper
    <https://arxiv.org/abs/2104.09044>`_, on CIFAR-100 those of ResNet-32x4 and
    8x4. Its code compares with the teacher before the activations; on
    ImageNet these run in place there, so that its figures are of what comes
    after.
    """
    if student.task != 'classification':
        pairs = pair_levels(student, teacher)
        settings = dict(mid_channels=256, norm_cfg=dict(type='SyncBN'), weight=1.0)
        return dict(distill_losses=[dict(type='ReviewLoss', pairs=pairs, **settings)])
    pairs = pair_stages(student, teacher)
    settings = dict(mid_channels=512, weight=1.0)
    if student.is_small:
        pairs = [(own, name_input(teacher, other)) for own, other in pairs]
        settings = dict(schedule=dict(warmup=20, by_epoch=True), weight=5.0)
    pairs += pair_embeddings(student, teacher)
    return dict(distill_losses=[dict(type='ReviewLoss', pairs=pairs, **settings)])

"""CRD: contrast between the embeddings of samples."""

from .networks import Network
from .pairing import pair_embeddings
from .registry import METHODS


@METHODS.register_module(name='crd')
def choose_crd(student: Network, teacher: Network) -> dict:
    """Contrast pooled features, with the settings of `the paper
    <https://arxiv.org/abs/1910.10699>`_."""
    loss = dict(
        type='ContrastiveLoss',
        pairs=pair_embeddings(student, teacher),
        num_negatives=16384,
        temperature=0.07,
        weight=0.8,
    )
    return dict(distill_losses=[loss])

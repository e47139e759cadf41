"""Pictures of what a network sees: features of student and teacher."""

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModel
from mmengine.visualization import Visualizer
from torch import Tensor

from ..datasets.checks.usage import leaf_configs
from ..distillation.distiller import KnowledgeDistiller
from ..distillation.probe import probe
from ..distillation.recorder import Recorder
from ..distillation.taps import Tap
from ..utils.config_types import init_scope

Feature = tuple[str, Tensor]


def load_batch(cfg: Config, image: str, model: BaseModel) -> tuple[dict, np.ndarray]:
    """Prepare an image as the config's test pipeline does.

    Args:
        cfg (Config): With a ``test_dataloader``; without one, as of a
            pretraining, the image is taken as it is.
        image (str): Image file.
        model (BaseModel): With its data preprocessor.

    Returns:
        tuple[dict, ndarray]: The batch of one, and the picture that the
        network sees, RGB ``(H, W, 3)`` with its padding in black.
    """
    init_scope(cfg)
    if cfg.get('test_dataloader'):
        _, dataset = next(leaf_configs(cfg.test_dataloader.dataset, ''))
        steps = [step for step in dataset['pipeline'] if 'LoadAnnotations' not in str(step['type'])]
    else:
        steps = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    data = Compose(steps)(dict(img_path=image, img_id=0))
    batch = model.data_preprocessor(pseudo_collate([data]))
    pixels = data['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    picture = np.zeros((*batch['inputs'].shape[2:], 3), np.uint8)
    picture[: pixels.shape[0], : pixels.shape[1]] = pixels
    return batch, picture


@torch.no_grad()
def paired_features(model: BaseModel, batch: dict) -> list[list[Feature]]:
    """Record maps of a network, each beside its teacher's.

    Args:
        model (BaseModel): A distiller, whose pairs are shown, or any model
            with a backbone, whose stages are shown alone.
        batch (dict): What :func:`load_batch` returned.

    Returns:
        list[list[tuple[str, Tensor]]]: For each pair the name and the map
        ``(C, H, W)`` of student and teacher, which is the student where it
        teaches itself; of a layer that runs several times, those of the first
        call unless the pair names one. Features that are no maps are left
        out.
    """
    model.eval()
    inputs, samples = batch['inputs'], batch.get('data_samples')
    if not isinstance(model, KnowledgeDistiller):
        maps = model.backbone(inputs)
        return [[(f'backbone[{i}]', value[0])] for i, value in enumerate(maps)]
    pairs = list(
        dict.fromkeys((bound.teacher, *pair) for bound in model.bound for pair in bound.taps)
    )

    def taught(name: str) -> list[Tap]:
        return [t for teacher, _, t in pairs if teacher == name]

    own = [s for _, s, _ in pairs] + taught('self')
    features = dict(self=record(model.student, own, inputs, samples))
    for name, teacher in model.teachers.items():
        if taught(name):
            teacher.load(like=next(model.parameters()))
            features[name] = teacher(inputs, samples, taught(name))
    rows = [
        [
            (f'student {s}', features['self'][s][0]),
            (f'{"student" if name == "self" else name} {t}', features[name][t][0]),
        ]
        for name, s, t in pairs
    ]
    return [
        [(name, value[0]) for name, value in row]
        for row in rows
        if all(value.ndim == 4 for _, value in row)
    ]


def record(net: BaseModel, taps: list[Tap], inputs: Tensor, samples) -> dict:
    """Record one forward, which ends where the last feature is made.

    Args:
        net (BaseModel): The network.
        taps (list[Tap]): What to record.
        inputs (Tensor): Images ``(N, C, H, W)``, preprocessed.
        samples (list, optional): Their data samples.

    Returns:
        dict[Tap, list[Tensor]]: The features.
    """
    seen = probe(net, taps, inputs, samples)
    with Recorder(net, taps, seen.num_calls, seen.clone) as recorder:
        net(inputs, samples, mode='tensor')
    return recorder.features


def draw_features(
    rows: list[list[Feature]], picture: np.ndarray, out: str, pca: bool = False
) -> None:
    """Draw heat maps (norm over the channels) over the picture, in a grid.

    Args:
        rows (list[list[tuple[str, Tensor]]]): Name and map
            ``(C, H, W)`` of each cell.
        picture (ndarray): RGB ``(H, W, 3)``.
        out (str): Picture file to write.
        pca (bool): Draw the first three principal components as colours in
            place of the norm. Defaults to False.

    Raises:
        ValueError: If there is nothing to draw.
    """
    if not rows:
        raise ValueError('None of the features is a map: there is nothing to draw.')
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    columns = max(map(len, rows))
    height = 3.2 * picture.shape[0] / picture.shape[1] + 0.35
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(3.2 * columns, height * len(rows)), squeeze=False
    )
    for cells, row in zip(axes, rows):
        colours = pca_colours([value for _, value in row]) if pca else [None] * len(row)
        for axis, (name, value), colour in zip(cells, row, colours):
            axis.imshow(_heat_map(value, picture) if colour is None else colour)
            axis.set_title(f'{name}  {"x".join(map(str, value.shape))}', fontsize=8)
        for axis in cells:
            axis.axis('off')
    figure.tight_layout()
    figure.savefig(out, dpi=120)
    plt.close(figure)


def _heat_map(value: Tensor, picture: np.ndarray) -> np.ndarray:
    norm = value.float().norm(dim=0)[None, None]
    norm = F.interpolate(norm, picture.shape[:2], mode='bilinear')
    return Visualizer.draw_featmap(norm[0], picture, alpha=0.4)


def pca_colours(maps: list[Tensor]) -> list[np.ndarray]:
    """Make colours of the first three principal components of each map.

    The sign of a component means nothing: those of later maps are turned to go
    with the first one's.

    Args:
        maps (list[Tensor]): ``(C, h, w)`` each.

    Returns:
        list[ndarray]: ``(h, w, 3)`` each, 0 to 1, from the 2nd to the 98th
        percentile of a component.
    """
    pictures: list[Tensor] = []
    for value in maps:
        rows = value.detach().float().cpu().flatten(1).t()
        left, scale, _ = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
        parts = F.pad(left * scale, (0, 3))[:, :3].t().unflatten(1, value.shape[1:])
        if pictures:
            first = F.interpolate(pictures[0][None], parts.shape[1:], mode='area')[0]
            signs = torch.where((first * parts).sum((1, 2)) < 0, -1.0, 1.0)
            parts = parts * signs[:, None, None]
        pictures.append(parts)
    colours = []
    for parts in pictures:
        low, high = (torch.quantile(parts.flatten(1), q, 1)[:, None, None] for q in (0.02, 0.98))
        scaled = (parts - low) / (high - low).clamp(min=1e-12)
        colours.append(scaled.clamp(0, 1).permute(1, 2, 0).numpy())
    return colours

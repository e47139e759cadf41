"""Small networks and data for the tests of distillation."""

import torch
from mmengine.model import BaseModel, ImgDataPreprocessor
from mmengine.registry import DATASETS, MODELS
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

import inrn_mm  # noqa: F401, registers the distiller

MEAN, STD = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]


class ToyBackbone(nn.Module):
    """Three stages of strides 2, 4, 8, with norm, dropout and drop path."""

    def __init__(self, widths, dropout=0.0):
        super().__init__()
        from mmcv.cnn.bricks import DropPath

        self.out_indices = (0, 1, 2)
        widths = [3, *widths]
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(widths[i], widths[i + 1], 3, 2, 1),
                nn.BatchNorm2d(widths[i + 1]),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
                DropPath(dropout),
            )
            for i in range(3)
        )

    def forward(self, x):
        outs = []
        for stage in self.stages:
            x = stage(x)
            outs.append(x)
        return tuple(outs)


@MODELS.register_module()
class ToyModel(BaseModel):
    """A classifier that follows the mm conventions."""

    def __init__(
        self,
        widths=(4, 6, 8),
        dropout=0.0,
        mean=MEAN,
        std=STD,
        bgr_to_rgb=False,
        data_preprocessor=None,
    ):
        super().__init__(
            data_preprocessor
            or ImgDataPreprocessor(mean=mean, std=std, bgr_to_rgb=bgr_to_rgb, pad_size_divisor=16)
        )
        self.backbone = ToyBackbone(widths, dropout)
        self.neck = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1], 3)
        self.scale = nn.Parameter(torch.ones(()))  # directly on the model

    def init_weights(self):
        super().init_weights()
        for m in self.backbone.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        x = self.neck(self.backbone(inputs)[-1]).flatten(1)
        x = self.fc(x) * self.scale
        if mode == 'loss':
            labels = torch.tensor([s.label for s in data_samples], device=x.device)
            return dict(loss_cls=nn.functional.cross_entropy(x, labels))
        if mode == 'predict':
            for sample, scores in zip(data_samples, x):
                sample.scores = scores
            return data_samples
        return x


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Images whose brightness is their class."""

    metainfo = {}

    def __len__(self):
        return 8

    def __getitem__(self, i):
        generator = torch.Generator().manual_seed(i)
        image = torch.rand(3, 32, 32, generator=generator) * 80 + i % 3 * 80
        sample = BaseDataElement(metainfo=dict(img_shape=(32, 32)), label=i % 3)
        return dict(inputs=image, data_samples=sample)


def toy_config(losses=None, teacher=None, **kwargs):
    """Config of a distilled toy, under a teacher twice as wide."""
    if losses is None:
        losses = [dict(type='StageMSELoss', pairs=[(0, 0), (1, 1), (2, 2)])]
    return dict(
        type='KnowledgeDistiller',
        student=dict(type='ToyModel'),
        teacher=dict(type='ToyModel', widths=(8, 12, 16), **(teacher or {})),
        allow_random_teacher=True,
        distill_losses=losses,
        **kwargs,
    )


def toy_batch(model, size=4):
    """A preprocessed batch of the toy data."""
    data = [ToyDataset()[i] for i in range(size)]
    batch = dict(inputs=[d['inputs'] for d in data], data_samples=[d['data_samples'] for d in data])
    return model.data_preprocessor(batch, True)


__all__ = ['ToyDataset', 'ToyModel', 'toy_batch', 'toy_config']

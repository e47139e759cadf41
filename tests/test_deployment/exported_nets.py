"""Small networks with predictions worth comparing, and an image."""

import numpy as np
import torch
from mmengine.registry import MODELS, DefaultScope

from inrn_mm.deployment.pixels import PixelInput
from tools.studies.method_trials import NETWORKS
from tools.studies.mmdet_trials import shrink
from tools.studies.spread_weights import spread_weights

SIZE, SHAPE = (96, 128), (90, 120)
CONFIGS = dict(NETWORKS, **{'INRN-M': 'inrn_mm::inrn/mask-rcnn_inrn-m_coco.py'})


def picture(size=SHAPE):
    """A smooth image with edges, of which no two places are the same."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    image = np.stack([rows * 2, columns * 2, (rows // 16 + columns // 24) % 2 * 200], -1)
    noise = np.random.RandomState(0).randint(-40, 40, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def canvas():
    """The picture in the upper left of the input."""
    out = np.zeros((*SIZE, 3), np.uint8)
    out[: SHAPE[0], : SHAPE[1]] = picture()
    return out


def small_net(name):
    """A network, shrunk, whose scores and boxes are spread."""
    from mmdet.structures import DetDataSample

    from inrn_mm.distillation.configs import model_config

    cfg = model_config(CONFIGS[name])
    shrink(cfg)
    torch.manual_seed(0)
    scope = 'mmdet' if cfg.get('_scope_', 'mmdet') == 'mmdet' else 'mmpretrain'
    with DefaultScope.overwrite_default_scope(scope):
        net = MODELS.build(cfg).eval()
    images = PixelInput(net.data_preprocessor)(
        torch.from_numpy(canvas())[None], torch.tensor(SHAPE)
    )
    meta = dict(img_shape=SHAPE, ori_shape=SHAPE, scale_factor=(1.0, 1.0))
    sample = DetDataSample(metainfo=dict(meta, batch_input_shape=SIZE, pad_shape=SIZE))
    spread_weights(net, images, [sample] if scope == 'mmdet' else None)
    return net

"""What ``mmcv._ext`` holds where this package stands in for it."""

from functools import partial
from typing import NoReturn

import torch
import torchvision

from .carafe import carafe_backward, carafe_forward, carafe_naive_backward, carafe_naive_forward
from .deform_attention import ms_deform_attn_backward, ms_deform_attn_forward
from .deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .deform_roi_pool import deform_roi_pool_backward, deform_roi_pool_forward
from .focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from .line_nms import line_nms_forward
from .masked_conv import masked_col2im_forward, masked_im2col_forward
from .nms import nms, nms_match, softnms
from .overlaps import bbox_overlaps
from .psa_mask import psamask_backward, psamask_forward
from .roi_align import roi_align_backward, roi_align_forward
from .roi_pool import roi_pool_backward, roi_pool_forward
from .sync_bn import (
    sync_bn_backward_data,
    sync_bn_backward_param,
    sync_bn_forward_mean,
    sync_bn_forward_output,
    sync_bn_forward_var,
)

__all__ = [
    'STANDS_IN',
    'bbox_overlaps',
    'carafe_backward',
    'carafe_forward',
    'carafe_naive_backward',
    'carafe_naive_forward',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'deform_roi_pool_backward',
    'deform_roi_pool_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'line_nms_forward',
    'masked_col2im_forward',
    'masked_im2col_forward',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'psamask_backward',
    'psamask_forward',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
    'sync_bn_backward_data',
    'sync_bn_backward_param',
    'sync_bn_forward_mean',
    'sync_bn_forward_output',
    'sync_bn_forward_var',
]

# What tells this module from the compiled one.
STANDS_IN = True


def get_compiler_version() -> str:
    """Name what the operators are from, in place of a compiler."""
    return f'none (torchvision {torchvision.__version__})'


def get_compiling_cuda_version() -> str:
    """Name the CUDA version of torch, whose operators run."""
    return torch.version.cuda or 'not available'


def _refuse(name: str, *args, **kwargs) -> NoReturn:
    raise NotImplementedError(
        f"mmcv's operator '{name}' is not among those that inrn_mm.ops has on torchvision: it "
        'needs an mmcv with compiled operators, `MMCV_WITH_OPS=1 pip install '
        '--no-build-isolation --no-binary onedl-mmcv onedl-mmcv`, built for this torch '
        f'({torch.__version__}).'
    )


def __getattr__(name: str) -> partial:
    # mmcv asks for the names of all its operators when it is imported
    if name.startswith('__'):
        raise AttributeError(name)
    return partial(_refuse, name)

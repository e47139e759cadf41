"""One config for each folder of MMDetection's configs."""

from pathlib import Path

from mmengine.utils import get_installed_path

# Parts of the names of small models: one of these is taken if there is one.
SMALL = ('r50', 'r18', '-t-', '-t_', 'tiny', '400MF', 'w18', 's50')
# Where the first of those does not show what the folder is about.
CONFIGS = {
    'centernet': 'centernet_r18-dcnv2_8xb16-crop512-140e_coco',  # the paper's
    'dcn': 'faster-rcnn_r50_fpn_dpool_1x_coco',  # deformable RoI pooling
    'fcos': 'fcos_r50-dcn-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco',
    'foveabox': 'fovea_r50_fpn_gn-head-align_4xb4-2x_coco',  # deformable convolutions
    'fpg': 'faster-rcnn_r50_fpg_crop640-50e_coco',
    'guided_anchoring': 'ga-faster-rcnn_r50-caffe_fpn_1x_coco',  # masked convolutions
    'htc': 'htc_r50_fpn_1x_coco',  # semantic maps
    'nas_fpn': 'retinanet_r50_nasfpn_crop640-50e_coco',
    'solov2': 'solov2-light_r50-dcn_fpn_ms-3x_coco',
    'tood': 'tood_r101-dconv-c3-c5_fpn_ms-2x_coco',
    'vfnet': 'vfnet_r50-mdconv-c3-c5_fpn_ms-2x_coco',
}


def find_root() -> Path:
    """Find the folder of MMDetection's configs."""
    return Path(get_installed_path('mmdet')) / '.mim' / 'configs'


def find_folders() -> dict[str, Path]:
    """Find the folders of MMDetection's configs that have models.

    Returns:
        dict[str, Path]: The config of each, by the folder's name.
    """
    found = {}
    for folder in sorted(find_root().iterdir()):
        if folder.name in ('_base_', 'common'):  # parts of configs
            continue
        files = sorted(folder.glob('*.py'))
        files.sort(key=lambda file: not any(part in file.name for part in SMALL))
        chosen = folder / f'{CONFIGS.get(folder.name)}.py'
        if files:  # releases differ in their configs
            found[folder.name] = chosen if chosen in files else files[0]
    return found

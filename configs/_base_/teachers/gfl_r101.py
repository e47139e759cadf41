# The zoo's GFL R101-FPN, 2x multi-scale: 44.7 box AP.
teacher = 'mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py'
teacher_checkpoint = 'https://download.openmmlab.com/mmdetection/v2.0/gfl/gfl_r101_fpn_mstrain_2x_coco/gfl_r101_fpn_mstrain_2x_coco_20200629_200126-dd12f847.pth'

# The zoo's Mask R-CNN R101-FPN, caffe style, 3x multi-scale: 42.9 box AP,
# 38.5 mask AP.
teacher = 'inrn_mm::inrn/mask-rcnn_r101_coco.py'
teacher_checkpoint = 'https://download.openmmlab.com/mmdetection/v2.0/mask_rcnn/mask_rcnn_r101_caffe_fpn_mstrain-poly_3x_coco/mask_rcnn_r101_caffe_fpn_mstrain-poly_3x_coco_20210526_132339-3c33ce02.pth'

# The zoo's Faster R-CNN R101-FPN, caffe style, 3x multi-scale: 42.0 box AP.
teacher = 'inrn_mm::inrn/faster-rcnn_r101_coco.py'
teacher_checkpoint = 'https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/faster_rcnn_r101_caffe_fpn_mstrain_3x_coco/faster_rcnn_r101_caffe_fpn_mstrain_3x_coco_20210526_095742-a7ae426d.pth'

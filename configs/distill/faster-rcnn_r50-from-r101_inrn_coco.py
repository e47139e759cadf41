# Eq. 3 of the paper; here for the comparison under this folder's names.
_base_ = '../inrn/faster-rcnn_r50_kd_coco.py'

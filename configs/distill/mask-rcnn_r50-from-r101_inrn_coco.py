# Eq. 3 of the paper; here for the comparison under this folder's names.
_base_ = '../inrn/mask-rcnn_r50_kd_coco.py'

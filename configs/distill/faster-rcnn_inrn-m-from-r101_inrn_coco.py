# Eq. 3 of the paper; here for the comparison under this folder's names.
_base_ = '../inrn/faster-rcnn_inrn-m_kd_coco.py'

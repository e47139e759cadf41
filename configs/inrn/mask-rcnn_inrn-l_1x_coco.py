_base_ = './mask-rcnn_inrn-l_coco.py'

train_cfg = dict(max_epochs=12, val_interval=1)
_base_.param_scheduler[1].update(end=12, milestones=[8, 11])

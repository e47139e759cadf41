_base_ = './mask-rcnn_inrn-l_coco.py'

train_cfg = dict(max_epochs=24, val_interval=2)
_base_.param_scheduler[1].update(end=24, milestones=[16, 22])

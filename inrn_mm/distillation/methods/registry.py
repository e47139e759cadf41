"""The methods that a distillation may be asked for by name."""

from mmengine.registry import Registry

METHODS = Registry('distillation method', locations=['inrn_mm.distillation.methods'])

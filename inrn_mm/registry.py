"""The package's scope in the mm registries and in config inheritance.

Everything in ``inrn_mm`` is registered once, in mmengine's root registries,
where the child registries of every mm package find it by its bare name
(``type='INRN'``). The empty child registries below only make the scoped form
(``type='inrn_mm.INRN'``) importable from any config without
``custom_imports``.
"""

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import Registry

# ``_base_ = 'inrn_mm::inrn/...py'`` works only for packages in this table,
# which mmengine hard-codes (open-mmlab/mmengine#1410), so only after this
# import: a config's own custom_imports come after its bases. A package's
# folder is looked up by the name given here; mmengine 0.10.7 mistakes
# site-packages for that of a package installed in editable mode, but not of a
# module.
MODULE2PACKAGE.setdefault('inrn_mm', 'inrn_mm.registry')
# 'mmseg::...' is looked up as mmsegmentation, which the fork is not called; the
# module's own name finds both
MODULE2PACKAGE['mmseg'] = 'mmseg'

MODELS = Registry('model', parent=ROOT_MODELS, scope='inrn_mm', locations=['inrn_mm'])
DATASETS = Registry('dataset', parent=ROOT_DATASETS, scope='inrn_mm', locations=['inrn_mm'])
HOOKS = Registry('hook', parent=ROOT_HOOKS, scope='inrn_mm', locations=['inrn_mm'])
METRICS = Registry('metric', parent=ROOT_METRICS, scope='inrn_mm', locations=['inrn_mm'])

"""Auto: a method of features and one of logits that fit both networks."""

import logging

from mmengine.logging import print_log

from .networks import Network
from .pairing import Unpaired
from .registry import METHODS

# in the order of preference; PKD minds neither scale nor classes
FEATURES = ('pkd', 'inrn')
LOGITS = ('ld', 'kd')


@METHODS.register_module(name='auto')
def choose_auto(student: Network, teacher: Network) -> dict:
    """Take the first method of features and the first of logits that fit.

    The log says which.
    """
    chosen: dict = dict(distill_losses=[])
    taken, reasons = [], []
    for kind in (FEATURES, LOGITS):
        for name in kind:
            try:
                found = METHODS.get(name)(student, teacher)
            except Unpaired as error:
                reasons.append(f'{name}: {error}')
                continue
            taken.append(name)
            chosen['distill_losses'] += found.pop('distill_losses')
            chosen.update(found)
            break
    if not taken:
        raise Unpaired('; '.join(reasons))
    left = f' ({"; ".join(reasons)})' if len(taken) < 2 else ''
    print_log(f"The method 'auto' is {' and '.join(taken)} here{left}.", 'current', logging.INFO)
    return chosen

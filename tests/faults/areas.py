"""All areas that faults are injected into."""

from . import checkpoint_faults, input_faults, saving_faults
from .injection import Area

# area to what injects it, how many faults in a quick test, and how many in all
AREAS: dict[str, tuple[Area, int, int]] = {
    'reading a checkpoint': (checkpoint_faults.reading, 120, 1500),
    'a hostile checkpoint': (checkpoint_faults.hostile, 28, 140),
    'the system while reading': (checkpoint_faults.system, 6, 60),
    'resuming': (checkpoint_faults.resuming, 40, 400),
    'saving': (saving_faults.disks, 12, 100),
    'saving, killed': (saving_faults.kills, 6, 60),
    'configs': (input_faults.configs, 60, 800),
    'compact files': (input_faults.compact, 60, 800),
}

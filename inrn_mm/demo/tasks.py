"""What the demo can show; read by ``tools/demo.py`` on a bare Python, too."""

# Task to its module, which has a function `run`.
TASKS = {
    'detection': 'inrn_mm.demo.detection',
    'classification': 'inrn_mm.demo.classification',
    'fitting': 'inrn_mm.demo.fitting',
}
# Tasks that know instance masks.
WITH_MASKS = ('detection',)

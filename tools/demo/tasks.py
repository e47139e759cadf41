"""What the demo can show; read by ``tools/demo.py`` on a bare Python, too."""

# Task to its module, which has a function `run`.
TASKS = {
    'detection': 'tools.demo.detection',
    'classification': 'tools.demo.classification',
    'fitting': 'tools.demo.fitting',
    'pretraining': 'tools.demo.pretraining',
}
# Tasks that know instance masks.
WITH_MASKS = ('detection',)

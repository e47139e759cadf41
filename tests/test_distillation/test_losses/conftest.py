import sys
from pathlib import Path

# ``from loss_checks import ...``, whatever pytest's import mode
sys.path.insert(0, str(Path(__file__).parent))

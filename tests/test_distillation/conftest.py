import sys
from pathlib import Path

# ``from toys import ...``, whatever pytest's import mode
sys.path.insert(0, str(Path(__file__).parent))

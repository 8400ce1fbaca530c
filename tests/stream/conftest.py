"""The log's contract and the programs its tests start lie beside the tests, for every implementation to use."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

"""The environment of a program that is measured: its modules are compiled.

Whether this machine writes bytecode is not what is measured: a program that has just compiled its
modules was slow, and has memory left over from it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

COMPILED = os.environ | {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "cosi-bytecode"))}
COMPILED.pop("PYTHONDONTWRITEBYTECODE", None)

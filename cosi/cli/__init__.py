"""Where the `cosi` program begins; what it is, is in ``program.py``, loaded when it runs."""

from __future__ import annotations

import gc

from cosi._engine.gc_tuning import THRESHOLDS


def main() -> None:
    """Run the program; exit 0, 1 (it failed, in one line) or 2 (usage)."""
    # Modules are no garbage: to look through them each 700 objects is a quarter of the start.
    gc.set_threshold(*THRESHOLDS)
    from cosi.cli.program import program

    program.main(prog_name="cosi")

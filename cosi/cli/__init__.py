"""Where the `cosi` program begins; what it is, is in ``program.py``, loaded when it runs."""

from __future__ import annotations

import gc
import sys

from cosi._aio.gc_tuning import THRESHOLDS
from cosi.cli.early_signals import early_signals
from cosi.cli.standard_files import cannot_be_written, open_closed_ones


def main() -> None:
    """Run the program; exit 0, 1 (it failed, in one line) or 2 (usage)."""
    open_closed_ones()
    if sys.argv[1:2] == ["run"]:
        early_signals.begin()  # what follows takes half a second
    # Modules are no garbage: to look through them each 700 objects is a quarter of the start.
    gc.set_threshold(*THRESHOLDS)
    from cosi.cli.program import program

    try:
        program.main(prog_name="cosi")
    except OSError as error:
        if not cannot_be_written(error):
            raise
        sys.exit(f"cosi: the output cannot be written: {error.strerror}")

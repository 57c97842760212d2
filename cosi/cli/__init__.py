"""The `cosi` program. Importing this package costs nothing; the program is in ``program.py``."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the program; exit 0, 1 (it failed, in one line) or 2 (usage)."""
    # Modules are no garbage: to look through them each 700 objects is a quarter of the start.
    gc.set_threshold(50_000, 20, 100)
    from cosi.cli.program import program

    program.main(prog_name="cosi")

"""An application for `cosi run` that talks more than anybody reads, and says when it is done."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

from cosi import Controller, Input, State
from cosi.cli.application import Application
from tests.cosi.cli.things import Lamp

LINES = 6_000
LINE = "x" * 999


class Talker(Controller):
    """Talks at the start, and each time a lamp changes."""

    lamps = Input(Lamp)

    def __init__(self, done: Path) -> None:
        self.done = done

    async def reconcile(self) -> None:
        for _ in range(LINES):
            print(LINE)
            logging.getLogger("talker").info(LINE)
        print(LINE, file=sys.stderr, flush=True)
        warnings.warn(LINE, stacklevel=1)
        if self.done.is_fifo():
            file = os.open(self.done, os.O_RDWR)  # it waits for nobody
            os.write(file, b"done\n")
            os.close(file)


def application(*, done: Annotated[Path, "A FIFO."] = Path("/nowhere")) -> Application:
    return Application([Talker(done)], report=_report)


async def _report(state: State) -> str:
    return "the report"

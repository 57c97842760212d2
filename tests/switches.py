"""The variables of the environment that are this tree's, and what of them the suite goes by.

A switch of the suite counts only if it is ``1``: whatever else may be in a login shell turns
nothing on. What the program itself reads is not for its tests, each of which sets what it is about.
"""

import os
from typing import Final

OF_THE_PROGRAM: Final = ("COSI_SOCKET", "_COSI_COMPLETE", "_COSI_HANDOVER")


def on(name: str) -> bool:
    """Whether the switch ``name`` is on."""
    return os.environ.get(name) == "1"


def forget_those_of_the_program() -> None:
    """For this process, and for those that it starts."""
    for name in OF_THE_PROGRAM:
        os.environ.pop(name, None)

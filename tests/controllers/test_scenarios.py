"""Whole lives of services, told and compared; see scenario.py for how they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cosi.testing.plugin import virtual_time as anyio_backend
from tests.controllers.scenario import play

__all__ = ["anyio_backend"]

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
async def test_scenario(path: Path) -> None:
    told = path.read_text()
    happened = await play(told)
    if os.environ.get("COSI_REWRITE_SCENARIOS"):
        path.write_text(happened)
    else:
        assert happened == told

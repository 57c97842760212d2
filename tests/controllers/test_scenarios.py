"""Whole lives of services, told and compared; see scenario.py for how they are written."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from cosi.testing.clock import virtual_time as anyio_backend
from tests.controllers.scenario import play
from tests.switches import on

__all__ = ["anyio_backend"]

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.txt"))}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario(name: str) -> None:
    happened = await play(SCENARIOS[name])
    if on("COSI_REWRITE_SCENARIOS"):
        await anyio.Path(FOLDER / f"{name}.txt").write_text(happened)
    else:
        assert happened == SCENARIOS[name]

"""The pytest plugin in a project outside this tree, with nothing but the package installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import anyio

from cosi.testing import Harness


async def test_a_harness_comes_with_the_package(cosi: Harness) -> None:
    await cosi.settled()


async def test_an_hour_takes_no_time_where_time_is_virtual(cosi: Harness, anyio_backend) -> None:
    if anyio_backend != "asyncio":
        await cosi.advance(3600)


def test_a_plain_test_is_left_alone() -> None:
    pass
"""
OWN_CHOICE = """
import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def run_in(project: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "."]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(("conftest", "passed"), [("", 5), (OWN_CHOICE, 3)])
def test_a_project_needs_no_configuration_and_may_choose(
    tmp_path: Path, conftest: str, passed: int
) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(conftest)
    assert f"{passed} passed" in run_in(tmp_path)

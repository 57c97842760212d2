"""Campaigns: the suite's part, all of it, or what a budget allows; and they say how much it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Two campaigns of 40 cases, each case a twentieth of a second.
CAMPAIGNS = """
import time
import pytest
import tests.soak

tests.soak.PROGRESS_SECONDS = 0.0

@pytest.mark.parametrize("which", ["one", "two"])
def test_cases(campaign, which):
    for number in campaign("cases", of=40, suite=3):
        time.sleep(0.05)
"""
FAILING = """
def test_cases(campaign):
    for number in campaign("cases", of=40, suite=3):
        assert number < 1
"""


def soak(directory: Path, code: str, *arguments: str, **environment: str) -> str:
    """What pytest prints about the campaigns of `code`."""
    (directory / "test_campaigns.py").write_text(code)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COSI_")}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # a tenth of the start is enough
    plugins = ("-p", "xdist", "-p", "pytest_timeout", "-p", "tests.soak")
    command = (sys.executable, "-m", "pytest", *plugins, "-rN", *arguments)
    ended = subprocess.run(
        (*command, "-p", "no:cacheprovider", "--rootdir", directory, directory),
        cwd=ROOT,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.stdout


def test_the_suite_does_a_part_and_says_nothing_of_it(tmp_path: Path) -> None:
    said = soak(tmp_path, CAMPAIGNS, COSI_SOAK="nonsense", COSI_SOAK_MINUTES="nonsense")
    assert "2 passed" in said
    assert "soak:" not in said


def test_without_a_budget_all_is_done(tmp_path: Path) -> None:
    said = soak(tmp_path, CAMPAIGNS, COSI_SOAK="1", COSI_SOAK_MINUTES="")
    assert "soak: 40 of 40 cases (test_campaigns.py::test_cases[one])" in said
    assert "soak: 40 of 40 cases (test_campaigns.py::test_cases[two])" in said
    assert "soak: 7 of 40 cases so far (test_cases[one])" in said


@pytest.mark.parametrize("workers", ["0", "2"])
def test_campaigns_share_a_budget(tmp_path: Path, workers: str) -> None:
    """The first may not use up what the second is to have."""
    said = soak(tmp_path, CAMPAIGNS, "-n", workers, COSI_SOAK="1", COSI_SOAK_MINUTES="0.03")
    done = [int(line.split()[1]) for line in said.splitlines() if line.startswith("soak: ")]
    *_, one, two = done
    assert 3 <= one < 40, said
    assert 3 <= two < 40, said


def test_a_campaign_does_at_least_its_part_whatever_the_budget(tmp_path: Path) -> None:
    said = soak(tmp_path, CAMPAIGNS, COSI_SOAK="1", COSI_SOAK_MINUTES="0.00001")
    assert "soak: 3 of 40 cases (test_campaigns.py::test_cases[one])" in said
    assert "soak: 3 of 40 cases (test_campaigns.py::test_cases[two])" in said


def test_a_case_that_fails_is_not_among_those_that_were_done(tmp_path: Path) -> None:
    said = soak(tmp_path, FAILING, COSI_SOAK="1")
    assert "1 failed" in said
    assert "soak: 1 of 40 cases (test_campaigns.py::test_cases)" in said


@pytest.mark.parametrize("minutes", ["soon", "0", "-1"])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, minutes: str) -> None:
    said = soak(tmp_path, CAMPAIGNS, COSI_SOAK="1", COSI_SOAK_MINUTES=minutes)
    assert f"MINUTES={minutes}: " in said
    assert "passed" not in said

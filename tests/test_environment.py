"""What happens to be in the environment decides neither about the tests nor about the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# One or two tests of each part that reads, or hands on, a variable of ours.
READERS = (
    "tests/controllers/test_scenarios.py",
    "tests/cosi/cli/test_commands.py",
    "tests/cosi/resource/test_fields.py",
    "tests/interop/test_talos.py",
)


def variables() -> set[str]:
    """Every variable of ours that is named anywhere in the tree."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: set[str] = set()
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file():
            found.update(re.findall(r"\b_?COSI_[A-Z_]*[A-Z]\b", path.read_text(errors="replace")))
    return found


@pytest.mark.lengthy
@pytest.mark.timeout(300)
def test_the_suite_passes_whatever_our_variables_are_set_to() -> None:
    """As in the login shell of someone who uses the program; issue 14."""
    ours = variables()
    assert {"COSI_SOCKET", "_COSI_COMPLETE", "COSI_SOAK", "COSI_TALOSCTL"} <= ours
    ended = subprocess.run(
        (sys.executable, "-m", "pytest", "-q", "-n0", "-rN", "-p", "no:cacheprovider", *READERS),
        cwd=ROOT,
        env=os.environ | dict.fromkeys(ours, "nonsense"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "passed" in ended.stdout

"""Builds the Go programs of this directory."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DOWNLOAD_AND_COMPILE_SECONDS = 600


def compiled(module: Path, directory: Path) -> Path:
    """The Go tests in ``module`` as a program in ``directory``; skips where no Go is."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        reason = "no Go toolchain on the PATH (1.26 or newer: https://go.dev/dl)"
        if os.environ.get("COSI_REQUIRE_GO") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    program = directory / "interop.test"
    subprocess.run([go, "test", "-c", "-o", program, "."], cwd=module, check=True)
    return program

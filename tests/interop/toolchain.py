"""Builds the Go programs of this directory.

`python -m tests.interop.toolchain` does it in advance, where there is a Go: a part of the set-up.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOWNLOAD_AND_COMPILE_SECONDS = 600


def compiled(module: Path, directory: Path) -> Path:
    """The Go tests in ``module`` as a program in ``directory``; skips where no Go is."""
    go = _go()
    if go is None:
        reason = "no Go toolchain on the PATH (1.26 or newer: https://go.dev/dl)"
        if os.environ.get("COSI_REQUIRE_GO") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    program = directory / "interop.test"
    subprocess.run([go, "test", "-c", "-o", program, "."], cwd=module, check=True)
    return program


def _go() -> str | None:
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def main() -> None:
    """Fill Go's cache; that it cannot be is said by the tests."""
    if go := _go():
        print("compiling COSI's own Go runtime, for tests/interop ...", file=sys.stderr)
        command = (go, "test", "-c", "-o", os.devnull, ".")
        module = Path(__file__).with_name("go")
        subprocess.run(command, cwd=module, check=False, capture_output=True)


if __name__ == "__main__":
    main()

"""Builds the Go programs of this directory.

`python -m tests.interop.toolchain` does it in advance, where there is a Go: a part of the set-up.
With `COSI_TALOS=1` it makes what takes minutes, too: Talos's client, and a stock talosctl.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.switches import on

HERE = Path(__file__).parent
DOWNLOAD_AND_COMPILE_SECONDS = 600
TALOS = on("COSI_TALOS")


def compiled(module: Path, directory: Path) -> Path:
    """The Go tests in ``module`` as a program in ``directory``; skips where no Go is."""
    go = _go()
    if go is None:
        reason = "no Go toolchain on the PATH (1.26 or newer: https://go.dev/dl)"
        if on("COSI_REQUIRE_GO"):
            pytest.fail(reason)
        pytest.skip(reason)
    program = directory / "interop.test"
    subprocess.run([go, "test", "-c", "-o", program, "."], cwd=module, check=True)
    return program


def talosctl() -> Path | None:
    """A stock talosctl: the one in ``COSI_TALOSCTL``, or the one that was built from ./talosctl.

    It is kept beside Go's own cache, for this and other trees, and built again when that module is
    another. ``None`` where there is none; with ``COSI_TALOS=1`` it is built then.
    """
    if named := shutil.which(os.environ.get("COSI_TALOSCTL") or ""):
        return Path(named)
    go = _go()
    if go is None:
        return None
    kept = _place_of_talosctl(go)
    if TALOS and not kept.exists():
        _build_talosctl(go, kept)
    return kept if kept.exists() else None


def _place_of_talosctl(go: str) -> Path:
    asked = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True)
    module = [(HERE / "talosctl" / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")]
    digest = hashlib.sha256(b"".join(module)).hexdigest()
    return Path(asked.stdout.strip()).parent / "cosi-talosctl" / digest[:16] / "talosctl"


def _build_talosctl(go: str, place: Path) -> None:
    """Built beside its place and then moved there: another process may do the same."""
    place.parent.mkdir(parents=True, exist_ok=True)
    made = place.with_name(f"talosctl.{os.getpid()}")
    subprocess.run([go, "build", "-o", made, "."], cwd=HERE / "talosctl", check=True)
    made.replace(place)


def _go() -> str | None:
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


def main() -> None:
    """Fill Go's cache; that it cannot be is said by the tests."""
    go = _go()
    if go is None:
        return
    print("compiling COSI's own Go runtime, for tests/interop ...", file=sys.stderr)
    _compile(go, HERE / "go")
    if TALOS:
        print("compiling Talos's client and talosctl, for tests/interop ...", file=sys.stderr)
        _compile(go, HERE / "talos")
        with contextlib.suppress(subprocess.CalledProcessError):
            talosctl()


def _compile(go: str, module: Path) -> None:
    command = (go, "test", "-c", "-o", os.devnull, ".")
    subprocess.run(command, cwd=module, check=False, capture_output=True)


if __name__ == "__main__":
    main()

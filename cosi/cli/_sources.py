"""The loaded source files: which they are, which have changed, and why one cannot be loaded."""

from __future__ import annotations

import json
import site
import sys
import sysconfig
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import anyio

BEGAN: Final = time.time()
"""A time at which this program had not loaded its applications yet."""

Stamp = tuple[int, int, int] | None
"""Identifies a version of a file; ``None`` if the file does not exist."""


def loaded() -> set[Path]:
    """The files of all modules that are loaded, but for Python's own and what is installed."""
    names = [getattr(module, "__file__", None) for module in tuple(sys.modules.values())]
    return {Path(name) for name in names if isinstance(name, str) and _is_source(name)}


@cache
def _is_source(name: str) -> bool:
    return name.endswith(".py") and not _is_installed(Path(name))


def _is_installed(path: Path) -> bool:
    return any(path.resolve().is_relative_to(each) for each in _installed())


@cache
def _installed() -> frozenset[Path]:
    names = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    names += [*site.getsitepackages(), site.getusersitepackages()]
    return frozenset(Path(name).resolve() for name in names)


def stamp(path: Path) -> Stamp:
    """The stamp of a file now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class LoadedSources:
    """The loaded files, with their stamps at load time."""

    def __init__(self) -> None:
        self._stamps: dict[Path, Stamp] = {}

    def directories(self) -> set[Path]:
        """The directories of the loaded files."""
        return {path.parent for path in loaded()}

    def changed(self) -> dict[Path, Stamp]:
        """The files that changed since they were loaded, with their stamps now."""
        now = {path: stamp(path) for path in loaded()}
        for path, found in now.items():
            if path not in self._stamps:
                self._stamps[path] = None if _later(found) else found
        return {path: found for path, found in now.items() if found != self._stamps[path]}


def _later(found: Stamp) -> bool:
    """Whether the file may have been written after it was read."""
    return found is not None and BEGAN < found[0] / 1e9 <= time.time()


def beside(error: BaseException) -> set[Path]:
    """The directories where a change may repair ``error``, which was raised by loading."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    found = {Path(file).parent for file in files if _is_source(file)}
    found |= {Path(entry or ".").absolute() for entry in sys.path}
    found |= {path.parent for path in loaded()}
    return {path for path in found if path.is_dir() and not _is_installed(path)}


def stamps_in(directories: Iterable[Path]) -> Mapping[Path, Stamp]:
    """The stamps of all source files directly in these directories."""
    return {path: stamp(path) for each in directories for path in each.glob("*.py")}


def any_later(stamps: Mapping[Path, Stamp]) -> bool:
    """Whether any of these may have been written after it was read."""
    return any(map(_later, stamps.values()))


def reason(error: BaseException) -> str:
    """Why something could not be loaded, in one line that begins with the place, if that is known.

    For an error with a text of its own (``CannotStart``), that text.
    """
    from cosi.errors import CosiError

    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}:{error.offset}: " if error.filename else ""
        return f"{place}{type(error).__name__}: {error.msg}"
    if isinstance(error, CosiError):
        return str(error)
    place = next(_places(error), "")
    return f"{place}{type(error).__name__}: {error}"


def _places(error: BaseException) -> Iterator[str]:
    """The places in sources at which it was raised, innermost first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_source(frame.filename):
            yield f"{frame.filename}:{frame.lineno}: "


def syntax_problem(path: Path) -> str | None:
    """Why a file is no Python, if it is none; nothing of it is executed."""
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        known = isinstance(error, SyntaxError) and error.filename
        return reason(error) if known else f"{path}: {error}"
    except OSError:
        return None  # gone: whether it is needed is found out by loading
    return None


_TRY = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from cosi.cli._sources import reason
from cosi.cli.application import find
try:
    for name in sys.argv[2:]:
        find(name)
except Exception as error:
    sys.exit(reason(error))
"""


async def load_problem(applications: Sequence[str]) -> str | None:
    """Why applications cannot be loaded as their source is now, if they cannot.

    Another process tries it, because this one has the old source loaded.
    """
    command = [sys.executable, "-c", _TRY, json.dumps(sys.path), *applications]
    tried = await anyio.run_process(command, check=False)
    if tried.returncode == 0:
        return None
    lines = tried.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {tried.returncode}"

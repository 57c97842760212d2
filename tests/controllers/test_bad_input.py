"""Whatever lies in the definition directory: a status with its place, a line in the log, no more.

Issue 2, "Bad input", item by item, through the controller that reads real files.
"""

from __future__ import annotations

import logging
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from controllers.paths import Paths
from controllers.service_files import ServiceFilesController
from cosi.testing._harness import Harness
from resources.extension_service import ExtensionServiceSpec
from resources.service_file_status import ServiceFileStatus
from tests.controllers.definitions.files import ToldFiles, definition

GOOD = definition("good")
BOMB = "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else '1, 2'}]\n" for n in range(20)
)


def text(text: str | bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(text.encode() if isinstance(text, str) else text)


def much(path: Path) -> None:
    """A hundred megabytes of nonsense."""
    with path.open("wb") as file:
        for _ in range(100):
            file.write(os.urandom(64) * (1 << 14))


def nobodys(path: Path) -> None:
    """A file that not even root can read: the memory of process 1, from its beginning."""
    path.symlink_to("/proc/self/mem")


def depends(body: str) -> str:
    return f"{definition('bad')}depends:\n  - {body}\n"


BAD = {
    # what it is: how it is made, line, column, what is said of it
    "invalid YAML": (text("name: [\n"), 2, 1, "did not find expected node content"),
    "a tab": (text("name: bad\n\tx: y\n"), 2, 1, "found a tab character"),
    "a wrong type": (text("name: bad\ncontainer: [a]\n"), 2, 12, "cannot construct !!seq"),
    "a wrong type in a list": (text(depends("cri")), 6, 5, "cannot construct !!str `cri`"),
    "an unknown restart": (
        text(definition("bad", restart="random")),
        4,
        10,
        "random does not belong to RestartKind values",
    ),
    "an unknown network check": (
        text(depends("network: [bogus]")),
        6,
        15,
        "bogus does not belong to Status values",
    ),
    "a bad name": (text(definition("BAD")), 1, 7, 'name "BAD" is invalid'),
    "a name that leaves its directory": (text(definition("../bad")), 1, 7, "is invalid"),
    "an empty entrypoint": (text(definition("bad", "''")), 3, 15, "endpoint can't be empty"),
    "two kinds in one dependency": (
        text(depends("{service: a, time: true}")),
        6,
        5,
        "more than a single dependency is set",
    ),
    "a duplicate name": (text(definition("good", "./other")), 1, 7, "duplicate service spec"),
    "a key twice": (text("name: bad\nname: bad\n"), 2, 1, "already defined at line 1"),
    "an empty file": (text(""), 1, 1, "the file is empty"),
    "comments only": (text("# nothing\n"), 1, 1, "the file is empty"),
    "a directory": (Path.mkdir, 1, 1, "is a directory"),
    "a file that cannot be read": (nobodys, 1, 1, "input/output error"),
    "a hundred megabytes": (much, 1, 1, "larger than 1 MiB"),
    "a bomb": (text(BOMB), 1, 1, 'name "" is invalid'),
    "no UTF-8": (text(b"name: bad\nx: \xff\xfe\xfd\n"), 2, 4, "invalid Unicode character"),
    "a control character": (
        text("name: bad\nx: \x01\n"),
        2,
        4,
        "control characters are not allowed",
    ),
}


@pytest.mark.parametrize("what", BAD)
async def test_bad_input_is_a_status_with_its_place_and_disturbs_nothing(
    cosi: Harness, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    make, line, column, said = BAD[what]
    paths, watcher = Paths(tmp_path), ToldFiles()
    paths.definitions.mkdir(parents=True)
    (paths.definitions / "a-good.yaml").write_text(GOOD)
    cosi.start(ServiceFilesController(paths, watcher))
    await cosi.settled()
    before = await cosi.list(ExtensionServiceSpec)

    bad = paths.definitions / "bad.yaml"
    make(bad)
    tracemalloc.start()
    with caplog.at_level(logging.ERROR):
        watcher.changed(bad)
        await cosi.settled()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    status = await cosi.get(ServiceFileStatus, "bad.yaml")
    assert not status.accepted
    places = [(each.line, each.column) for each in status.problems if said in each.text]
    assert (line, column) in places, [str(problem) for problem in status.problems]
    assert "bad.yaml" in [getattr(record, "file", "") for record in caplog.records]
    assert peak < 16 << 20
    assert await cosi.list(ExtensionServiceSpec) == before
    assert (await cosi.get(ServiceFileStatus, "a-good.yaml")).in_force

    bad.rmdir() if bad.is_dir() else bad.unlink()
    (paths.definitions / "good-again.yaml").write_text(definition("again"))
    watcher.changed(bad, paths.definitions / "good-again.yaml")
    await cosi.settled()
    assert set(await cosi.list(ExtensionServiceSpec)) == {"good", "again"}


async def test_unknown_keys_load_and_are_warnings_with_their_place(
    cosi: Harness, tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    paths.definitions.mkdir(parents=True)
    (paths.definitions / "a.yaml").write_text(f"{GOOD}depend: []\n")
    cosi.start(ServiceFilesController(paths, ToldFiles()))
    await cosi.settled()
    status = await cosi.get(ServiceFileStatus, "a.yaml")
    assert status.accepted
    [warning] = [each for each in status.problems if "depend" in each.text]
    assert str(warning).startswith("5:1: warning: ")
    assert "depends" in warning.text

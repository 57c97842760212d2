"""One look at a path: the same answer as the kernel's, and what it hangs on."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controllers.host.walk import Look, Presence, Walk
from tests.soak import quantity


class Watched:
    """Numbers directories in the order in which they are watched."""

    def __init__(self) -> None:
        self.directories: list[str] = []

    def __call__(self, directory: Path) -> int:
        if str(directory) not in self.directories:
            self.directories.append(str(directory))
        return self.directories.index(str(directory))

    def hinges(self, look: Look) -> set[str]:
        return {str(Path(self.directories[watch], name)) for watch, name in look.hinges}


def look(path: Path | str, *silent: int) -> Look:
    return Walk(Watched(), frozenset(silent)).look(str(path))


def test_a_path_that_is_there_hangs_on_each_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").touch()
    watched = Watched()
    seen = Walk(watched, frozenset()).look(str(tmp_path / "a/b"))
    assert seen.presence == Presence(present=True)
    ways = {str(path) for path in (tmp_path / "a/b", *(tmp_path / "a/b").parents)}
    assert watched.hinges(seen) == ways - {"/"}


def test_a_path_that_is_not_there_hangs_on_the_first_missing_name(tmp_path: Path) -> None:
    watched = Watched()
    seen = Walk(watched, frozenset()).look(str(tmp_path / "a/b/c"))
    assert seen.presence == Presence(present=False)
    assert str(tmp_path / "a") in watched.hinges(seen)
    assert str(tmp_path / "a/b") not in watched.hinges(seen)


def test_a_symbolic_link_hangs_on_both_ends(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    watched = Watched()
    seen = Walk(watched, frozenset()).look(str(tmp_path / "link"))
    assert seen.presence == Presence(present=False)
    assert {str(tmp_path / "link"), str(tmp_path / "real")} <= watched.hinges(seen)


def test_what_cannot_be_looked_at_is_an_error_in_talos_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert look(tmp_path / "file/x").presence.error == f"stat {tmp_path}/file/x: not a directory"
    assert "too many" in look(tmp_path / "loop").presence.error
    assert "file name too long" in look(tmp_path / ("x" * 300)).presence.error
    assert "invalid argument" in look(f"{tmp_path}/a\0b").presence.error


def test_names_can_heal_these_errors_so_the_look_is_not_blind(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not look(tmp_path / "file/x").blind


def test_a_silent_file_system_on_the_way_makes_the_look_blind(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    assert look(tmp_path / "a", device).blind
    assert not look(tmp_path / "a").blind


def test_a_directory_that_cannot_be_watched_makes_the_look_blind(tmp_path: Path) -> None:
    def no_more(directory: Path) -> int:
        raise OSError(errno.ENOSPC, "no more watches")

    seen = Walk(no_more, frozenset()).look(str(tmp_path))
    assert seen == Look(Presence(present=True), frozenset(), blind=True)


def test_a_directory_that_vanishes_under_the_look_does_not(tmp_path: Path) -> None:
    def gone(directory: Path) -> int:
        raise FileNotFoundError(errno.ENOENT, "gone")

    assert not Walk(gone, frozenset()).look(str(tmp_path)).blind


@pytest.fixture(scope="module")
def tangle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directories, files and links that lead everywhere and nowhere."""
    tangle = tmp_path_factory.mktemp("tangle").resolve()
    (tangle / "d/e/f").mkdir(parents=True)
    (tangle / "d/file").touch()
    (tangle / "absolute").symlink_to(tangle / "d")
    (tangle / "relative").symlink_to("d/e/")
    (tangle / "d/up").symlink_to("../../" + tangle.name)
    (tangle / "d/e/chain").symlink_to("../../absolute/e/../up/relative")
    (tangle / "loop").symlink_to("d/loop")
    (tangle / "d/loop").symlink_to("../loop")
    (tangle / "to-file").symlink_to("d/file")
    (tangle / "dangling").symlink_to("d/nothing/..")
    return tangle


NAMES = [".", "..", "", "d", "e", "f", "file", "absolute", "relative", "up", "chain", "loop"]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=quantity(100, 2_000)
)
@given(st.lists(st.sampled_from([*NAMES, "to-file", "dangling", "nothing"]), max_size=8))
def test_the_answer_is_always_the_one_that_stat_gives(tangle: Path, names: list[str]) -> None:
    path = f"{tangle}/{'/'.join(names)}"
    try:
        os.stat(path)  # noqa: PTH116  # Path would drop "." and the last slash
        expected = Presence(present=True)
    except FileNotFoundError:
        expected = Presence(present=False)
    except OSError as error:
        text = os.strerror(error.errno or 0)
        expected = Presence(present=False, error=f"stat {path}: {text[0].lower()}{text[1:]}")
    assert look(path).presence == expected

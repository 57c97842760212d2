"""What became of services is known to the next supervisor of the same boot, and to no other."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controllers.files.beneath import (
    Beneath,
)
from controllers.files.openat2 import (
    LINK_REFUSED,
)
from controllers.lifecycle.checkpoint import (
    Checkpoint,
)
from controllers.supervision.checkpoints import CheckpointFiles
from resources.service_state import ServicePhase

OVER = Checkpoint(
    digest="abc",
    phase=ServicePhase.FAILED,
    text="Failed running service",
    exit_code=3,
    at=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run/services"


def life(directory: Path, boot: str = "one") -> CheckpointFiles:
    checkpoints = CheckpointFiles(directory, Beneath(Path("/")), lambda: boot)
    checkpoints.restore()
    return checkpoints


def test_the_next_life_knows_what_the_last_one_kept(directory: Path) -> None:
    first = life(directory)
    first.save("ext-a", OVER)
    first.save("ext-b", Checkpoint(held=True))
    second = life(directory)
    assert second.find("ext-a") == OVER
    assert second.find("ext-b") == Checkpoint(held=True)
    assert second.find("ext-c") is None


def test_a_boot_forgets_everything(directory: Path) -> None:
    life(directory).save("ext-a", OVER)
    assert life(directory, "another").find("ext-a") is None
    assert life(directory).find("ext-a") is None


def test_what_is_forgotten_leaves_nothing(directory: Path) -> None:
    checkpoints = life(directory)
    checkpoints.save("ext-a", OVER)
    checkpoints.save("ext-b", OVER)
    checkpoints.save_only(["ext-b"])
    assert checkpoints.find("ext-a") is None
    assert life(directory).find("ext-b") == OVER
    checkpoints.save_only([])
    assert not directory.exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"x"', "1", "[" * 9999, '{"boot_id": "one"}', '{"boot_id": "one", "x": 1}'],
)
def test_a_file_of_another_version_of_this_program_is_no_memory(directory: Path, text: str) -> None:
    directory.mkdir(parents=True)
    (directory / "ext-a.json").write_text(text)
    assert life(directory).find("ext-a") is None


def test_what_cannot_be_written_is_said_and_known_until_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    checkpoints = life(tmp_path / "file/services")
    with caplog.at_level(logging.WARNING):
        checkpoints.save("ext-a", OVER)
    assert checkpoints.find("ext-a") == OVER
    assert "ext-a: cannot read or write the checkpoint" in caplog.text


def test_an_entry_that_cannot_be_removed_is_reported_and_costs_no_other_its_memory(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    life(directory).save("ext-a", OVER)
    (directory / "ext-b.json").mkdir()
    with caplog.at_level(logging.WARNING):
        assert life(directory).find("ext-a") == OVER
    assert "ext-b" in caplog.text


def test_nothing_is_kept_or_forgotten_behind_a_link(
    tmp_path: Path, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What a planted link leads to lost its `*.json`, and the services went on without a word."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "theirs.json").write_text("theirs")
    directory.parent.mkdir(parents=True)
    directory.symlink_to(outside)
    checkpoints = life(directory)
    checkpoints.save("ext-a", OVER)
    checkpoints.save_only([])
    assert [path.name for path in outside.iterdir()] == ["theirs.json"]
    assert f"{directory}: {LINK_REFUSED}" in caplog.text

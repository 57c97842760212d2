"""What is kept on disk about one container."""

from pathlib import Path

import pytest

from controllers.processes.run_directory import (
    RunDirectory,
)


def test_a_run_that_ends_leaves_the_bundle_for_the_next_one_and_nothing_else(
    tmp_path: Path,
) -> None:
    """runc makes `.pid` first, and refuses to start if a killed one has left it."""
    directory = RunDirectory(tmp_path / "ext-a")
    directory.make()
    directory.write_bundle({})
    for name in ("output", "runtime.log", "pid", ".pid", "state.json"):
        (directory.path / name).touch()
    directory.end_run()
    directory.end_run()
    assert [path.name for path in directory.path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 9999,
        '{"driver": "runc", "pid": "1", "start_time": 1, "boot_id": "", "container": {}}',
        '{"driver": "runc", "pid": 1, "start_time": null, "boot_id": "", "container": {}}',
        '{"driver": "runc", "pid": -1, "start_time": 1, "boot_id": "", "container": {}}',
        '{"driver": "runc", "pid": 1, "start_time": 1, "boot_id": "", "container": []}',
    ],
)
def test_a_state_that_no_supervisor_wrote_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert RunDirectory(tmp_path).read_state() is None

"""Testing it: resources in, resources out."""

from pathlib import Path

from cosi.testing import Harness, load_fixtures
from free_space import FreeSpace, FreeSpaceController, WatchedDirectory


async def test_a_full_disk_is_reported(cosi: Harness, tmp_path: Path) -> None:
    cosi.start(FreeSpaceController())

    await cosi.given(str(tmp_path), WatchedDirectory(wanted_bytes=1))
    assert (await cosi.get(FreeSpace, str(tmp_path))).enough

    await cosi.given(str(tmp_path), WatchedDirectory(wanted_bytes=2**70))
    assert not (await cosi.get(FreeSpace, str(tmp_path))).enough


async def test_a_directory_from_a_file(cosi: Harness) -> None:
    cosi.start(FreeSpaceController())
    for directory in load_fixtures(Path(__file__).with_name("free_space.yaml")):
        await cosi.state.create(directory)
    await cosi.settled()
    assert list(await cosi.list(FreeSpace)) == ["/"]

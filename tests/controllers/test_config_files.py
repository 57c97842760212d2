"""Configs become files, and nothing but their files is there."""

# ruff: noqa: ASYNC240 nobody else is kept waiting here

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controllers.config_files import ConfigFilesController
from controllers.files.openat2 import (
    LINK_REFUSED,
)
from controllers.paths import Paths
from cosi.testing._harness import Harness
from resources.extension_service_config import ConfigFile, ExtensionServiceConfig
from resources.extension_service_config_status import ExtensionServiceConfigStatus


def config(**files: str) -> ExtensionServiceConfig:
    """A config of files: ``etc_test="..."`` is mounted at ``/etc/test``."""
    return ExtensionServiceConfig(
        files=tuple(
            ConfigFile(content=content, mount_path="/" + path.replace("_", "/"))
            for path, content in files.items()
        )
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return Paths(tmp_path).config_files


def tree(base: Path) -> dict[str, str]:
    """Every file and what it holds; a directory without files holds nothing."""
    return {
        str(path.relative_to(base)): path.read_text() if path.is_file() else ""
        for path in base.rglob("*")
        if not path.is_dir() or not any(path.iterdir())
    }


@contextmanager
def bound(source: Path, point: Path) -> Iterator[None]:
    """The time in which a directory is bind-mounted over another."""
    subprocess.run(("mount", "--bind", source, point), check=True)
    try:
        yield
    finally:
        subprocess.run(("umount", point), check=True)


async def test_talos_reconcile(cosi: Harness, tmp_path: Path, base: Path) -> None:
    """Talos: ExtensionServiceConfigFilesSuite.TestReconcileExtensionServiceConfigFiles."""
    (base / "foreign").mkdir(parents=True)
    (base / "foreign/file").touch()
    (base / "file").touch()
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    await cosi.given("test1", config(etc_test="foo", etc_bar="bar"))
    stored = await cosi.given("test2", config(var_etc_foo="foo"))
    assert tree(base) == {
        "test1/etc-test": "foo",
        "test1/etc-bar": "bar",
        "test2/var-etc-foo": "foo",
    }
    status = await cosi.get(ExtensionServiceConfigStatus, "test2")
    assert status.spec_version == str(stored.version)

    unchanged = (base / "test1/etc-bar").stat()
    (base / "test1/intruder").touch()
    await cosi.given("test1", config(etc_test="new", etc_bar="bar"))
    assert tree(base)["test1/etc-test"] == "new"
    assert "test1/intruder" not in tree(base)
    assert (base / "test1/etc-bar").stat().st_mtime_ns == unchanged.st_mtime_ns
    assert (base / "test1/etc-bar").stat().st_ino == unchanged.st_ino

    assert await cosi.gone(ExtensionServiceConfig, "test1")
    assert tree(base) == {"test2/var-etc-foo": "foo"}
    assert await cosi.find(ExtensionServiceConfigStatus, "test1") is None


async def test_the_status_follows_the_version(cosi: Harness, tmp_path: Path) -> None:
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    for content in ("1", "2"):
        stored = await cosi.given("a", config(etc_a=content))
        status = await cosi.get(ExtensionServiceConfigStatus, "a")
        assert status.spec_version == str(stored.version)


async def test_no_two_mount_paths_share_a_file(cosi: Harness, tmp_path: Path, base: Path) -> None:
    """Guards differences: Talos 10: ``/a/b`` and ``/a-b`` are one file in Talos."""
    files = (
        ConfigFile(content="slash", mount_path="/a/b"),
        ConfigFile(content="dash", mount_path="/a-b"),
        ConfigFile(content="alone", mount_path="/c"),
    )
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    stored = await cosi.given("a", ExtensionServiceConfig(files=files))
    names = stored.spec.file_names
    assert names["/c"] == "c"
    assert {path: (base / "a" / names[path]).read_text() for path in names} == {
        "/a/b": "slash",
        "/a-b": "dash",
        "/c": "alone",
    }


async def test_a_file_is_replaced_and_not_written_over(
    cosi: Harness, tmp_path: Path, base: Path
) -> None:
    """Guards differences: Talos 10: a reader that has the old file open sees all of it."""
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    await cosi.given("a", config(etc_a="old"))
    with (base / "a/etc-a").open() as old:
        await cosi.given("a", config(etc_a="new"))
        assert old.read() == "old"
    assert tree(base) == {"a/etc-a": "new"}


async def test_modes_do_not_depend_on_the_umask(cosi: Harness, tmp_path: Path, base: Path) -> None:
    before = os.umask(0o077)
    try:
        cosi.start(ConfigFilesController(Paths(tmp_path)))
        await cosi.given("a", config(etc_a="x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((base / "a").stat().st_mode) == 0o755
    assert stat.S_IMODE((base / "a/etc-a").stat().st_mode) == 0o644


async def test_a_link_in_the_place_of_a_file_or_directory_is_not_followed(
    cosi: Harness, tmp_path: Path, base: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "etc-a").write_text("theirs")
    (base / "b").mkdir(parents=True)
    (base / "a").symlink_to(outside)
    (base / "b/etc-a").symlink_to(outside / "etc-a")
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    await cosi.given("a", config(etc_a="ours"))
    await cosi.given("b", config(etc_a="ours"))
    assert (outside / "etc-a").read_text() == "theirs"
    assert tree(base) == {"a/etc-a": "ours", "b/etc-a": "ours"}


async def test_a_link_in_the_place_of_the_directory_of_all_is_refused_until_it_is_gone(
    cosi: Harness, tmp_path: Path, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sweep emptied what it leads to."""
    outside = tmp_path / "outside"
    (outside / "a").mkdir(parents=True)
    (outside / "a/file").write_text("theirs")
    base.parent.mkdir(parents=True)
    base.symlink_to(outside)
    with cosi.failing():
        cosi.start(ConfigFilesController(Paths(tmp_path)))
        await cosi.given("b", config(etc_a="x"))
        assert await cosi.find(ExtensionServiceConfigStatus, "b") is None
    assert f"{LINK_REFUSED}: '{base}'" in caplog.text
    assert tree(outside) == {"a/file": "theirs"}
    base.unlink()
    await cosi.given("b", config(etc_a="y"))
    assert tree(base) == {"b/etc-a": "y"}


@pytest.mark.root
async def test_what_is_mounted_among_the_config_files_is_left_and_disturbs_no_service(
    cosi: Harness, tmp_path: Path, base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bind mount is emptied like a link's target; what cannot go keeps no service waiting."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    (base / "foreign").mkdir(parents=True)
    (base / "old").mkdir()
    with bound(outside, base / "foreign"):
        cosi.start(ConfigFilesController(Paths(tmp_path)))
        for content in ("x", "y"):
            await cosi.given("a", config(etc_a=content))
        assert tree(base) == {"a/etc-a": "y", "foreign/file": "theirs"}
    warnings = [text for text in caplog.messages if "left in the directory" in text]
    assert len(warnings) == 1
    assert str(base / "foreign") in warnings[0]


@pytest.mark.parametrize("before", [None, 0o755])
async def test_nobody_but_root_enters_the_directory_of_all(
    cosi: Harness, tmp_path: Path, base: Path, before: int | None
) -> None:
    """Files were 0644 below directories of 0755: every user of the host read them."""
    if before:
        base.mkdir(parents=True)
        base.chmod(before)
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    if before:
        await cosi.settled()
    else:
        await cosi.given("a", config(etc_a="x"))
    assert stat.S_IMODE(base.stat().st_mode) == 0o700


@pytest.mark.parametrize("id", ["../out", "..", ".", "a/b", ".new"])
async def test_a_name_that_leaves_the_directory_is_refused(
    cosi: Harness, tmp_path: Path, base: Path, id: str
) -> None:
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    await cosi.given("good", config(etc_a="x"))
    await cosi.given(id, config(etc_a="x"))
    assert tree(base) == {"good/etc-a": "x"}
    assert await cosi.find(ExtensionServiceConfigStatus, id) is None
    assert await cosi.gone(ExtensionServiceConfig, id)
    assert tree(base) == {"good/etc-a": "x"}


@pytest.mark.parametrize("path", ["..", "/..", "/", "", "/a/../b", "."])
def test_a_mount_path_that_leaves_its_directory_cannot_be_said(path: str) -> None:
    with pytest.raises(ValueError, match="leaves its directory"):
        ConfigFile(content="x", mount_path=path)


async def test_one_service_that_cannot_be_written_harms_no_other(
    cosi: Harness, tmp_path: Path, base: Path
) -> None:
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    with cosi.failing():
        await cosi.given("a" * 300, config(etc_a="x"))
        await cosi.given("b", config(etc_a="x"))
        assert tree(base) == {"b/etc-a": "x"}


async def test_a_very_long_mount_path_has_a_file_too(
    cosi: Harness, tmp_path: Path, base: Path
) -> None:
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    spec = ExtensionServiceConfig(
        files=tuple(ConfigFile(content=end, mount_path="/" + "ä" * 200 + end) for end in ("1", "2"))
    )
    await cosi.given("a", spec)
    assert sorted(tree(base).values()) == ["1", "2"]


async def test_what_an_earlier_life_left_goes_even_without_any_config(
    cosi: Harness, tmp_path: Path, base: Path
) -> None:
    (base / "old").mkdir(parents=True)
    (base / "old/etc-a").touch()
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    await cosi.settled()
    assert tree(base) == {}


async def test_what_an_earlier_life_wrote_for_a_config_stays_as_it_is(
    cosi: Harness, tmp_path: Path, base: Path
) -> None:
    for name in ("a", "b"):
        (base / name).mkdir(parents=True)
        (base / name / "etc-a").write_text("x")
    before = (base / "b/etc-a").stat()
    await cosi.given("a", config(etc_a="x"))
    await cosi.given("b", config(etc_a="x"))
    cosi.start(ConfigFilesController(Paths(tmp_path)))
    await cosi.settled()
    assert (base / "b/etc-a").stat().st_ino == before.st_ino

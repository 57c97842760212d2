"""Which sources of mounts are made when they are missing, and which are an error."""

from pathlib import Path

import pytest

from controllers.oci.mount_sources import MountSourceError, make_missing_sources
from resources.extension_service import Mount


def mount(source: Path | str, destination: str = "/x", type: str = "bind", *options: str) -> Mount:
    return Mount(source=str(source), destination=destination, type=type, options=options)


def refused(mount: Mount, rootfs: Path) -> str:
    with pytest.raises(MountSourceError) as caught:
        make_missing_sources([mount], rootfs)
    return str(caught.value)


def test_a_directory_is_made_with_its_parents_for_root_only(tmp_path: Path) -> None:
    make_missing_sources([mount(tmp_path / "a" / "b")], tmp_path)
    assert (tmp_path / "a" / "b").is_dir()
    assert [p.stat().st_mode & 0o777 for p in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("file")
    make_missing_sources([mount(tmp_path / "file"), mount(tmp_path / "link")], tmp_path)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["lib-1.2", "conf.d", "run"])
def test_a_dot_alone_does_not_make_a_name_a_files(tmp_path: Path, name: str) -> None:
    make_missing_sources([mount(tmp_path / name)], tmp_path)
    assert (tmp_path / name).is_dir()


def test_only_bind_mounts_have_a_source_that_could_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Talos makes a relative directory `tmpfs` of a tmpfs (difference 1.5/5)."""
    monkeypatch.chdir(tmp_path)
    make_missing_sources([mount("tmpfs", "/tmp", "tmpfs"), mount("proc", "/p", "proc")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_type_may_be_said_by_the_options(tmp_path: Path) -> None:
    make_missing_sources([mount(tmp_path / "a", "/a", "", "rbind")], tmp_path)
    make_missing_sources([mount(tmp_path / "b", "/b", "none", "bind", "ro")], tmp_path)
    assert (tmp_path / "a").is_dir()
    assert (tmp_path / "b").is_dir()


def test_a_file_is_never_made(tmp_path: Path) -> None:
    """Talos makes a directory of a socket that comes a moment later (difference 1.5/5)."""
    source = tmp_path / "machine.sock"
    assert refused(mount(source, "/run/machine.sock"), tmp_path) == (
        f'source "{source}" of mount "/run/machine.sock" does not exist, and is not created: '
        "only directories are created, and it has the name of a file"
    )
    assert not source.exists()


def test_a_file_in_the_root_filesystem_says_that_a_file_is_meant(tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "sbin" / "reboot").write_text("")
    text = refused(mount(tmp_path / "init", "/sbin/reboot"), tmp_path)
    assert text.endswith(
        "is not created: only directories are created, and the destination is a file"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/dev/net/no-such-device", "/dev has only devices"),
        ("/etc/no-such-thing", "/etc belongs to the system"),
        ("/usr/local/bin/no-such-thing", "/usr belongs to the system"),
        ("/sys/no-such-thing", "/sys belongs to the system"),
    ],
)
def test_nothing_is_made_in_the_systems_own_trees(tmp_path: Path, source: str, reason: str) -> None:
    assert refused(mount(source), tmp_path).endswith(
        f"does not exist, and is not created: {reason}"
    )


def test_a_dangling_link_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    text = refused(mount(tmp_path / "link"), tmp_path)
    assert text.endswith("is not created: it is a dangling symbolic link")


@pytest.mark.parametrize("source", ["", "var/lib/x"])
def test_a_source_is_absolute(tmp_path: Path, source: str) -> None:
    text = f'source "{source}" of mount "/x" is not an absolute path'
    assert refused(mount(source), tmp_path) == text


def test_any_other_error_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    source = tmp_path / "file" / "below"
    assert refused(mount(source), tmp_path) == (
        f'source "{source}" of mount "/x" cannot be used: stat {source}: not a directory'
    )


def test_a_directory_that_cannot_be_made_is_said_as_go_does(tmp_path: Path) -> None:
    source = tmp_path / ("x" * 200) / ("y" * 255) / ("z" * 256)
    assert "file name too long" in refused(mount(source), tmp_path)


def test_mounts_before_the_wrong_one_are_made(tmp_path: Path) -> None:
    with pytest.raises(MountSourceError):
        make_missing_sources([mount(tmp_path / "a"), mount(""), mount(tmp_path / "b")], tmp_path)
    assert (tmp_path / "a").is_dir()
    assert not (tmp_path / "b").exists()

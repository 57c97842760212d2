"""An entrypoint that is certainly missing is found before anything is started."""

from pathlib import Path

import pytest

from controllers.containers.entrypoint import looked_for


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/hello").write_text("")
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "sbin").symlink_to("/usr/bin")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("/no/where")
    (tmp_path / "hello").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "entrypoint",
    [
        "./hello",
        "hello/",
        "/hello",
        "/bin/hello",
        "/sbin/hello",
        "./usr/../hello",
        "/../hello",
        "/usr/local/hello",
        "/loop",
        "hello-in-path",
    ],
)
def test_what_may_be_there_is_left_to_the_runtime(rootfs: Path, entrypoint: str) -> None:
    assert looked_for(entrypoint, rootfs, ["/usr/local"]) is None


@pytest.mark.parametrize(
    ("entrypoint", "missing"),
    [
        ("./nothing", "nothing"),
        ("/bin/nothing", "bin/nothing"),
        ("/sbin/nothing", "sbin/nothing"),
        ("/dangling", "dangling"),
        ("/hello/below", "hello/below"),
    ],
)
def test_what_is_missing_is_said_as_the_host_would(
    rootfs: Path, entrypoint: str, missing: str
) -> None:
    assert looked_for(entrypoint, rootfs, ["/usr/local"]) == rootfs / missing


def test_a_mount_on_the_way_makes_it_uncertain(rootfs: Path) -> None:
    """iscsid has an empty root filesystem, and gets everything by mounts (section 9.1)."""
    assert looked_for("/usr/sbin/iscsid", rootfs, ["/usr/sbin", "/etc"]) is None
    assert looked_for("/bin/iscsid", rootfs, ["/usr/bin"]) is None
    assert looked_for("/opt/iscsid", rootfs, ["/usr/bin"]) == rootfs / "opt/iscsid"

"""Every field of `container` and `container.security`, as a process inside sees it."""

# ruff: noqa: ASYNC240 nobody else is kept waiting here

import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from controllers.drivers.driver import PreparationError, RunnerError
from controllers.drivers.local_driver import LocalDriver
from controllers.files.openat2 import (
    LINK_REFUSED,
)
from controllers.oci import capabilities
from controllers.oci.host_facts import read_host_facts
from controllers.oci.overlay import mounted_overlays
from controllers.oci.spec import MASKED_PATHS, READONLY_PATHS
from resources.container_spec import MountedConfigFile
from resources.extension_service import Mount, Security
from tests.controllers.runs import Runs


@pytest.fixture
async def driver(runs: Runs, oci_runtime: str) -> AsyncIterator[LocalDriver]:
    driver = runs.driver(oci_runtime)
    async with driver.open():
        yield driver
    assert runs.left_behind() == []


async def inside(driver: LocalDriver, runs: Runs, script: str, **fields: Any) -> str:
    """What a shell script in a container prints."""
    return (await runs.output(driver, runs.shell(script, **fields))).rstrip("\n")


async def mounts(driver: LocalDriver, runs: Runs, **fields: Any) -> list[tuple[str, str, str]]:
    """Destination, type and options of each mount, in order."""
    lines = (await inside(driver, runs, "cat /proc/mounts", **fields)).splitlines()
    return [
        (destination, kind, options) for _, destination, kind, options, *_ in map(str.split, lines)
    ]


def bind(source: Path | str, destination: str, *options: str) -> Mount:
    return Mount(source=str(source), destination=destination, type="bind", options=options)


# Capabilities, seccomp, privileges


async def test_capabilities_are_the_supervisors_own_but_for_two(
    driver: LocalDriver, runs: Runs
) -> None:
    status = await inside(driver, runs, "grep Cap /proc/self/status")
    masks = {key: int(value, 16) for key, value in re.findall(r"Cap(\w+):\s+(\w+)", status)}
    held = read_host_facts("").capabilities
    for kind in ("Bnd", "Prm", "Eff"):
        assert capabilities.named(masks[kind]) == held - capabilities.NEVER_GRANTED
    assert masks["Inh"] == masks["Amb"] == 0


async def test_what_could_not_be_granted_is_a_note_of_the_task(
    driver: LocalDriver, runs: Runs
) -> None:
    held = read_host_facts("").capabilities
    async with runs.running(driver, runs.shell("true")) as task:
        said = "CAP_SYS_RESOURCE" in "".join(task.notes)
        assert said is ("CAP_SYS_RESOURCE" not in held)


async def test_there_are_no_new_privileges_and_a_seccomp_filter(
    driver: LocalDriver, runs: Runs
) -> None:
    status = await inside(driver, runs, "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status")
    assert re.findall(r"\d", status) == ["1", "2"]


async def test_the_oom_score_is_lowered_if_it_can_be(driver: LocalDriver, runs: Runs) -> None:
    can = "CAP_SYS_RESOURCE" in read_host_facts("").capabilities
    own = Path("/proc/self/oom_score_adj").read_text().strip()
    assert await inside(driver, runs, "cat /proc/self/oom_score_adj") == ("-600" if can else own)


async def test_there_are_no_limits_but_the_supervisors(driver: LocalDriver, runs: Runs) -> None:
    script = "grep 'open files' /proc/self/limits"
    own = re.search(r"Max open files.*", Path("/proc/self/limits").read_text())
    assert own
    assert await inside(driver, runs, script) == own[0].rstrip("\n")


async def test_what_the_profile_denies_is_denied(driver: LocalDriver, runs: Runs) -> None:
    """pivot_root is not in the profile, unshare is, for who has CAP_SYS_ADMIN."""
    said = await inside(driver, runs, "busybox pivot_root /tmp /tmp 2>&1 || true")
    assert "Operation not permitted" in said


# Namespaces and the cgroup


async def test_pids_mounts_and_the_host_name_are_its_own_and_the_rest_the_hosts(
    driver: LocalDriver, runs: Runs
) -> None:
    script = "for n in pid mnt uts net ipc cgroup user time; do readlink /proc/self/ns/$n; done"
    own = set((await inside(driver, runs, script)).split())
    host = {
        str(Path("/proc/self/ns", kind).readlink())
        for kind in ("pid", "mnt", "uts", "net", "ipc", "cgroup", "user", "time")
    }
    shared = {name.partition(":")[0] for name in own & host}
    assert shared == {"net", "ipc", "cgroup", "user", "time"}


async def test_its_main_process_is_the_first(driver: LocalDriver, runs: Runs) -> None:
    assert await inside(driver, runs, "echo $$") == "1"


async def test_the_host_name_is_the_hosts_at_that_moment(driver: LocalDriver, runs: Runs) -> None:
    script = "hostname; hostname changed; hostname"
    assert await inside(driver, runs, script) == f"{socket.gethostname()}\nchanged"
    assert socket.gethostname() != "changed"


async def test_it_is_in_the_cgroup_of_extensions(driver: LocalDriver, runs: Runs) -> None:
    lines = (await inside(driver, runs, "cat /proc/self/cgroup")).splitlines()
    here = hierarchies()
    found = {
        path
        for _, controllers, path in (line.split(":", 2) for line in lines)
        if here.issuperset(controllers.split(","))
    }
    assert found == {f"/{runs.paths.tree}/system/extensions/a"}
    assert runs.cgroups("a") == []


def hierarchies() -> set[str]:
    """Whose hierarchies are mounted here, of which v2 has no name; the kernel may tell others."""
    mounts = Path("/proc/self/mountinfo").read_text()
    found = set[str]()
    for version, options in re.findall(r" - cgroup(2?) \S+ (\S+)$", mounts, re.MULTILINE):
        found |= {""} if version else set(options.split(","))
    return found


async def test_what_somebody_has_paused_can_be_killed(driver: LocalDriver, runs: Runs) -> None:
    """It was killed for ever, and the stop of everything waited for it until its deadline."""
    script = "echo up; while :; do sleep 0.01; done"
    async with runs.running(driver, runs.shell(script)) as task:
        await runs.says(driver, "up")
        await anyio.run_process((driver.name, "--root", str(runs.paths.runtime), "pause", "ext-a"))
        await task.signal(signal.SIGKILL)
        with anyio.fail_after(20):
            assert (await task.wait()).code == 137


async def test_all_devices_are_allowed(driver: LocalDriver, runs: Runs) -> None:
    script = "busybox mknod /tmp/zero c 1 5 && head -c 1 /tmp/zero | wc -c"
    tmp = Mount(destination="/tmp", type="tmpfs", source="tmpfs")
    assert await inside(driver, runs, script, mounts=(tmp,)) == "1"


# The environment


async def test_an_empty_environment_is_empty(driver: LocalDriver, runs: Runs) -> None:
    container = runs.shell("").evolve(entrypoint="/bin/env", args=())
    # runc before 1.3 adds HOME to it.
    assert await runs.output(driver, container) in {"", "HOME=/\n"}


async def test_an_environment_is_as_given_and_home(driver: LocalDriver, runs: Runs) -> None:
    container = runs.shell("").evolve(
        entrypoint="/bin/env", args=(), environment=("B=1", "A=x y", "B=2", "P=/bin:$PATH")
    )
    assert await runs.output(driver, container) == "A=x y\nB=2\nP=/bin:$PATH\nHOME=/\n"


async def test_an_environment_file_comes_before_the_environment(
    driver: LocalDriver, runs: Runs, tmp_path: Path
) -> None:
    """Talos 1.14, "Environment": its grammar, and who wins."""
    file = tmp_path / "environment"
    file.write_text('# comment\nexport A=from file\nB="from\\tfile" # comment\nC=\n')
    container = runs.shell("").evolve(
        entrypoint="/bin/env", args=(), environment=("A=given",), environment_file=str(file)
    )
    assert await runs.output(driver, container) == "B=from\tfile\nC=\nA=given\nHOME=/\n"


async def test_a_relative_program_is_found_from_the_root(driver: LocalDriver, runs: Runs) -> None:
    container = runs.shell("").evolve(entrypoint="./bin/echo", args=("--flag", "a b"))
    assert await runs.output(driver, container) == "--flag a b\n"


async def test_a_program_without_a_slash_is_found_in_path(driver: LocalDriver, runs: Runs) -> None:
    container = runs.shell("").evolve(entrypoint="echo", args=("hi",), environment=("PATH=/bin",))
    assert await runs.output(driver, container) == "hi\n"


# Mounts


async def test_default_mounts_come_in_order(driver: LocalDriver, runs: Runs) -> None:
    found = await mounts(driver, runs, security=Security(masked_paths=(), readonly_paths=()))
    assert [(destination, kind) for destination, kind, _ in found[1:8]] == [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/dev/mqueue", "mqueue"),
        ("/sys", "sysfs"),
        ("/run", "tmpfs"),
    ]
    assert [destination for destination, *_ in found[8:]] == ["/etc/hosts", "/etc/resolv.conf"]
    options = {destination: set(options.split(",")) for destination, _, options in found}
    assert {"ro", "nosuid", "noexec", "nodev"} <= options["/sys"]
    assert {"rw", "nosuid", "mode=755", "size=65536k"} <= options["/run"]
    assert {"ro"} <= options["/etc/hosts"]
    assert {"nosuid", "nodev", "noexec"} <= options["/dev/shm"]


async def test_mounts_come_after_the_defaults_and_config_files_last(
    driver: LocalDriver, runs: Runs, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("of the host\n")
    files = runs.paths.config_files_of("a")
    files.mkdir(parents=True)
    (files / "etc-a.conf").write_text("configured\n")
    script = """
        cat /run/file /etc/a.conf
        echo no > /etc/a.conf || echo "config is read-only"
        echo no > /run/file || echo "mount is read-only"
        touch /data/new && echo "mount is writable"
    """
    said = await inside(
        driver,
        runs,
        f"exec 2>/dev/null; {script}",
        mounts=(
            bind(tmp_path / "data", "/data", "bind", "rw"),
            bind(tmp_path / "data", "/run", "bind", "ro"),
        ),
        config_files=(MountedConfigFile(mount_path="/etc/a.conf", file_name="etc-a.conf"),),
    )
    assert said.splitlines() == [
        "of the host",
        "configured",
        "config is read-only",
        "mount is read-only",
        "mount is writable",
    ]
    assert (tmp_path / "data" / "new").exists()


async def test_hosts_and_resolvers_are_the_hosts_and_read_only(
    driver: LocalDriver, runs: Runs
) -> None:
    hosts, resolvers = Path("/etc/hosts").read_text(), Path("/etc/resolv.conf").read_text()
    script = "cat /etc/hosts /etc/resolv.conf; touch /etc/hosts 2>/dev/null || echo refused"
    assert await inside(driver, runs, script) == f"{hosts}{resolvers}refused"


async def test_a_file_of_the_host_that_is_replaced_by_another_is_the_old_one_until_the_next_start(
    driver: LocalDriver, runs: Runs
) -> None:
    """differences: Talos 15: as in Talos. What is mounted is the file, not its name.

    A copy that followed the host's would have to be written in place, so that who reads it then
    sees half of it; and it is the host's own file that the specification of a service names.
    """
    hosts = runs.paths.root / "hosts"
    hosts.write_text("first\n")
    script = """
        trap 'count=$((count + 1)); echo "$count: $(cat /etc/hosts)"' USR1
        echo up
        while :; do sleep 1000 & wait; done
    """
    mounted = (bind(hosts, "/etc/hosts", "rbind", "ro"),)
    async with runs.running(driver, runs.shell(script, mounts=mounted)) as task:
        await runs.says(driver, "up")
        hosts.write_text("in place\n")
        os.kill(task.pid, signal.SIGUSR1)
        await runs.says(driver, "1: in place")
        hosts.with_name("new").write_text("by rename\n")
        hosts.with_name("new").replace(hosts)
        os.kill(task.pid, signal.SIGUSR1)
        await runs.says(driver, "2: in place")
    assert await inside(driver, runs, "cat /etc/hosts", mounts=mounted) == "by rename"


async def test_a_mount_has_the_type_and_the_options_that_it_is_given(
    driver: LocalDriver, runs: Runs
) -> None:
    mount = Mount(
        destination="/tmp/x", type="tmpfs", source="tmpfs", options=("size=64k", "noexec", "ro")
    )
    script = "grep ' /tmp/x ' /proc/self/mountinfo; touch /tmp/x/y 2>/dev/null || echo refused"
    line, refused = (await inside(driver, runs, script, mounts=(mount,))).splitlines()
    assert "noexec" in line
    assert "size=64k" in line
    assert (" - tmpfs " in line, refused) == (True, "refused")


async def test_a_missing_source_directory_is_made(
    driver: LocalDriver, runs: Runs, tmp_path: Path
) -> None:
    source = tmp_path / "var" / "lib" / "a"
    await inside(driver, runs, "touch /data/x", mounts=(bind(source, "/data", "bind", "rw"),))
    assert (source / "x").exists()
    assert source.stat().st_mode & 0o777 == 0o700
    assert source.parent.stat().st_mode & 0o777 == 0o700


async def test_a_missing_source_file_is_an_error_that_names_the_mount(
    driver: LocalDriver, runs: Runs
) -> None:
    container = runs.shell("true", mounts=(bind("/dev/net/nothing", "/dev/net/tun", "bind"),))
    with pytest.raises(RunnerError) as caught:
        await runs.run(driver, container)
    assert str(caught.value) == (
        'source "/dev/net/nothing" of mount "/dev/net/tun" does not exist, and is not created: '
        "/dev has only devices"
    )


async def test_the_hosts_devices_are_there_if_they_are_mounted(
    driver: LocalDriver, runs: Runs
) -> None:
    script = "test -c /dev/null && mount | grep -c ' on /dev type'"
    found = await inside(driver, runs, script, mounts=(bind("/dev", "/dev", "bind", "rw"),))
    assert int(found) == 2


# Masked and read-only paths


async def test_default_paths_are_masked(driver: LocalDriver, runs: Runs) -> None:
    here = [path for path in MASKED_PATHS if Path(path).exists()]
    found = {destination for destination, *_ in await mounts(driver, runs)}
    assert set(here) <= found
    script = "cat /proc/keys | wc -c; ls /sys/firmware | wc -l"
    assert (await inside(driver, runs, script)).split() == ["0", "0"]


async def test_default_paths_are_read_only(driver: LocalDriver, runs: Runs) -> None:
    here = [path for path in READONLY_PATHS if Path(path).exists()]
    found = {d: options.split(",")[0] for d, _, options in await mounts(driver, runs)}
    assert {path: found.get(path) for path in here} == dict.fromkeys(here, "ro")


async def test_no_path_is_masked_or_read_only_if_the_lists_are_empty(
    driver: LocalDriver, runs: Runs
) -> None:
    security = Security(masked_paths=(), readonly_paths=())
    found = {destination for destination, *_ in await mounts(driver, runs, security=security)}
    assert found.isdisjoint({*MASKED_PATHS, *READONLY_PATHS})


async def test_given_paths_replace_the_defaults(driver: LocalDriver, runs: Runs) -> None:
    runs.shell("")
    (runs.paths.rootfs("a") / "secret").write_text("secret\n")
    security = Security(masked_paths=("/secret",), readonly_paths=("/run",))
    script = "cat /secret; touch /run/x 2>/dev/null || echo refused; mount | grep -c /proc/keys"
    said = await inside(driver, runs, script, security=security)
    assert said.splitlines() == ["refused", "0"]


# Sysfs and the root filesystem


@pytest.mark.parametrize("writeable", [False, True])
async def test_sysfs_is_writable_if_asked_for(
    driver: LocalDriver, runs: Runs, writeable: bool
) -> None:
    found = await mounts(driver, runs, security=Security(writeable_sysfs=writeable))
    options = next(options for destination, _, options in found if destination == "/sys")
    assert options.split(",")[0] == ("rw" if writeable else "ro")


async def test_the_root_filesystem_is_read_only_under_a_layer_without_setuid_and_devices(
    driver: LocalDriver, runs: Runs
) -> None:
    destination, kind, options = (await mounts(driver, runs))[0]
    assert (destination, kind, options.split(",")[0]) == ("/", "overlay", "ro")
    # When runc makes it read-only it drops the other two; so look where it does not. crun always
    # drops them. Nothing is gained by that: no new privileges, and all devices are allowed anyway.
    writable = Security(writeable_rootfs=True)
    destination, kind, options = (await mounts(driver, runs, security=writable))[0]
    assert (destination, kind, options.split(",")[0]) == ("/", "overlay", "rw")
    if driver.name != "crun":
        assert {"nosuid", "nodev"} <= set(options.split(","))
    assert await inside(driver, runs, "touch /new 2>/dev/null || echo refused") == "refused"


async def test_what_is_written_to_a_writable_root_filesystem_survives_a_start_but_not_on_disk(
    driver: LocalDriver, runs: Runs
) -> None:
    writable = Security(writeable_rootfs=True)
    script = "test -e /new && echo again || touch /new"
    assert await inside(driver, runs, script, security=writable) == ""
    assert await inside(driver, runs, script, security=writable) == "again"
    assert not (runs.paths.rootfs("a") / "new").exists()


async def test_the_layer_is_wiped_at_the_start_of_a_read_only_service(
    driver: LocalDriver, runs: Runs
) -> None:
    """differences: Talos 7: the layer was never cleaned."""
    writable = Security(writeable_rootfs=True)
    await inside(driver, runs, "touch /new", security=writable)
    assert await inside(driver, runs, "test -e /new || echo gone") == "gone"


async def test_a_root_filesystem_that_is_a_link_is_refused_before_anything_is_mounted(
    driver: LocalDriver, runs: Runs, tmp_path: Path
) -> None:
    """The runtime refused it, in words of its own, and the layer stayed mounted on the target."""
    container, rootfs = runs.shell("true"), runs.paths.rootfs("a")
    rootfs.rename(tmp_path / "elsewhere")
    rootfs.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PreparationError) as caught:
        await driver.prepare("ext-a", container)
    assert str(caught.value) == f"openfs failed: {rootfs}: {LINK_REFUSED}"
    assert tmp_path / "elsewhere" not in mounted_overlays()


async def test_mount_points_are_not_made_in_the_tree_itself(
    driver: LocalDriver, runs: Runs, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    await inside(driver, runs, "true", mounts=(bind(tmp_path / "data", "/deep/down", "bind"),))
    assert not (runs.paths.rootfs("a") / "deep").exists()


async def test_mounts_reach_the_host_through_a_shared_one(
    driver: LocalDriver, runs: Runs, shared: Path
) -> None:
    container = runs.shell(
        "mkdir /shared/sub && mount -t tmpfs tmpfs /shared/sub && echo up; sleep 1000",
        mounts=(bind(shared, "/shared", "rbind", "rshared", "rw"),),
        security=Security(rootfs_propagation="shared"),
    )
    async with runs.running(driver, container):
        await runs.says(driver, "up")
        assert (shared / "sub").is_mount()


async def test_mounts_do_not_reach_the_host_by_default(
    driver: LocalDriver, runs: Runs, shared: Path
) -> None:
    container = runs.shell(
        "mkdir /shared/sub && mount -t tmpfs tmpfs /shared/sub && echo up; sleep 1000",
        mounts=(bind(shared, "/shared", "rbind", "rw"),),
    )
    async with runs.running(driver, container):
        await runs.says(driver, "up")
        assert (shared / "sub").is_dir()
        assert not (shared / "sub").is_mount()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A mount of the host that shares what is mounted below it."""
    shared = tmp_path / "shared"
    shared.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "tmpfs", shared), check=True)
    subprocess.run(("mount", "--make-shared", shared), check=True)
    yield shared
    subprocess.run(("umount", "-R", shared), check=True)

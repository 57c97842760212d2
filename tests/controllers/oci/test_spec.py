"""The OCI specification of a container; sections are those of the behaviour specification."""

import json
from pathlib import Path
from typing import Any

import pytest

from controllers.oci import capabilities
from controllers.oci.host_facts import HostFacts, read_host_facts
from controllers.oci.spec import MASKED_PATHS, READONLY_PATHS, Bundle, notes, oci_spec
from resources.container_spec import ContainerSpec, MountedConfigFile
from resources.extension_service import IDMapping, Mount, Security

GOLDEN = Path(__file__).with_name("hello-world.config.json")
HELLO = ContainerSpec(name="hello-world", entrypoint="./hello", args=("--config", "config.ini"))
TALOS = HostFacts()


def bundle(name: str = "hello-world", *environment: str) -> Bundle:
    return Bundle(
        rootfs=Path("/usr/local/lib/containers") / name,
        config_files=Path("/system/overlays/extensions") / name,
        environment=environment,
    )


def render(container: ContainerSpec, facts: HostFacts = TALOS, *environment: str) -> dict[str, Any]:
    return oci_spec(container, facts, bundle(container.name, *environment))


def secured(**security: Any) -> ContainerSpec:
    return HELLO.evolve(security=Security(**security))


def in_any_order(spec: dict[str, Any]) -> dict[str, Any]:
    """Talos takes capabilities from a map: their order, and that of their rules, is random."""
    for names in spec["process"]["capabilities"].values():
        names.sort()
    spec["linux"]["namespaces"].sort(key=lambda namespace: namespace["type"])
    for rule in spec["linux"]["seccomp"]["syscalls"]:
        rule["names"].sort()
    spec["linux"]["seccomp"]["syscalls"].sort(key=lambda rule: json.dumps(rule, sort_keys=True))
    return spec


def test_the_example_of_the_documentation_gives_what_talos_gives() -> None:
    rendered = json.loads(json.dumps(render(HELLO)))
    assert in_any_order(rendered) == in_any_order(json.loads(GOLDEN.read_text()))


def test_unset_masked_and_readonly_paths_are_the_defaults() -> None:
    linux = render(secured())["linux"]
    assert linux["maskedPaths"] == list(MASKED_PATHS)
    assert linux["readonlyPaths"] == list(READONLY_PATHS)


def test_empty_masked_and_readonly_paths_are_none_at_all() -> None:
    linux = render(secured(masked_paths=(), readonly_paths=()))["linux"]
    assert "maskedPaths" not in linux
    assert "readonlyPaths" not in linux


def test_given_masked_and_readonly_paths_replace_the_defaults() -> None:
    linux = render(secured(masked_paths=("/proc/kcore",), readonly_paths=("/sys",)))["linux"]
    assert linux["maskedPaths"] == ["/proc/kcore"]
    assert linux["readonlyPaths"] == ["/sys"]


def test_a_writeable_rootfs_is_not_readonly() -> None:
    assert render(secured())["root"]["readonly"] is True
    assert render(secured(writeable_rootfs=True))["root"]["readonly"] is False


def test_a_writeable_sysfs_concerns_mounts_of_that_type_only() -> None:
    container = secured(writeable_sysfs=True).evolve(
        mounts=(
            Mount(destination="/x/sys", source="/sys", type="bind", options=("rbind", "ro")),
            Mount(destination="/y/sys", source="sysfs", type="sysfs", options=("ro", "nodev")),
        )
    )
    options = {m["destination"]: m["options"] for m in render(container)["mounts"]}
    assert options["/sys"] == ["nosuid", "noexec", "nodev", "rw"]
    assert options["/x/sys"] == ["rbind", "ro"]
    assert options["/y/sys"] == ["rw", "nodev"]


def test_mounts_come_in_order_defaults_then_the_definition_then_config_files() -> None:
    container = HELLO.evolve(
        mounts=(
            Mount(destination="/run", source="/run", type="bind", options=("rshared", "rw")),
            Mount(destination="/dev", source="/dev", type="bind", options=("bind",)),
        ),
        config_files=(MountedConfigFile(mount_path="/etc/a.conf", file_name="etc-a.conf"),),
    )
    mounts = render(container, HostFacts(in_container=True))["mounts"]
    assert [mount["destination"] for mount in mounts[:9]] == [
        mount["destination"] for mount in json.loads(GOLDEN.read_text())["mounts"]
    ]
    assert mounts[9:] == [
        {"destination": "/run", "type": "bind", "source": "/run", "options": ["rshared", "rw"]},
        {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["bind"]},
        {
            "destination": "/usr/etc/in-container",
            "type": "bind",
            "source": "/usr/etc/in-container",
            "options": ["bind", "ro"],
        },
        {
            "destination": "/etc/a.conf",
            "type": "bind",
            "source": "/system/overlays/extensions/hello-world/etc-a.conf",
            "options": ["ro", "bind"],
        },
    ]


def test_id_mappings_are_passed_on() -> None:
    mapping = IDMapping(container_id=0, host_id=1000, size=10)
    mount = Mount(destination="/x", source="/x", uid_mappings=(mapping,))
    assert render(HELLO.evolve(mounts=(mount,)))["mounts"][-1] == {
        "destination": "/x",
        "source": "/x",
        "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
    }


def test_the_rootfs_propagation_is_as_given_or_absent() -> None:
    assert "rootfsPropagation" not in render(HELLO)["linux"]
    assert render(secured(rootfs_propagation="shared"))["linux"]["rootfsPropagation"] == "shared"


def test_the_environment_is_absent_when_it_is_empty() -> None:
    assert "env" not in render(HELLO)["process"]
    assert render(HELLO, TALOS, "FOO=BAR")["process"]["env"] == ["FOO=BAR"]


def test_what_the_supervisor_has_not_got_is_left_out_and_said() -> None:
    held = capabilities.ALL - {"CAP_SYS_RESOURCE", "CAP_BPF"}
    facts = HostFacts(capabilities=held)
    spec = render(HELLO, facts)
    assert set(spec["process"]["capabilities"]["bounding"]) == held - {
        "CAP_SYS_BOOT",
        "CAP_SYS_MODULE",
    }
    assert "oomScoreAdj" not in spec["process"]
    text = "The supervisor lacks and cannot grant "
    score = "the OOM score is not lowered to -600"
    assert notes(facts) == (f"{text}CAP_SYS_RESOURCE, CAP_BPF; {score}",)
    facts = HostFacts(capabilities=capabilities.ALL - {"CAP_BPF"})
    assert notes(facts) == (f"{text}CAP_BPF",)


def test_a_full_supervisor_has_nothing_to_say() -> None:
    assert notes(TALOS) == ()


def test_a_runtime_without_seccomp_gets_no_profile_and_that_is_said() -> None:
    facts = HostFacts(seccomp=False)
    assert "seccomp" not in render(HELLO, facts)["linux"]
    assert notes(facts) == ("No seccomp profile: the container runtime was built without seccomp",)


def test_a_machine_without_a_profile_gets_none_and_that_is_said() -> None:
    facts = HostFacts(architecture="riscv64")
    assert "seccomp" not in render(HELLO, facts)["linux"]
    assert notes(facts) == ("No seccomp profile: there is none for riscv64",)


def test_arm64_has_its_own_system_calls() -> None:
    profile = render(HELLO, HostFacts(architecture="arm64"))["linux"]["seccomp"]
    assert profile["architectures"] == ["SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"]
    names = [rule["names"] for rule in profile["syscalls"]]
    assert ["arch_prctl", "modify_ldt"] not in names
    assert [
        "arm_fadvise64_64",
        "arm_sync_file_range",
        "sync_file_range2",
        "breakpoint",
        "cacheflush",
        "set_tls",
    ] in names


def test_without_sys_admin_clone_makes_no_namespaces() -> None:
    facts = HostFacts(capabilities=capabilities.ALL - {"CAP_SYS_ADMIN"})
    rules = render(HELLO, facts)["linux"]["seccomp"]["syscalls"]
    assert rules[-2:] == [
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]


def test_a_machine_that_is_a_container_keeps_its_cgroups_below_its_own() -> None:
    facts = HostFacts(in_container=True, cgroup_root="/docker/1234")
    assert render(HELLO, facts)["linux"]["cgroupsPath"] == (
        "/docker/1234/system/extensions/hello-world"
    )


def test_selinux_labels_the_process_where_it_is_enabled() -> None:
    label = "system_u:system_r:unconfined_container_t:s0"
    assert render(HELLO, HostFacts(selinux_label=label))["process"]["selinuxLabel"] == label


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("runc version 1.1.5\nspec: 1.0.2-dev\nlibseccomp: 2.5.4\n", "1.0.2"),
        ("crun version 1.8.1\nspec: 1.0.0\n+SYSTEMD +CAP +SECCOMP\n", "1.0.0"),
        ("runc version 1.5.0\nspec: 1.4.0\nlibseccomp: 2.6.0\n", "1.3.0"),
        ("unheard of, libseccomp", "1.3.0"),
    ],
)
def test_the_version_written_is_one_that_the_runtime_knows(printed: str, version: str) -> None:
    facts = read_host_facts(printed)
    assert facts.oci_version == version
    assert facts.seccomp is True

"""Synonyms of our words and keys in other systems: data for suggestions only.

They are collected from systemd units, Compose files and Kubernetes manifests, in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from resources.extension_service import NetworkCheck, Restart

WORDS: Final[Mapping[type[StrEnum], Mapping[StrEnum, tuple[str, ...]]]] = {
    Restart: {
        Restart.ALWAYS: ("forever", "yes", "true", "on", "unless-stopped", "any", "1"),
        Restart.NEVER: ("once", "no", "false", "off", "none", "oneshot", "manual", "0"),
        Restart.UNTIL_SUCCESS: (
            "on-failure",
            "onfailure",
            "on_failure",
            "until-success",
            "until_success",
            "on-abnormal",
            "on-error",
            "onerror",
            "retry",
            "failure",
        ),
    },
    NetworkCheck: {
        NetworkCheck.ADDRESSES: ("ip", "ips", "dhcp", "interface", "interfaces", "link", "up"),
        NetworkCheck.CONNECTIVITY: ("online", "internet", "route", "routes", "gateway", "ready"),
        NetworkCheck.HOSTNAME: ("name", "host", "fqdn"),
        NetworkCheck.ETCFILES: ("dns", "resolver", "resolv.conf", "hosts", "etc", "etc-files"),
    },
}

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "entrypoint": ("command", "cmd", "exec", "execstart", "program", "binary", "run"),
    "args": ("arguments", "argv", "parameters"),
    "environment": ("env", "envs", "variables", "vars"),
    "environmentFile": ("envfile", "env_file", "envfrom"),
    "mounts": ("volumes", "volumemounts", "binds"),
    "depends": ("requires", "after", "wants", "needs", "depends_on", "dependson", "dependencies"),
    "restart": ("restartpolicy", "restart_policy"),
    "logToConsole": ("console", "stdout", "log_to_console"),
    "configFiles": ("files", "configs"),
    "mountPath": ("path", "destination", "target"),
    "destination": ("target", "mountpath", "dest"),
    "source": ("src", "from", "hostpath"),
    "readonlyPaths": ("readonly", "read_only"),
    "writeableRootfs": ("writablerootfs", "writable"),
    "writeableSysfs": ("writablesysfs",),
    "name": ("id", "service_name"),
}
"""The names of each of our keys in other systems."""


def meant_word(word: str, choice: type[StrEnum]) -> StrEnum | None:
    """The word of ``choice`` with the meaning of ``word``, if known."""
    folded = word.casefold()
    found = (ours for ours, theirs in WORDS.get(choice, {}).items() if folded in theirs)
    return next(found, None)


def meant_keys(key: str) -> tuple[str, ...]:
    """Our keys that are called ``key`` in other systems."""
    folded = key.casefold()
    return tuple(ours for ours, theirs in KEYS.items() if folded in theirs)

"""Capabilities of a container: those of its supervisor, except the ones over the kernel."""

from __future__ import annotations

from typing import Final

_BY_NUMBER: Final = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER
    SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE
    SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP
    MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
    CHECKPOINT_RESTORE
"""

NAMES: Final = tuple(f"CAP_{name}" for name in _BY_NUMBER.split())
"""All capabilities in the kernel's order (linux/capability.h)."""

ALL: Final = frozenset(NAMES)

NEVER_GRANTED: Final = frozenset({"CAP_SYS_BOOT", "CAP_SYS_MODULE"})
"""Talos grants these to no program that it starts (Talos 1.14: ``pkg/capability``)."""


def named(mask: int) -> frozenset[str]:
    """The capabilities of a mask from ``/proc/PID/status``; unknown bits are ignored."""
    return frozenset(name for number, name in enumerate(NAMES) if mask >> number & 1)


def grantable(held: frozenset[str]) -> tuple[str, ...]:
    """The capabilities in ``held`` that a container may get, in the kernel's order."""
    return tuple(name for name in NAMES if name in held and name not in NEVER_GRANTED)


def withheld(held: frozenset[str]) -> tuple[str, ...]:
    """The capabilities that a container does not get because its supervisor lacks them."""
    return tuple(name for name in NAMES if name not in held and name not in NEVER_GRANTED)

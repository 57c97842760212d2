"""Errors of the operating system as Go writes them, for the messages that Talos and we share."""

from __future__ import annotations


def os_error_text(error: OSError, operation: str = "") -> str:
    """`mkdir /var/x: read-only file system`, as far as it is known."""
    words = " ".join(str(word) for word in (operation, error.filename) if word)
    reason = (error.strerror or str(error)).lower()
    return f"{words}: {reason}" if words else reason

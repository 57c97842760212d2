"""Whether the program of a container can be there at all, found out before anything is started."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from controllers.files.inside import (
    ContainerView,
    Mounted,
)
from resources.container_spec import DEFAULT_MOUNTS
from resources.extension_service import Mount


def container_view(
    rootfs: Path, mounts: Iterable[Mount], files: Iterable[Mounted] = ()
) -> ContainerView:
    """What a container with these mounts will see; `files` are the service's config files."""
    return ContainerView(rootfs, [*map(_mounted, (*DEFAULT_MOUNTS, *mounts)), *files])


def look_for(entrypoint: str, view: ContainerView) -> Path | None:
    """Where the host has the entrypoint; `None` if that is not certain.

    It is not if it is searched for in PATH, or lies in what is mounted and cannot be seen yet.

    Raises:
        Missing: it is certainly not there.
    """
    return view.find(entrypoint) if "/" in entrypoint else None


def without_dots(path: str) -> Path:
    """The path below a root filesystem, in the words of a definition; links are not followed."""
    return Path(PurePosixPath("/", path).relative_to("/"))


def _mounted(mount: Mount) -> Mounted:
    source = Path(mount.source) if mount.is_bind and mount.source.startswith("/") else None
    return Mounted(mount.destination, source)

"""The hostname reader: reports the machine's name, and its changes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import anyio

from controllers.host.proc_events import HOSTNAME, each_change

log = logging.getLogger(__name__)


class HostnameReader:
    """Reports the node name of this UTS namespace, as uname(2) gives it."""

    async def follow(self, report: Callable[[str], None]) -> None:
        """See :class:`~controllers.host.reader.HostReader`.

        The kernel announces changes in every UTS namespace, containers' too; only those of ours
        are reported. Without /proc the name is reported once.
        """
        last: str | None = None

        async def look() -> None:
            nonlocal last
            name = os.uname().nodename
            if name != last:
                last = name
                report(name)

        try:
            await each_change(HOSTNAME, look)
        except FileNotFoundError:
            await look()
            log.info("changes of the host name will not be noticed", extra={"missing": HOSTNAME})
            await anyio.sleep_forever()

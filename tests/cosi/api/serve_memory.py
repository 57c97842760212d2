"""A server in a process of its own: ``python -m tests.cosi.api.serve_memory SOCKET``."""

import logging
import sys
from pathlib import Path

import anyio

from cosi import InMemoryState
from cosi.api.server import UnixListener, serve


async def main(socket: Path) -> None:
    async with serve(InMemoryState(), UnixListener(socket)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    logging.basicConfig()
    anyio.run(main, Path(sys.argv[1]))

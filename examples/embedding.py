"""Extension services inside a program of your own; Ctrl-C ends it."""

import signal

import anyio

from controllers.application import extension_services
from controllers.drivers.choose import choose_driver
from controllers.paths import Paths
from cosi import InMemoryState, Runtime


async def main() -> None:
    paths = Paths("examples/rootfs")
    runtime = Runtime(InMemoryState())
    runtime.register(*extension_services(paths, choose_driver("auto", paths)))

    # Around it all: a second signal must not cut the stop short.
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            await anext(signals)
            tasks.cancel_scope.cancel()  # stops every controller; the runner stops its containers


if __name__ == "__main__":
    anyio.run(main)

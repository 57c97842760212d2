"""Extension services inside a program of your own; Ctrl-C ends it."""

import logging
import signal

import anyio

from controllers.application import extension_services
from controllers.drivers.choose import choose_driver
from controllers.paths import Paths
from cosi import InMemoryState, Resource, Runtime
from resources.network_status import NETWORK_STATUS_ID, NetworkStatus

ONLINE = NetworkStatus(
    address_ready=True, connectivity_ready=True, hostname_ready=True, etc_files_ready=True
)


async def main() -> None:
    paths = Paths("examples/rootfs")
    state = InMemoryState()
    # The program sets the network status; without it, a controller asks the kernel.
    await state.create(Resource.new(NETWORK_STATUS_ID, ONLINE))
    runtime = Runtime(state)
    runtime.register(*extension_services(paths, choose_driver("auto", paths)))

    # Outermost, so that a second signal does not cut the stop short.
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(runtime.run)
            await anext(signals)
            tasks.cancel_scope.cancel()  # stops every controller; the runner stops its containers


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # each step of a service
    anyio.run(main)

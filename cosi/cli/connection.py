"""Connects a command to its server, and runs its requests there.

A command that needs a server is decorated with :func:`connects`. It gets a :class:`Server`, and
passes an async function of the :class:`Connection` to :func:`ask_each`, :func:`ask` or
:func:`follow`. ``connection_options.py`` has the options, ``server.py`` the address. gRPC is
imported only when a connection is made.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import click

from cosi.cli.connection_options import connects
from cosi.cli.server import ClientTLS, NoServer, Server
from cosi.errors import CosiError, Unavailable

if TYPE_CHECKING:
    from grpc.aio import Channel

    from cosi.state._state import State

__all__ = [
    "ClientTLS",
    "Connection",
    "NoServer",
    "NodesFailed",
    "Server",
    "ask",
    "ask_each",
    "connect",
    "connects",
    "follow",
]

T = TypeVar("T")

ANSWER_SECONDS: Final = 60.0
"""How long a command without ``--follow`` or ``--watch`` may take, for each node."""
ATTEMPT_SECONDS: Final = 5.0
"""How long one of several endpoints may take to answer before the next one is tried."""


class NodesFailed(CosiError):
    """The errors of some of several nodes; one line for each, in talosctl's form."""


@dataclass(frozen=True)
class Connection:
    """An open ``channel`` to a server, and its state; calls carry ``metadata``.

    ``node`` is the name that output and errors show.
    """

    node: str
    channel: Channel
    state: State
    metadata: tuple[tuple[str, str], ...] = ()

    def at(self, node: str) -> Connection:
        """A connection to ``node`` behind the same server (Talos 1.14, apid: ``node`` metadata)."""
        from cosi.api.client import RemoteState

        metadata = (("node", node),)
        return Connection(
            node, self.channel, RemoteState(self.channel, metadata=metadata), metadata
        )


# -- asking -----------------------------------------------------------------------------------


def ask(
    server: Server,
    work: Callable[[Connection], Awaitable[T]],
    *,
    seconds: float = ANSWER_SECONDS,
) -> T:
    """Connect and await ``work``, for ``seconds`` at most.

    Raises :class:`NoServer`, also for a timeout, :class:`click.UsageError` for several nodes, and
    the errors of ``work``.
    """
    if len(server.nodes) > 1:
        names = ", ".join(server.nodes)
        raise click.UsageError(f"ask exactly one node, with --node NAME: {names}")

    async def bounded() -> T:
        with _time(server.address, seconds):
            async with connect(server) as connection:
                return await work(connection)

    return _run(server, bounded)


def ask_each(
    server: Server,
    work: Callable[[Connection], Awaitable[T]],
    show: Callable[[Sequence[T]], None],
    *,
    seconds: float = ANSWER_SECONDS,
) -> None:
    """Await ``work`` for each node in turn, then ``show`` all results.

    The results are shown even if some nodes fail. Raises the errors of :func:`ask` for a single
    node; for several, :class:`NodesFailed` after the results are shown.
    """
    if len(server.nodes) < 2:
        show([ask(server, work, seconds=seconds)])
        return
    answers: list[T] = []
    problems: list[str] = []

    async def in_turn() -> None:
        async with connect(server) as connection:
            for node in server.nodes:
                try:
                    with _time(node, seconds):
                        answers.append(await work(connection.at(node)))
                except CosiError as error:
                    problems.append(_of_node(node, error))

    _run(server, in_turn)
    try:
        if answers:
            show(answers)
    except CosiError as error:
        problems.append(str(error))
    if problems:
        raise NodesFailed("\n".join(problems))


def follow(server: Server, work: Callable[[Connection], Awaitable[None]]) -> None:
    """Connect and await ``work``, for all nodes at once, until it ends or the user presses Ctrl-C.

    Ctrl-C is no error. If one of several nodes fails, its error is printed at once, and the exit
    code is 1 when the others have ended, too.
    """
    failed = False

    async def followed(connection: Connection) -> None:
        nonlocal failed
        try:
            await work(connection)
        except CosiError as error:
            failed = True
            click.echo(f"cosi: {_of_node(connection.node, error)}", err=True)

    async def all_nodes() -> None:
        import anyio

        async with connect(server) as connection:
            if len(server.nodes) < 2:
                await work(connection)
                return
            async with anyio.create_task_group() as tasks:
                for node in server.nodes:
                    tasks.start_soon(followed, connection.at(node))

    async def unbounded() -> None:
        await _while_it_is_read(all_nodes)

    try:
        _run(server, unbounded)
    except KeyboardInterrupt:
        return
    if failed:
        raise click.exceptions.Exit(1)


async def _while_it_is_read(work: Callable[[], Awaitable[None]]) -> None:
    """Await ``work`` until it ends, or the reader of the standard output has gone."""
    import anyio

    from cosi.cli.standard_files import reader_gone

    failure: Exception | None = None  # raised as it is, not in an exception group of both tasks

    async def end_with_the_reader() -> None:
        await reader_gone()
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end_with_the_reader)
        try:
            await work()
        except Exception as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


def _of_node(node: str, error: CosiError) -> str:
    return f"error from node {node}: {error}"


@contextmanager
def _time(whom: str, seconds: float) -> Generator[None]:
    """Raise :class:`NoServer` if the block takes longer."""
    import anyio

    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise NoServer(f"no answer from {whom} in {seconds:.0f} s") from None


def _run(server: Server, work: Callable[[], Awaitable[T]]) -> T:
    import anyio

    server.check()
    # gRPC's C core writes to the terminal about connections that it will try again.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        return anyio.run(work)
    except Unavailable as error:
        raise NoServer(f"no server at {', '.join(server.addresses)}: {error}") from error


# -- connecting -------------------------------------------------------------------------------


@asynccontextmanager
async def connect(server: Server) -> AsyncGenerator[Connection]:
    """Connect for the block, to the first address of ``server`` that answers.

    Raises :class:`NoServer` if gRPC is not installed.
    """
    try:
        from cosi.api.client import RemoteState, open_channel
    except ImportError as error:
        raise NoServer(f"{error}; connecting needs `pip install 'cosi[grpc]'`") from error
    credentials = server.security.credentials() if server.security else None
    opened = _first_that_answers(
        server.addresses, lambda address: open_channel(address, credentials)
    )
    async with opened as (address, channel):
        connection = Connection(server.shown(address), channel, RemoteState(channel))
        yield connection.at(server.nodes[0]) if server.nodes else connection


@asynccontextmanager
async def _first_that_answers(
    addresses: Sequence[str], open: Callable[[str], Channel]
) -> AsyncGenerator[tuple[str, Channel]]:
    """Open a channel to the first address that answers, or else to the last one, untested.

    The first call then raises the error of the last address.
    """
    for address in addresses[:-1]:
        async with open(address) as channel:
            if await _answers(channel):
                yield address, channel
                return
    async with open(addresses[-1]) as channel:
        yield addresses[-1], channel


async def _answers(channel: Channel) -> bool:
    """Whether the channel connects (TLS included) within :data:`ATTEMPT_SECONDS`."""
    import anyio
    from grpc import ChannelConnectivity as Is

    from cosi.api.cancellation import reply

    state = channel.get_state(try_to_connect=True)
    with anyio.move_on_after(ATTEMPT_SECONDS):
        while state in {Is.IDLE, Is.CONNECTING}:
            await reply(channel.wait_for_state_change(state))
            state = channel.get_state(try_to_connect=True)
    return state is Is.READY

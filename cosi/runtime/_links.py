"""What a controller follows: a link from each of its inputs and outputs to an informer."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from itertools import count
from typing import Any, Protocol

import anyio

from cosi.controller._in_flight import WorkToken
from cosi.controller._runtime_side import Handle
from cosi.errors import AccessDenied, CosiError, Unsupported
from cosi.resource._envelope import Kind
from cosi.resource._pointer import Pointer
from cosi.runtime._engine import Engine
from cosi.runtime._informer import Informer, Listener, Refusal, Refused, Relisted
from cosi.runtime._live_only import live_changes
from cosi.runtime._own_outputs import OwnOutputs


class LinkHost(Protocol):
    """What the links need of the adapter of their controller."""

    name: str
    log: logging.Logger
    engine: Engine
    token: WorkToken
    own_outputs: OwnOutputs
    closed: bool

    def listener(self, handle: Handle, number: int) -> Listener:
        """The function to call when something changes behind an input, the link of ``number``."""
        ...

    def retargeted(self, handle: Handle) -> None:
        """An input points at something else from now on."""
        ...

    def failed(
        self, error: BaseException, attempt: int, delay: float, pointer: Pointer | None = None
    ) -> None:
        """Count and keep a failure."""
        ...


class InformerLink:
    """One link: what it follows, its informer, and the function that is called."""

    __slots__ = (
        *("ids", "informer", "kind", "name", "notify"),
        *("refused", "relisted", "times_refused"),
    )

    def __init__(self, handle: Handle, ids: frozenset[str] | None, notify: Listener) -> None:
        self.name = f"{'output' if handle.writes else 'input'} {handle.name}"
        self.kind = handle.kind
        self.ids = ids
        self.notify = notify
        self.informer: Informer | None = None
        self.refused: Refused | None = None
        self.relisted: Relisted | None = None
        self.times_refused = 0  # since it was followed last

    @property
    def open(self) -> bool:
        """Whether every change from now on reaches the controller."""
        return self.informer is None or self.informer.opened.is_set()

    def refusal(self, error: CosiError) -> CosiError:
        """The error for users: what was refused, the state's reason, and the remedy."""
        unsupported = isinstance(error, Unsupported)
        way_out = "use a state that offers it" if unsupported else "allow this runtime to watch it"
        refusal = (Unsupported if unsupported else AccessDenied)(
            f"{self.name} cannot follow {self.kind}: {error}; {way_out}, or retarget it",
            error.pointer or self.kind.pointer(""),
        )
        refusal.__cause__ = error
        return refusal


class Links:
    """The links of one controller, from its start to its end.

    Each input has one, which moves with it; each kind of an output has one, which stays.
    """

    def __init__(self, host: LinkHost) -> None:
        self._host = host
        self._inputs: dict[Handle, InformerLink] = {}
        self._outputs: dict[Kind[Any], InformerLink] = {}
        self._numbers = count()
        self._ready = anyio.Event()  # all that the controller needs is followed

    def connect(self, handles: Iterable[Handle]) -> None:
        """Follow what the handles point at."""
        for handle in handles:
            if handle.writes:
                self.follow_output(handle)
            else:
                self._follow_input(handle)

    def disconnect(self) -> None:
        """Follow nothing any more."""
        for link in (*self._inputs.values(), *self._outputs.values()):
            self._leave(link)
        self._inputs.clear()
        self._outputs.clear()

    async def opened(self) -> None:
        """Wait until every link is open."""
        self._look()
        await self._ready.wait()

    def follow_output(self, handle: Handle) -> None:
        """Follow the outputs where ``handle`` points, besides those where it pointed before."""
        if handle.kind not in self._outputs:
            link = self._outputs[handle.kind] = InformerLink(
                handle, None, self._host.own_outputs.changed
            )
            self._follow(link)
            link.relisted = partial(self._host.own_outputs.relisted, link.kind)
            if link.informer is not None:
                link.informer.when_relisted(link.relisted)

    def retarget(self, handle: Handle) -> None:
        """Follow what an input points at now, and nothing else; report it once that is followed."""
        self._leave(self._inputs.pop(handle))
        link = self._follow_input(handle)
        self._look()  # what it waited for may have been the old one
        if link.open or link.informer is None:
            self._host.retargeted(handle)
        else:
            link.informer.when_open(lambda: self._host.retargeted(handle))

    def _follow_input(self, handle: Handle) -> InformerLink:
        listener = self._host.listener(handle, next(self._numbers))
        notify = live_changes(listener) if handle.live_only else listener
        link = self._inputs[handle] = InformerLink(handle, handle.ids, notify)
        self._follow(link)
        return link

    def _follow(self, link: InformerLink) -> None:
        informers = self._host.engine.informers
        informer = link.informer = informers.listen(link.kind, link.notify, link.ids)
        if not informer.opened.is_set():
            informer.when_open(self._look)
        link.refused = partial(self._refused, link)
        informer.when_refused(link.refused)

    def _leave(self, link: InformerLink) -> None:
        if link.informer is not None and link.refused is not None:
            link.informer.forget(link.refused, link.relisted)
            self._host.engine.informers.leave(link.informer, link.notify, link.ids)

    def _look(self) -> None:
        """Begin if all is followed; until then, be busy unless something is refused."""
        host = self._host
        if self._ready.is_set() or host.closed:
            return
        links = (*self._inputs.values(), *self._outputs.values())
        if any(link.informer is not None and link.informer.refusal is not None for link in links):
            host.token.park()
            return
        host.token.resume()
        if all(link.open for link in links):
            self._ready.set()

    def _refused(self, link: InformerLink, refusal: Refusal | None) -> None:
        """A failure like any other; the informer tries again, and tells us."""
        host = self._host
        if refusal is None:
            link.times_refused = 0
        else:
            link.times_refused += 1
            error = link.refusal(refusal.error)
            delay = max(0.0, refusal.at_seconds - host.engine.clock())
            host.failed(error, link.times_refused, delay)
            # Once: it stays so until the state is reconfigured, and each attempt is a failure.
            level = logging.ERROR if link.times_refused == 1 else logging.DEBUG
            about = {"controller": host.name, "interval": delay, "attempt": link.times_refused}
            host.log.log(level, "%s", error, extra=about)
        self._look()

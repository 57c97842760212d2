"""Who may do what over TCP."""

import base64
import logging
import socket
import ssl
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from cosi import AnySpec, CosiError, InMemoryState, Kind, NotFound, Resource
from cosi.api._limits import REQUEST_BYTES
from cosi.api.certificates import (
    Authority,
    CertificateError,
    Identity,
    generate_config,
    server_credentials,
)
from cosi.api.client import RemoteState, connect
from cosi.api.roles import Role
from cosi.api.server import TLSListener, UnixListener, serve
from cosi.api.sockets import ListenError
from cosi.errors import AccessDenied, Unavailable
from cosi.state import TypeRegistry, register_types
from tests.cosi.api.things import Secret, Thing

AUTHORITY = Authority.new()
SERVER = AUTHORITY.server(["localhost", "127.0.0.1"])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "crt": SERVER.certificate,
        "key": SERVER.key,
        "ca": AUTHORITY.identity.certificate,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


@asynccontextmanager
async def serving(
    state: InMemoryState, files: dict[str, Path], *, client_ca: bool
) -> AsyncGenerator[str]:
    ca = files["ca"] if client_ca else None
    listener = TLSListener("localhost:0", files["crt"], files["key"], ca)
    async with serve(state, listener, types=TypeRegistry(Thing, Secret)) as (address,):
        yield address


def credentials(client: Identity | None = None) -> grpc.ChannelCredentials:
    ca = AUTHORITY.identity.certificate
    if client is None:
        return grpc.ssl_channel_credentials(ca)
    return grpc.ssl_channel_credentials(ca, client.key, client.certificate)


async def write(state: RemoteState) -> Any:
    return await state.create(Resource.new("b", Thing()))


async def read(state: RemoteState) -> Any:
    return await state.get(Thing, "a")


async def read_many(state: RemoteState) -> Any:
    return await state.list(Thing)


async def follow(state: RemoteState) -> Any:
    async with state.watch(Thing):
        pass


async def read_secret(state: RemoteState) -> Any:
    return await state.get(Secret, "a")


async def follow_secret(state: RemoteState) -> Any:
    async with state.watch(Secret):
        pass


async def list_unknown(state: RemoteState) -> Any:
    return await state.list(Kind("test", "Unknowns.test.cosi.dev", AnySpec))


async def list_elsewhere(state: RemoteState) -> Any:
    return await state.list(Kind("elsewhere", "Things.test.cosi.dev", Thing))


Attempt = Callable[[RemoteState], Awaitable[Any]]
READING: tuple[Attempt, ...] = (read, read_many, follow)
ADMINS_ONLY: dict[Attempt, str] = {
    write: "not authorized",
    read_secret: "not authorized",
    follow_secret: "not authorized",
    list_unknown: 'resource type "Unknowns.test.cosi.dev" is not supported',
    list_elsewhere: 'namespace "elsewhere" is not supported',
}


@pytest.fixture
async def filled(state: InMemoryState) -> InMemoryState:
    await state.create(Resource.new("a", Thing()))
    await state.create(Resource.new("a", Secret(word="x")))
    return state


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.READER])
async def test_readers_and_operators_read_what_is_not_sensitive(
    filled: InMemoryState, files: dict[str, Path], role: Role, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    client = AUTHORITY.client("jane", role)
    async with (
        serving(filled, files, client_ca=True) as address,
        connect(address, credentials=credentials(client)) as remote,
    ):
        for attempt in READING:
            await attempt(remote)
        for attempt, text in ADMINS_ONLY.items():
            with pytest.raises(AccessDenied, match=text):
                await attempt(remote)

    assert "refused /cosi.resource.State/Create to" in caplog.text
    assert "jane" in caplog.text


async def test_administrators_do_everything(filled: InMemoryState, files: dict[str, Path]) -> None:
    client = AUTHORITY.client("admin", Role.ADMIN)
    async with (
        serving(filled, files, client_ca=True) as address,
        connect(address, credentials=credentials(client)) as remote,
    ):
        for attempt in (*READING, *ADMINS_ONLY):
            await attempt(remote)

    assert await filled.get(Thing, "b")


@pytest.mark.parametrize(
    "client",
    [
        AUTHORITY.client("x"),
        AUTHORITY.client("x", "os:nobody"),
        SERVER,  # its extended key usage is another one
    ],
    ids=["no role", "unknown role", "not for clients"],
)
async def test_a_certificate_without_a_role_may_nothing(
    filled: InMemoryState, files: dict[str, Path], client: Identity
) -> None:
    async with (
        serving(filled, files, client_ca=True) as address,
        connect(address, credentials=credentials(client)) as remote,
    ):
        with pytest.raises((AccessDenied, Unavailable)):  # the latter from TLS itself
            await read(remote)


@pytest.mark.parametrize("client", [None, Authority.new().client("x", Role.ADMIN)])
async def test_without_a_certificate_of_the_ca_nobody_connects(
    filled: InMemoryState, files: dict[str, Path], client: Identity | None
) -> None:
    async with (
        serving(filled, files, client_ca=True) as address,
        connect(address, credentials=credentials(client)) as remote,
    ):
        with pytest.raises(Unavailable):
            await read(remote)


async def test_without_a_client_ca_anyone_may_read_and_nobody_write(
    filled: InMemoryState, files: dict[str, Path]
) -> None:
    admin = AUTHORITY.client("admin", Role.ADMIN)
    async with (
        serving(filled, files, client_ca=False) as address,
        connect(address, credentials=credentials(admin)) as remote,
    ):
        for attempt in READING:
            await attempt(remote)
        with pytest.raises(AccessDenied, match="write access is not allowed"):
            await write(remote)
        with pytest.raises(AccessDenied, match="not authorized"):
            await read_secret(remote)


async def test_without_a_client_ca_no_request_is_large(
    filled: InMemoryState, files: dict[str, Path]
) -> None:
    """Anyone may send one: gRPC refuses it by its length, and does not take in 32 MiB first."""
    async with (
        serving(filled, files, client_ca=False) as address,
        connect(address, credentials=credentials()) as remote,
    ):
        with pytest.raises(CosiError, match="larger than max"):
            await remote.create(Resource.new("b", Thing(raw=b"x" * REQUEST_BYTES)))


async def test_a_type_that_only_the_state_knows_is_shown_or_not_by_its_definition(
    filled: InMemoryState, files: dict[str, Path]
) -> None:
    await register_types(filled, Thing, Secret)
    listener = TLSListener("localhost:0", files["crt"], files["key"])
    async with (
        serve(filled, listener, types=TypeRegistry(Other)) as (address,),
        connect(address, credentials=credentials()) as remote,
    ):
        assert (await remote.get(Thing, "a")).id == "a"
        with pytest.raises(AccessDenied, match="not authorized"):
            await read_secret(remote)


class Other(Thing, type="Others.test.cosi.dev"):
    """So that a registry knows something, but not what is asked for."""


async def test_several_listeners_serve_one_state(
    filled: InMemoryState, files: dict[str, Path], socket: Path
) -> None:
    tcp = TLSListener("localhost:0", files["crt"], files["key"])
    async with (
        serve(filled, UnixListener(socket), tcp) as (local, public),
        connect(local) as here,
        connect(public, credentials=credentials()) as there,
    ):
        await write(here)
        assert (await there.get(Thing, "b")).id == "b"
        with pytest.raises(NotFound):
            await here.get(Thing, "c")


async def test_it_is_tls_1_2_or_newer_and_http_2(
    state: InMemoryState, files: dict[str, Path]
) -> None:
    import anyio

    async with serving(state, files, client_ca=False) as address:
        port = int(address.rpartition(":")[2])
        assert await anyio.to_thread.run_sync(shake_hands, port, ssl.TLSVersion.TLSv1_2) == "h2"
        with pytest.raises((ssl.SSLError, OSError)):
            await anyio.to_thread.run_sync(shake_hands, port, ssl.TLSVersion.TLSv1_1)
        async with connect(address) as plaintext:
            with pytest.raises(Unavailable):
                await plaintext.list(Thing)


def shake_hands(port: int, newest: ssl.TLSVersion) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if newest is not ssl.TLSVersion.TLSv1_2:
        context = old_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        return connection.selected_alpn_protocol()


def old_context() -> ssl.SSLContext:
    import warnings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


async def test_an_address_that_is_taken_is_named(
    state: InMemoryState, files: dict[str, Path]
) -> None:
    async with serving(state, files, client_ca=False) as address:
        listener = TLSListener(address, files["crt"], files["key"])
        with pytest.raises(ListenError, match=f"cannot listen on {address}"):
            async with serve(state, listener):
                raise AssertionError("it has no port")


def test_files_that_are_none_are_named(tmp_path: Path, files: dict[str, Path]) -> None:
    crt, key = files["crt"], files["key"]
    other = tmp_path / "other.key"
    other.write_bytes(AUTHORITY.identity.key)

    with pytest.raises(CertificateError, match=r"nowhere: No such file"):
        server_credentials(tmp_path / "nowhere", key, None)
    with pytest.raises(CertificateError, match=f"{key}: not a certificate"):
        server_credentials(key, key, None)
    with pytest.raises(CertificateError, match=f"{crt}: not a private key"):
        server_credentials(crt, crt, None)
    with pytest.raises(CertificateError, match=f"{other}: not the key of the certificate {crt}"):
        server_credentials(crt, other, None)
    with pytest.raises(CertificateError, match=f"{key}: not a certificate"):
        server_credentials(crt, key, key)


async def test_a_generated_config_lets_its_administrator_in(
    filled: InMemoryState, tmp_path: Path
) -> None:
    config = generate_config(tmp_path / "pki", ["localhost", "127.0.0.1"])

    document = yaml.safe_load(config.talosconfig.read_text())
    context = document["contexts"][document["context"]]
    ca, crt, key = (base64.b64decode(context[name]) for name in ("ca", "crt", "key"))
    listener = TLSListener("127.0.0.1:0", config.certificate, config.key, config.ca)
    async with (
        serve(filled, listener, types=TypeRegistry(Thing)) as (address,),
        connect(address, credentials=grpc.ssl_channel_credentials(ca, key, crt)) as remote,
    ):
        await write(remote)

    assert context["endpoints"] == ["localhost", "127.0.0.1"]
    assert context["nodes"] == ["localhost"]
    for secret in (config.key, config.ca_key, config.talosconfig):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_generated_config_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("precious")

    with pytest.raises(CertificateError, match="already exists"):
        generate_config(tmp_path, ["localhost"])
    with pytest.raises(CertificateError, match="no host for the certificate"):
        generate_config(tmp_path, [])

    assert (tmp_path / "ca.crt").read_text() == "precious"

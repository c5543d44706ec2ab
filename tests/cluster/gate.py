"""A door between a client and the API server that a test owns: it counts requests, and does harm on demand.

A reverse proxy in a thread. For every request a rule says what happens: it passes, it is answered otherwise
(instead of the server, or after the server has done it), the line is cut, a process is killed at this very
point. Requests can hang, and watches fall silent: connected, and without a word. Nothing is random here, so
tests enumerate.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes import client, config

HOST: Final = "127.0.0.1"
_STARTS_WITHIN: Final = 20.0
_MOMENT: Final = 0.1
_HOP_BY_HOP: Final = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host", "content-length")
)


@dataclass(frozen=True)
class Request:
    """A request that came to the door, and its number among all; the first one is 0."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def is_write(self) -> bool:
        return self.method != "GET"

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") in {"1", "true"}

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What the door says in the server's place."""

    code: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> str:
        """A Status of Kubernetes."""
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.code}
        return json.dumps({**told, "reason": self.reason, "message": f"the door says {self.code}"})


@dataclass(frozen=True)
class Harm:
    """What a request comes to: `then`, before the server or after it, and `answer` or a cut line."""

    committed: bool
    answer: Answer | None = None
    then: Callable[[], object] = lambda: None


Rule = Callable[[Request], Harm | None]
"""The harm that a request comes to; None lets it pass."""


def unharmed(_: Request) -> Harm | None:
    """The rule of a quiet day."""
    return None


class Gate:
    """The door; `url` is where its clients knock.

    May be set at any time: `rule`; `silent`, then no watch says anything more; `hangs`, then a request waits.
    """

    def __init__(self, given: Path) -> None:
        self.rule: Rule = unharmed
        self.silent = False
        self.hangs: Callable[[Request], bool] = lambda _: False
        self.requests: list[Request] = []
        self.codes: dict[int, int] = {}
        """What the API server answered to each request, by its number; nothing where it was not asked."""
        self.url = ""
        self._certificate = b""
        self._settings: Any = _configuration(given)
        self._given = given
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(_STARTS_WITHIN), "the door does not open"

    def stop(self) -> None:
        if self._loop is not None and self._stopped is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(_STARTS_WITHIN)

    def kubeconfig(self, into: Path) -> Path:
        """A kubeconfig file that leads through the door."""
        it = yaml.safe_load(self._given.read_text())
        port = self.url.rpartition(":")[2]
        certificate = into / f"gate-{port}.crt"
        certificate.write_bytes(self._certificate)
        for cluster in it["clusters"]:
            cluster["cluster"] = {"server": self.url, "certificate-authority": str(certificate)}
        path = into / f"gate-{port}.kubeconfig"
        path.write_text(yaml.safe_dump(it))
        return path

    def writes(self, but: str = "") -> list[Request]:
        """The writes so far, those aside whose path has `but` in it."""
        return [r for r in list(self.requests) if r.is_write and not (but and but in r.path)]

    async def _serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(client_max_size=2**26)
        connector = aiohttp.TCPConnector(ssl=_tls(self._settings), limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False
        ) as session:

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handled(request, session)

            application.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(
                application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
            )
            await runner.setup()
            context, self._certificate = _own_tls()
            site = web.TCPSite(runner, HOST, 0, ssl_context=context)
            await site.start()
            assert site._server is not None  # the only way to learn which port was free
            self.url = f"https://{HOST}:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
            self._ready.set()
            await self._stopped.wait()
            await runner.cleanup()

    async def _handled(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        noted = Request(
            len(self.requests), request.method, request.path, dict(request.query), await request.read()
        )
        self.requests.append(noted)
        while self.hangs(noted):  # noqa: ASYNC110 - a thread decides
            await asyncio.sleep(_MOMENT)
        harm = self.rule(noted)
        if harm is not None and not harm.committed:
            harm.then()
            return _spoken(request, harm)
        try:
            async with session.request(
                request.method,
                f"{self._settings.host}{request.path_qs}",
                headers=self._headers(request),
                data=noted.body or None,
            ) as reply:
                if noted.is_watch and reply.status == 200:
                    return await self._watched(request, reply)
                self.codes[noted.number] = reply.status
                body = await reply.read()
        except aiohttp.ClientError:
            return _cut(request)
        if harm is not None:
            harm.then()
            return _spoken(request, harm)
        return web.Response(status=reply.status, headers=_kept(reply.headers), body=body)

    async def _watched(self, request: web.Request, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        """Passes a watch on, until silence falls: then nothing more comes, and the line stays open."""
        stream = web.StreamResponse(status=reply.status, headers=_kept(reply.headers))
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        mute = self.silent
        with suppress(aiohttp.ClientError, ConnectionError):
            async for chunk in reply.content.iter_any():
                mute = mute or self.silent
                if not mute:
                    await stream.write(chunk)
        if mute:
            await asyncio.Event().wait()  # until the client gives up
        return stream

    def _headers(self, request: web.Request) -> dict[str, str]:
        """The client's own headers: who asks is the server's business."""
        return {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}


@contextmanager
def a_gate(given: Path) -> Iterator[Gate]:
    """An open door to the API server of a kubeconfig file."""
    gate = Gate(given)
    gate.start()
    try:
        yield gate
    finally:
        gate.stop()


def _spoken(request: web.Request, harm: Harm) -> web.StreamResponse:
    if harm.answer is None:
        return _cut(request)
    headers = {"Content-Type": "application/json", **dict(harm.answer.headers)}
    return web.Response(status=harm.answer.code, headers=headers, text=harm.answer.body)


def _cut(request: web.Request) -> web.StreamResponse:
    """The line goes dead without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _kept(headers: Any) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in _HOP_BY_HOP}


def _configuration(given: Path) -> Any:
    untyped: Any = config.new_client_from_config
    found: client.ApiClient = untyped(str(given))
    settings = found.configuration
    found.close()
    return settings


def _own_tls() -> tuple[ssl.SSLContext, bytes]:
    """A server's context for this address, and the certificate that clients have to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem + secret)
        file.flush()
        context.load_cert_chain(file.name)
    return context, pem


def _tls(settings: Any) -> ssl.SSLContext | bool:
    if not str(settings.host).startswith("https"):
        return True
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context

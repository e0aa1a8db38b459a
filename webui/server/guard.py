"""The one ASGI layer around everything: host and origin checks, authentication, body limits, security headers.

Nothing here knows a route: pages, API and extension routes pass the same gate. Settings are turned into a `Policy`
by `app.py`; what is behind the gate is any ASGI application.
"""

import asyncio
import ipaddress
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from webui.server.credentials import Throttle, Users, basic

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MIB = 2**20
BODY_PATIENCE = 15.0  # seconds without a byte of the body
SECURITY_HEADERS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    # not no-referrer: browsers would then send `Origin: null` with our own forms
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# A frame of an extension may not lead itself elsewhere, as an address could carry away what it knows.
CONTENT_POLICY = b"frame-ancestors 'self'; frame-src 'self'; object-src 'none'; base-uri 'self'"


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may call, and how much they may send.

    Attributes:
        port: the port this server listens on; own names are accepted with this port only.
        own_names: names without a port, besides the loopback ones, that are ours.
        allowed_hosts: further names, from the user; `name` on any port or `name:port`. `*` is not special.
        any_address: accept every IP address as host (for servers that listen beyond loopback). An address written
            out cannot be rebound by DNS.
        usual_port: the port that is meant where the Host header names none: 443 where this server speaks https.
        cors_origins: exact origins (`https://example.org`) whose pages may call.
        cors_pattern: a regular expression of whole origins whose pages may call too; "": none.
        users: pairs of name and password; empty means no authentication.
        open_paths: answered without credentials.
        closed_paths: beginnings of paths that are never answered.
        json_limit, upload_limit: bytes of a body; the second for multipart forms.
    """

    port: int
    own_names: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    any_address: bool = False
    usual_port: int = 80
    cors_origins: tuple[str, ...] = ()
    cors_pattern: str = ""
    users: tuple[tuple[str, str], ...] = ()
    open_paths: tuple[str, ...] = ("/health",)
    closed_paths: tuple[str, ...] = ("/gradio_api/proxy=", "/proxy=")
    json_limit: int = 32 * MIB
    upload_limit: int = 64 * MIB

    def lets_in(self, origin: str | None) -> bool:
        """Whether pages of an origin, given as the header says it, may call."""
        if origin is None:
            return False
        return origin in self.cors_origins or bool(self.cors_pattern and re.fullmatch(self.cors_pattern, origin))


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def split_host(value: str) -> tuple[str, int | None]:
    """`name[:port]` or `[v6][:port]` -> (lower-case name without brackets, port or None).

    Raises:
        ValueError: not a host.
    """
    if not value or any(character in value for character in "/\\@?# \t,"):
        raise ValueError("not a host name")
    parts = urlsplit(f"//{value}")
    if not parts.hostname:
        raise ValueError("not a host name")
    return parts.hostname.rstrip("."), parts.port


class _Refused(Exception):
    """The answer that the gate gives in place of the application."""

    def __init__(self, status: int, detail: str, headers: Iterable[Header] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, tuple(headers)


class Guard:
    """Wraps an ASGI application; deny by default."""

    def __init__(self, app: Application, policy: Policy, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._policy = policy
        self._throttle = Throttle(clock)
        self._own = {name.lower() for name in (*LOOPBACK, *policy.own_names)}
        self._allowed = {split_host(name) for name in policy.allowed_hosts}
        self._users = Users(policy.users)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _Headers(scope["headers"])
        origin = headers.only("origin")
        cors = origin if self._policy.lets_in(origin) else None
        answer = _Answer(send, cors)
        try:
            self._check(scope, headers, cors)
            body = self._body(scope, headers, receive, answer)
        except _Refused as refused:
            log.info("refused %s %r: %s", scope.get("method", "websocket"), scope["path"][:200], refused.detail)
            await _refuse(scope, receive, answer, refused)
            return
        if _is_preflight(scope, headers):
            await _answer_preflight(answer, headers)
            return
        try:
            await self._app(scope, body, answer)
        except Exception:
            if not answer.cut:  # after a cut, the application complains about its missing body
                raise

    def _check(self, scope: Scope, headers: "_Headers", cors: str | None) -> None:
        """Everything that can be judged from the head of the request.

        Raises:
            _Refused: with the answer to give.
        """
        host = self._check_host(headers)
        self._check_origin(scope, headers, host, cors)
        path: str = scope["path"]
        if path.startswith(self._policy.closed_paths):
            raise _Refused(404, "Not Found")
        if self._users and path not in self._policy.open_paths and not _is_preflight(scope, headers):
            scope["webui.user"] = self._authenticate(headers, (scope.get("client") or ("",))[0])

    def _check_host(self, headers: "_Headers") -> str:
        value = headers.only("host")
        try:
            name, port = split_host(value or "")
        except ValueError:
            raise _Refused(400, "the Host header is missing, doubled or not a host name") from None
        ours = name in self._own or (self._policy.any_address and _is_address(name))
        if ours and (port or self._policy.usual_port) == self._policy.port:
            return value or ""
        if (name, port) in self._allowed or (name, None) in self._allowed:
            return value or ""
        raise _Refused(403, f"this server is not called {(value or '')[:100]!r}; name it with --allowed-host if it is")

    def _check_origin(self, scope: Scope, headers: "_Headers", host: str, cors: str | None) -> None:
        """Refuse what another site's page sends (CSRF, cross-site websockets). Programs send neither header."""
        method = scope.get("method", "")
        if cors is not None:
            return
        to_front_page = (
            method in ("GET", "HEAD")
            and scope["path"] == "/"
            and headers.word("sec-fetch-mode") == "navigate"
            and headers.word("sec-fetch-dest") in ("document", "")
        )
        if to_front_page:
            return
        if "origin" in headers and not _same_origin(headers.only("origin") or "", host):
            raise _Refused(403, "pages of other origins may not call this server; see --cors-origin")
        if {"cross-site", "same-site"} & set(headers.word("sec-fetch-site").split(",")):
            raise _Refused(403, "pages of other sites may not call this server; see --cors-origin")

    def _authenticate(self, headers: "_Headers", address: str) -> str:
        """The name of the user. Raises _Refused."""
        pause = self._throttle.wait(address)
        if pause > 0:
            retry = (b"retry-after", str(int(pause) + 1).encode())
            raise _Refused(429, "too many failed logins; wait before the next", [retry])
        challenge = (b"www-authenticate", b'Basic realm="webui", charset="UTF-8"')
        credentials = basic(headers.only("authorization") or "")
        if credentials is None:
            raise _Refused(401, "Not authenticated", [challenge])
        if not self._users.knows(*credentials):
            self._throttle.failed(address)
            raise _Refused(401, "Incorrect username or password", [challenge])
        self._throttle.succeeded(address)
        return credentials[0]

    def _body(self, scope: Scope, headers: "_Headers", receive: Receive, answer: "_Answer") -> Receive:
        """A `receive` that stops at the limit, whatever Content-Length says.

        Raises:
            _Refused: the announced length alone is too much.
        """
        if scope["type"] != "http":
            return receive
        form = (headers.only("content-type") or "").lower().startswith("multipart/form-data")
        limit = self._policy.upload_limit if form else self._policy.json_limit
        too_large = _Refused(413, f"the body is larger than {limit / MIB:g} MiB")
        length = headers.only("content-length") or "0"
        if not length.isascii() or not length.isdigit() or len(length) > 18:
            raise _Refused(400, "Content-Length is not a number")
        if int(length) > limit:
            raise too_large
        seen, complete = 0, False

        async def limited() -> Message:
            nonlocal seen, complete
            try:
                message = await (receive() if complete else asyncio.wait_for(receive(), BODY_PATIENCE))
            except TimeoutError:
                return await answer.cut_with(_Refused(408, "the body did not arrive in time"))
            if message["type"] == "http.request":
                complete = not message.get("more_body", False)
                seen += len(message.get("body", b""))
                if seen > limit:
                    return await answer.cut_with(too_large)
            return message

        return limited


class _Headers:
    """Request headers by lower-case name."""

    def __init__(self, raw: Iterable[Header]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def only(self, name: str) -> str | None:
        """The value where there is exactly one."""
        values = self._values.get(name, [])
        return values[0].strip() if len(values) == 1 else None

    def word(self, name: str) -> str:
        """The value in lower case; "" where there is none, all of them where there are several."""
        return ",".join(self._values.get(name, [])).strip().lower()


class _Answer:
    """A `send` that adds our headers, removes foreign CORS headers, and can cut the answer short."""

    def __init__(self, send: Send, cors: str | None) -> None:
        self._send = send
        self._cors = cors
        self._started = False
        self.cut = False

    async def __call__(self, message: Message) -> None:
        if self.cut:
            return
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self._started = True
            message = {**message, "headers": self._headers(message.get("headers", ()))}
        await self._send(message)

    def _headers(self, given: Iterable[Header]) -> list[Header]:
        ours = {name for name, _ in SECURITY_HEADERS}
        kept = [
            (name, value)
            for name, value in given
            if name.lower() not in ours and not name.lower().startswith(b"access-control-")
        ]
        headers = [*kept, *SECURITY_HEADERS, (b"content-security-policy", CONTENT_POLICY)]
        if self._cors is not None:
            headers += [
                (b"access-control-allow-origin", self._cors.encode("latin-1")),
                (b"access-control-allow-credentials", b"true"),
                (b"vary", b"Origin"),
            ]
        return headers

    def allow(self, methods: bytes, headers: bytes) -> list[Header]:
        """Headers that answer a preflight; none for origins that are not named."""
        if self._cors is None:
            return []
        return [(b"access-control-allow-methods", methods), (b"access-control-allow-headers", headers)]

    async def cut_with(self, refused: _Refused) -> Message:
        """Answer `refused` now, and make the application believe that the client has gone."""
        if not self.cut:
            if not self._started:
                await _send_json(self, refused)
            self.cut = True
        return {"type": "http.disconnect"}

    async def raw(self, message: Message, extra: Iterable[Header]) -> None:
        """Send a start message with CORS headers of our own among the rest."""
        await self._send({**message, "headers": [*self._headers(message["headers"]), *extra]})


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _same_origin(origin: str, host: str) -> bool:
    """Whether an Origin names the host that was called; TLS may have ended at a proxy, so both schemes count."""
    scheme, separator, rest = origin.partition("://")
    if not separator or scheme not in ("http", "https"):
        return False
    usual = 80 if scheme == "http" else 443
    try:
        (name, port), (own_name, own_port) = split_host(rest), split_host(host)
    except ValueError:
        return False
    return name == own_name and (port or usual) == (own_port or usual)


def _is_preflight(scope: Scope, headers: _Headers) -> bool:
    return scope.get("method") == "OPTIONS" and "access-control-request-method" in headers


async def _answer_preflight(answer: _Answer, headers: _Headers) -> None:
    wanted = (headers.only("access-control-request-headers") or "authorization, content-type").encode("latin-1")
    extra = answer.allow(b"GET, POST, PATCH, DELETE, OPTIONS", wanted)
    await answer.raw({"type": "http.response.start", "status": 204, "headers": []}, extra)
    await answer({"type": "http.response.body", "body": b""})


async def _refuse(scope: Scope, receive: Receive, answer: _Answer, refused: _Refused) -> None:
    if scope["type"] == "http":
        await _send_json(answer, refused)
        return
    if (await receive())["type"] == "websocket.connect":
        await answer({"type": "websocket.close", "code": 1008, "reason": refused.detail[:100]})


async def _send_json(send: Send, refused: _Refused) -> None:
    """The error form of the API: the four keys that clients of A1111 know."""
    body = json.dumps({"error": "HTTPException", "detail": refused.detail, "body": "", "errors": ""}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *refused.headers]
    await send({"type": "http.response.start", "status": refused.status, "headers": head})
    await send({"type": "http.response.body", "body": body})

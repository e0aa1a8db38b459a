"""Telling an address of the client's that its job has ended: signed, to hosts that the user named, a few times."""

import hashlib
import hmac
import http.client
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from webui.api.body import InvalidBodyError
from webui.domain.errors import BusyError
from webui.jobs.job import AnyJob

PAUSES = (0.0, 2.0, 10.0, 60.0)  # seconds before each try
PATIENCE = 10.0  # seconds that the other side may take
MOST = 64  # jobs that are followed at once
SIGNATURE, TIME = "X-Webui-Signature", "X-Webui-Timestamp"
PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})

log = logging.getLogger(__name__)

Send = Callable[[SplitResult, str, bytes, Mapping[str, str]], int]
Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class HookRules:
    """Which addresses may be told.

    Attributes:
        hosts: names, `name` on any port or `name:port`; empty: none.
        secret: key of the signatures; without one nothing is sent.
        private: whether addresses of this machine and its network may be told.
    """

    hosts: tuple[str, ...] = ()
    secret: str = ""
    private: bool = False


class Webhooks:
    """Follows jobs and posts what became of them. Thread-safe."""

    def __init__(
        self,
        rules: HookRules | None = None,
        *,
        send: Send | None = None,
        resolve: Resolve | None = None,
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self._rules = rules or HookRules()
        self._send = send or post
        self._resolve = resolve or addresses_of
        self._pauses = pauses
        self._room = threading.BoundedSemaphore(MOST)

    def check(self, url: str) -> SplitResult:
        """The parts of an address that may be told.

        Raises:
            InvalidBodyError: it may not, or is none.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:
            raise _refused("is no address") from None
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme not in PORTS or not host or parts.username is not None:
            raise _refused("should be http:// or https:// with a host, and without a name or password")
        if not self._rules.secret or not self._rules.hosts:
            raise _refused("is not allowed here: the settings webhook_hosts and webhook_secret name nobody")
        if host not in self._rules.hosts and f"{host}:{port}" not in self._rules.hosts:
            raise _refused(f"{host} is none of the hosts in the setting webhook_hosts")
        return parts

    def follow(self, job: AnyJob, url: str, told: Callable[[], Mapping[str, Any]]) -> None:
        """Post `told()` to the address when the job has ended; returns at once.

        Raises:
            InvalidBodyError: the address may not be told.
            BusyError: too many jobs are followed.
        """
        parts = self.check(url)
        if not self._room.acquire(blocking=False):
            raise BusyError("too many webhooks wait; try again later, or ask for the job's state")
        threading.Thread(target=self._run, args=(job, parts, told), name=f"webhook {job.id}", daemon=True).start()

    def _run(self, job: AnyJob, parts: SplitResult, told: Callable[[], Mapping[str, Any]]) -> None:
        try:
            job.wait_for(lambda now: now.ended)
            body = json.dumps(told()).encode()
            for number, pause in enumerate(self._pauses, 1):
                if self._told(parts, body, number, after=pause):
                    return
            log.warning("webhook of job %s: %s was not reached", job.id, parts.hostname)
        finally:
            self._room.release()

    def _told(self, parts: SplitResult, body: bytes, number: int, *, after: float = 0.0) -> bool:
        """One try after so many seconds; whether there is no use in another."""
        time.sleep(after)
        port = parts.port or PORTS[parts.scheme]
        try:
            addresses = self._resolve(parts.hostname or "", port)
            if not addresses or (not self._rules.private and not all(map(_is_public, addresses))):
                log.warning("webhook to %s: it is an address of this machine or its network", parts.hostname)
                return True
            status = self._send(parts, addresses[0], body, signed(body, self._rules.secret, int(time.time())))
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.info("webhook to %s, try %d: %s", parts.hostname, number, type(error).__name__)
            return False
        return status < 500  # what the other side refuses is not sent again


def signed(body: bytes, secret: str, now: int) -> dict[str, str]:
    """Headers that show who sent a body, and when: HMAC-SHA256 over `time.body`."""
    code = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", TIME: str(now), SIGNATURE: f"sha256={code}"}


def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def post(parts: SplitResult, address: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post to that very address, so that a name which changes meanwhile leads nowhere else. Redirects are not followed.

    Returns:
        the status of the answer.
    """
    port = parts.port or PORTS[parts.scheme]
    connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=PATIENCE)
    plain = socket.create_connection((address, port), PATIENCE)
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
            if parts.scheme == "https"
            else plain
        )
        path = parts.path or "/"
        connection.request("POST", f"{path}?{parts.query}" if parts.query else path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
        plain.close()


def _is_public(address: str) -> bool:
    """Whether an address is one of the open network; one of IPv4 written as IPv6 counts as what it is."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or found
    return bool(inner.is_global) and not inner.is_multicast


def _refused(message: str) -> InvalidBodyError:
    return InvalidBodyError([(("query", "webhook"), message, "not_allowed")])

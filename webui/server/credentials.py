"""Names, passwords and the brake on guessing them. Which request must show them is `guard.py`'s business."""

import base64
import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from webui.domain.errors import WebuiError


def parse_users(text: str) -> tuple[tuple[str, str], ...]:
    """Read `user:password[,user:password]`.

    Raises:
        WebuiError: a pair has no colon, or an empty name or password.
    """
    users = []
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, password = pair.partition(":")
        if not name or not password:
            raise WebuiError("api_auth: every entry must be user:password, separated by commas")
        users.append((name, password))
    return tuple(users)


class Throttle:
    """Counts failed logins by address: after 5, refuse for 1 s, doubling with each further failure up to 5 minutes."""

    FREE, LONGEST, REMEMBERED = 5, 300.0, 4096

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address -> (count, locked until)

    def wait(self, address: str) -> float:
        """Seconds this address must still wait; 0 when it may try."""
        return max(0.0, self._failures.get(address, (0, 0.0))[1] - self._clock())

    def failed(self, address: str) -> None:
        count = self._failures.pop(address, (0, 0.0))[0] + 1
        pause = min(self.LONGEST, 2.0 ** min(count - self.FREE, 30)) if count >= self.FREE else 0.0
        self._failures[address] = (count, self._clock() + pause)
        if len(self._failures) > self.REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        self._failures.pop(address, None)


class Users:
    """Pairs of name and password, kept as digests."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._digests = tuple((_digest(name), _digest(password)) for name, password in pairs)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def knows(self, name: str, password: str) -> bool:
        """Whether the pair is right. Takes the same time for known and unknown names."""
        name_digest, password_digest = _digest(name), _digest(password)
        right = [
            hmac.compare_digest(known, name_digest) & hmac.compare_digest(secret, password_digest)
            for known, secret in self._digests
        ]
        return any(right)


def basic(header: str) -> tuple[str, str] | None:
    """Name and password of an `Authorization: Basic` header; None where it holds none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

"""Decides who may install through the page or the API: users on this machine, or everybody where a flag allows it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from webui.domain.errors import WebuiError

_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # headers that a proxy adds


class NotAllowedError(WebuiError):
    """This caller may not install, update or remove extensions."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The rule about who may install.

    Attributes:
        everybody: whether `--allow-extension-install` was given.
        loopback_only: whether the server can be reached from this machine only, under no other name.
    """

    everybody: bool = False
    loopback_only: bool = True

    def check(self, client: str, headers: Mapping[str, str]) -> None:
        """Raises NotAllowedError.

        Args:
            client: address of the connection's other end.
            headers: of the request, by lower-case name.
        """
        if not self.allows(client, headers):
            raise NotAllowedError(
                "extensions are installed, updated and removed from this machine only, while the server listens on "
                "no other address; use `python launch.py extensions`, or start it with --allow-extension-install"
            )

    def allows(self, client: str, headers: Mapping[str, str]) -> bool:
        """Whether the rule lets this caller in; arguments as those of `check`."""
        if self.everybody:
            return True
        host = headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        direct = not any(header in headers for header in _FORWARDED)
        return self.loopback_only and direct and _is_loopback(client) and name in _NAMES


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False

"""Webhooks: signed, only where allowed, tried a few times, never to private addresses."""

import hashlib
import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult

import pytest

from tests.api.fakes import Api, FakeEngine
from webui.api.application import create
from webui.api.webhooks import SIGNATURE, TIME, HookRules, Webhooks

RULES = HookRules(("hooks.example", "other.example:8443"), "a secret")
PUBLIC = "93.184.216.34"


class Wire:
    """Answers with the given statuses, in turn; an exception is raised."""

    def __init__(self, *statuses: int | Exception, addresses: tuple[str, ...] = (PUBLIC,)) -> None:
        self._statuses = list(statuses)
        self._addresses = addresses
        self.sent: list[tuple[str, bytes, Mapping[str, str]]] = []
        self.done = threading.Event()

    def resolve(self, host: str, port: int) -> list[str]:
        return list(self._addresses)

    def send(self, parts: SplitResult, address: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.sent.append((address, body, headers))
        status = self._statuses.pop(0)
        if not self._statuses:
            self.done.set()
        if isinstance(status, Exception):
            raise status
        return status


def api_with(wire: Wire, rules: HookRules = RULES) -> Api:
    api = Api(FakeEngine())
    hooks = Webhooks(rules, send=wire.send, resolve=wire.resolve, pauses=(0.0, 0.0, 0.0))
    api.parts = replace(api.parts, webhooks=hooks)
    api.app = create(api.parts)
    return api


def start(api: Api, webhook: str = "https://hooks.example/done") -> Any:
    return api.post("/api/jobs", {"prompt": "a"}, params={"webhook": webhook})


def test_the_end_of_a_job_is_told_and_signed() -> None:
    wire = Wire(200)
    answer = start(api_with(wire))
    assert answer.status_code == 201
    assert wire.done.wait(10)
    ((address, body, headers),) = wire.sent
    assert address == PUBLIC
    told = json.loads(body)
    assert (told["id"], told["state"]) == (answer.json()["id"], "done")
    expected = hmac.new(b"a secret", f"{headers[TIME]}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={expected}"


@pytest.mark.parametrize(
    ("statuses", "tries"),
    [((500, 503, 200), 3), ((OSError("no route"), 204), 2), ((404, 200), 1), ((301, 200), 1)],
)
def test_failures_are_tried_again_and_refusals_are_not(statuses: tuple[Any, ...], tries: int) -> None:
    wire = Wire(*statuses)
    hooks = Webhooks(RULES, send=wire.send, resolve=wire.resolve, pauses=(0.0, 0.0, 0.0))
    parts = hooks.check("https://hooks.example/")
    for number in range(1, 4):
        if hooks._told(parts, b"{}", number):
            break
    assert len(wire.sent) == tries


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.8", "192.168.1.2", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "0.0.0.0"],
)
def test_private_addresses_are_told_only_where_that_is_allowed(address: str) -> None:
    for private in (False, True):
        wire = Wire(200, addresses=(PUBLIC, address) if not private else (address,))
        hooks = Webhooks(replace(RULES, private=private), send=wire.send, resolve=wire.resolve)
        assert hooks._told(hooks.check("http://hooks.example/"), b"{}", 1)
        assert len(wire.sent) == int(private)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/", "hooks.example", "https://evil.example/", "https://other.example/", "https://",
        "https://user:word@hooks.example/", "https://hooks.example.evil.example/", "https://hooks.example:99999/",
        "https://other.example:8444/",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_before_the_work(url: str) -> None:
    api = api_with(Wire(200))
    answer = start(api, url)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "webhook"]
    assert not api.engine.jobs


@pytest.mark.parametrize("rules", [HookRules(), HookRules(("hooks.example",)), HookRules((), "a secret")])
def test_without_hosts_and_a_secret_nobody_is_told(rules: HookRules) -> None:
    assert start(api_with(Wire(200), rules)).status_code == 422


def test_a_port_may_be_named() -> None:
    Webhooks(RULES).check("https://other.example:8443/x")

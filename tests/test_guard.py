"""The gate: who may call, what they may send, and what every answer carries."""

import asyncio
import base64
from typing import Any

import httpx
import pytest

from webui.domain.errors import WebuiError
from webui.server.credentials import Throttle, Users, basic, parse_users
from webui.server.guard import Guard, Policy, is_loopback

OWN = "http://127.0.0.1:7860"
FOREIGN = "https://evil.example"


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and answers with its length and headers of its own."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the client has gone")
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = [(b"access-control-allow-origin", b"*"), (b"x-own", b"1"), (b"x-content-type-options", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(size).encode()})


def ask(policy: Policy, method: str = "GET", path: str = "/x", clock: Any = None, **options: Any) -> httpx.Response:
    return ask_guard(Guard(inner, policy, **({"clock": clock} if clock else {})), method, path, **options)


def ask_guard(guard: Guard, method: str, path: str, **options: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=guard), base_url=OWN) as client:
            return await client.request(method, path, **options)

    return asyncio.run(go())


LOCAL = Policy(port=7860)


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST:7860", "[::1]:7860"])
def test_own_names_are_answered(host: str) -> None:
    assert ask(LOCAL, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT", "OPTIONS", "HEAD", "PATCH"])
@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:7860", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.com:7860", "10.0.0.5:7860"]
)
def test_other_names_are_refused_for_every_method(host: str, method: str) -> None:
    assert ask(LOCAL, method, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["", "a b", "127.0.0.1:7860:1", "x@127.0.0.1:7860", "127.0.0.1:port", "[::1", "a,b"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    assert ask(LOCAL, headers={"host": host}).status_code == 400


def test_two_hosts_are_refused() -> None:
    headers = [("host", "127.0.0.1:7860"), ("host", "evil.com")]
    assert ask(LOCAL, headers=headers).status_code == 400


def test_allowed_hosts_go_with_any_port_unless_one_is_named() -> None:
    policy = Policy(port=7860, allowed_hosts=("sd.example", "lab.example:8443"))
    answers = [
        ask(policy, headers={"host": host}).status_code
        for host in ("sd.example", "sd.example:443", "lab.example:8443", "lab.example", "evil.example")
    ]
    assert answers == [200, 200, 200, 403, 403]


def test_a_server_for_others_answers_to_addresses_but_not_to_names() -> None:
    policy = Policy(port=7860, any_address=True)
    assert ask(policy, headers={"host": "192.168.1.7:7860"}).status_code == 200
    assert ask(policy, headers={"host": "rebound.example:7860"}).status_code == 403


@pytest.mark.parametrize("origin", [FOREIGN, "null", "http://127.0.0.1:7861", "http://localhost:7860", "junk", ""])
def test_other_origins_may_not_post(origin: str) -> None:
    assert ask(LOCAL, "POST", headers={"origin": origin}).status_code == 403


def test_our_own_page_and_programs_may_post() -> None:
    assert ask(LOCAL, "POST", headers={"origin": OWN}).status_code == 200
    assert ask(LOCAL, "POST").status_code == 200


def test_a_proxy_that_ends_tls_keeps_the_origin_ours() -> None:
    policy = Policy(port=7860, allowed_hosts=("sd.example",))
    headers = {"host": "sd.example", "origin": "https://sd.example"}
    assert ask(policy, "POST", headers=headers).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_fetches_of_other_sites_are_refused(site: str, method: str) -> None:
    assert ask(LOCAL, method, headers={"sec-fetch-site": site}).status_code == 403


def test_a_link_to_the_front_page_works_and_a_frame_does_not() -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask(LOCAL, path="/", headers=link).status_code == 200
    assert ask(LOCAL, path="/sdapi/v1/progress", headers=link).status_code == 403
    assert ask(LOCAL, "POST", path="/", headers=link).status_code == 403
    assert ask(LOCAL, path="/", headers={**link, "sec-fetch-dest": "iframe"}).status_code == 403


def test_foreign_cors_headers_are_removed_and_ours_are_exact() -> None:
    policy = Policy(port=7860, cors_origins=("https://app.example",))
    assert "access-control-allow-origin" not in ask(LOCAL).headers
    named = ask(policy, "POST", headers={"origin": "https://app.example", "sec-fetch-site": "cross-site"})
    assert named.headers["access-control-allow-origin"] == "https://app.example"
    assert ask(policy, "POST", headers={"origin": "https://app.example.evil"}).status_code == 403


def test_origins_may_be_described_as_a_whole() -> None:
    policy = Policy(port=7860, cors_pattern=r"https://[a-z]+\.app\.example")
    for origin, status in (
        ("https://one.app.example", 200),
        ("https://one.app.example.evil", 403),
        ("http://one.app.example", 403),
        ("https://evil/https://one.app.example", 403),
    ):
        answer = ask(policy, "POST", headers={"origin": origin, "sec-fetch-site": "cross-site"})
        assert answer.status_code == status
        assert answer.headers.get("access-control-allow-origin") == (origin if status == 200 else None)


def test_a_host_without_a_port_means_the_usual_one() -> None:
    for usual in (80, 443):
        policy = Policy(port=443, usual_port=usual)
        assert ask(policy, headers={"host": "localhost"}).status_code == (200 if usual == 443 else 403)


def test_preflights_are_answered_for_named_origins_without_a_password() -> None:
    policy = Policy(port=7860, cors_origins=("https://app.example",), users=(("a", "b"),))
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    answer = ask(policy, "OPTIONS", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    refused = ask(policy, "OPTIONS", headers={**asked, "origin": "http://localhost:3000"})
    assert refused.status_code == 403
    assert not [name for name in refused.headers if name.startswith("access-control")]


@pytest.mark.parametrize("headers", [{}, {"host": "evil.com"}])
def test_every_answer_carries_the_security_headers(headers: dict[str, str]) -> None:
    answer = ask(LOCAL, headers=headers)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "referrer-policy" in answer.headers


def _login(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


LOCKED = Policy(port=7860, users=parse_users("ann:secret,bob:pass:word"))


@pytest.mark.parametrize("path", ["/", "/sdapi/v1/options", "/gradio_api/info", "/openapi.json", "/controlnet/version"])
def test_every_door_needs_the_password(path: str) -> None:
    refused = ask(LOCKED, path=path)
    assert refused.status_code == 401
    assert refused.json()["detail"] == "Not authenticated"
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert ask(LOCKED, path=path, headers=_login("ann", "secret")).status_code == 200
    assert ask(LOCKED, path=path, headers=_login("bob", "pass:word")).status_code == 200


@pytest.mark.parametrize("login", [("ann", "pass:word"), ("ann", ""), ("eve", "secret"), ("", "")])
def test_wrong_passwords_are_refused(login: tuple[str, str]) -> None:
    refused = ask(LOCKED, headers=_login(*login))
    assert refused.status_code == 401
    assert refused.json()["detail"] == "Incorrect username or password"


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer x", "Basic /zp4"])
def test_odd_credentials_are_ignored_without_users_and_refused_with(header: str) -> None:
    assert ask(LOCAL, headers={"authorization": header}).status_code == 200
    assert ask(LOCKED, headers={"authorization": header}).status_code == 401


def test_health_is_open() -> None:
    assert ask(LOCKED, path="/health").status_code == 200
    assert ask(LOCKED, path="/health/../x").status_code == 401


def test_guessing_is_slowed_down_and_the_right_password_must_wait_too() -> None:
    now = [0.0]
    guard = Guard(inner, LOCKED, clock=lambda: now[0])
    for _ in range(5):
        assert ask_guard(guard, "GET", "/", headers=_login("ann", "x")).status_code == 401
    locked = ask_guard(guard, "GET", "/", headers=_login("ann", "secret"))
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) >= 1
    now[0] = 1.01
    assert ask_guard(guard, "GET", "/", headers=_login("ann", "secret")).status_code == 200


def test_pauses_double_and_success_forgets() -> None:
    throttle = Throttle(clock=lambda: 0.0)
    waits = []
    for _ in range(8):
        throttle.failed("a")
        waits.append(throttle.wait("a"))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8]
    assert throttle.wait("b") == 0
    throttle.succeeded("a")
    assert throttle.wait("a") == 0


def test_the_throttle_forgets_the_oldest_address() -> None:
    throttle = Throttle(clock=lambda: 0.0)
    for number in range(Throttle.REMEMBERED + 10):
        throttle.failed(str(number))
    assert len(throttle._failures) == Throttle.REMEMBERED


def test_users_are_read() -> None:
    assert parse_users("a:b, c:d:e") == (("a", "b"), ("c", "d:e"))
    assert parse_users("") == ()
    for wrong in ("a", "a:", ":b", "a:b,c"):
        with pytest.raises(WebuiError, match="api_auth"):
            parse_users(wrong)
    assert not Users(())
    assert basic("basic YTpi") == ("a", "b")


async def _chunks(count: int, size: int) -> Any:
    for _ in range(count):
        yield b"x" * size


def test_bodies_are_cut_while_reading() -> None:
    policy = Policy(port=7860, json_limit=1000, upload_limit=5000)
    json = {"content-type": "application/json"}
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert ask(policy, "POST", content=b"x" * 1000, headers=json).text == "1000"
    assert ask(policy, "POST", content=b"x" * 1001, headers=json).status_code == 413
    assert ask(policy, "POST", content=_chunks(20, 100), headers=json).status_code == 413  # no Content-Length
    assert ask(policy, "POST", content=b"x" * 5000, headers=form).text == "5000"
    assert ask(policy, "POST", content=_chunks(6, 1000), headers=form).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "9" * 30])
def test_a_strange_length_is_refused(length: str) -> None:
    assert ask(LOCAL, "POST", headers={"content-length": length.encode()}).status_code == 400


def test_grados_proxy_is_closed() -> None:
    assert ask(LOCAL, path="/gradio_api/proxy=http://10.0.0.1/").status_code == 404


def _websocket(headers: list[tuple[bytes, bytes]]) -> list[str]:
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/queue/join", "headers": headers, "client": ("127.0.0.1", 1)}
    asyncio.run(Guard(inner, LOCAL)(scope, receive, send))
    return sent


def test_websockets_pass_the_same_checks() -> None:
    host = (b"host", b"127.0.0.1:7860")
    assert _websocket([host]) == ["websocket.accept"]
    assert _websocket([host, (b"origin", OWN.encode())]) == ["websocket.accept"]
    assert _websocket([host, (b"origin", FOREIGN.encode())]) == ["websocket.close"]
    assert _websocket([(b"host", b"evil.com")]) == ["websocket.close"]


def test_errors_of_the_application_are_not_hidden() -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError, match="bug"):
        ask_guard(Guard(broken, LOCAL), "GET", "/")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("a.b", False)],
)
def test_what_is_reached_from_this_machine_only(host: str, local: bool) -> None:
    assert is_loopback(host) is local


@pytest.mark.parametrize("value", ["cross-site", "Cross-Site", "SAME-SITE"])
def test_where_a_page_stands_is_compared_without_case(value: str) -> None:
    assert ask(LOCAL, headers={"sec-fetch-site": value}).status_code == 403


def test_a_doubled_header_does_not_open_the_gate() -> None:
    headers = [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none")]
    assert ask(LOCAL, headers=headers).status_code == 403

"""`/openapi.json`: complete, and every reference in it leads somewhere."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.fakes import Api, FakeEngine
from tests.api.test_scripts import Plain, Units
from webui.api.route_notes import NOTES
from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of

ACTION = ActionInfo("draw", "Draw", schema_of(Units), ("POST /controlnet/draw", "GET /controlnet/drawn"), light=True)
INFO = ExtensionInfo("controlnet", "controlnet", options=schema_of(Plain), actions=(ACTION,))


@pytest.fixture(scope="module")
def api() -> Api:
    return Api(FakeEngine(extensions=Catalog([INFO])))


@pytest.fixture(scope="module")
def description(api: Api) -> dict[str, Any]:
    answer: dict[str, Any] = api.get("/openapi.json").json()
    return answer


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            yield f"{method} {path}", route


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        yield from (one for one in value.get("mapping", {}).values() if isinstance(one, str) and one.startswith("#"))
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_resolves(description: dict[str, Any]) -> None:
    found = set(references(description))
    assert len(found) > 40
    for reference in found:
        place: Any = description
        for part in reference.removeprefix("#/").split("/"):
            assert part in place, reference
            place = place[part]


def test_every_route_has_a_heading_an_answer_and_errors(description: dict[str, Any]) -> None:
    for name, route in operations(description):
        assert route["tags"], name
        assert {"422", "401", "500"} <= route["responses"].keys(), name
        right = [answer for status, answer in route["responses"].items() if status.startswith("2")]
        assert right, name
        assert all(answer["content"] for answer in right), name


def test_every_row_of_the_table_is_a_route(description: dict[str, Any]) -> None:
    optional = {f"/sdapi/v1/server-{word}" for word in ("stop", "kill", "restart")}
    there = {(method, path) for path, methods in description["paths"].items() for method in methods}
    assert {key for key in NOTES if key[1] not in optional} <= there


@pytest.mark.parametrize(
    "path", ["/sdapi/v1/txt2img", "/sdapi/v1/options", "/sdapi/v1/png-info", "/api/jobs", "/controlnet/draw"]
)
def test_bodies_are_described(description: dict[str, Any], path: str) -> None:
    content = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"]


def test_the_page_of_the_api_asks_no_other_host(api: Api) -> None:
    page = api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "://" not in page.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("get", "/sdapi/v1/txt2img", "POST"),
        ("post", "/sdapi/v1/samplers", "GET"),
        ("get", "/api/jobs/a/cancel", "POST"),
    ],
)
def test_another_method_is_a_405(api: Api, method: str, path: str, allowed: str) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the page was asked")

    api.app.mount("/", page)
    answer = api.get(path) if method == "get" else api.post(path)
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert answer.headers["allow"] == allowed


def test_what_the_page_alone_asks_is_not_described(description: dict[str, Any]) -> None:
    assert not [path for path in description["paths"] if path.startswith("/internal/page")]

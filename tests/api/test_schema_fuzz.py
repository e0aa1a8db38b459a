"""Calls made from the description of the API itself: no failure of the server, no answer that is not described.

`--schema-calls N` (`python launch.py test --schema`) makes about N calls instead of the few of the usual run.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.fakes import Api, FakeEngine
from tests.api.test_scripts import Plain, Units
from webui.domain.extensions import ExtensionInfo
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of

FEW = 150  # calls of the usual run, over all routes together
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def operations() -> Iterator[Any]:
    infos = [
        ExtensionInfo("controlnet", "controlnet", options=schema_of(Units)),
        ExtensionInfo("soft_glow", "soft_glow", options=schema_of(Plain)),
    ]
    api = Api(FakeEngine(extensions=Catalog(infos)))
    description = schemathesis.openapi.from_asgi("/openapi.json", always_running(api.app))
    for found in description.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def always_running(app: Any) -> Any:
    """The application without its end: each call would be the last before it."""

    async def running(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    return running


OPERATIONS = list(operations())
RUNNING = next(one for one in OPERATIONS if one.label == "PATCH /api/queue").Case(body={"paused": False})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_calls_from_the_description_are_answered_as_described(operation: Any, request: pytest.FixtureRequest) -> None:
    calls = int(request.config.getoption("--schema-calls")) or FEW
    RUNNING.call(headers={"host": "127.0.0.1:7860"})  # what another operation has paused would never be answered

    @seed(11)
    @settings(
        max_examples=max(1, calls // len(OPERATIONS)),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def call(case: Any) -> None:
        answer = case.call(headers={"host": "127.0.0.1:7860"})
        case.validate_response(answer, checks=CHECKS)

    call()


def test_there_are_generation_routes_among_them() -> None:
    labels = {operation.label for operation in OPERATIONS}
    assert {"POST /sdapi/v1/txt2img", "POST /sdapi/v1/img2img", "POST /api/jobs"} <= labels

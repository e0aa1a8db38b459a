"""`alwayson_scripts` as options of extensions."""

from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.api.fakes import Api, FakeEngine
from webui.domain.extensions import ExtensionInfo
from webui.extension_api import Options
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of


class Unit(BaseModel):
    weight: float = Field(1.0, ge=0, le=2)


class Units(Options):
    units: tuple[Unit, ...] = ()


class Plain(Options):
    on: bool = True
    amount: int = Field(1, le=9)
    word: str = ""


@pytest.fixture
def api() -> Api:
    infos = [
        ExtensionInfo("controlnet", "controlnet", options=schema_of(Units)),
        ExtensionInfo("soft_glow", "soft_glow", options=schema_of(Plain)),
        ExtensionInfo("off", "off", state="disabled"),
    ]
    return Api(FakeEngine(extensions=Catalog(infos)))


@pytest.mark.parametrize(
    ("scripts", "options"),
    [
        ({"ControlNet": {"args": [{"weight": 1}]}}, {"controlnet": {"units": [{"weight": 1}]}}),
        ({"controlnet": {"args": [{"weight": 1}, {}]}}, {"controlnet": {"units": [{"weight": 1}, {}]}}),
        ({"controlnet": {"args": [{"units": [{}]}]}}, {"controlnet": {"units": [{}]}}),
        ({"controlnet": {}}, {"controlnet": {}}),
        ({"Soft Glow": {"args": [False, 3]}}, {"soft_glow": {"on": False, "amount": 3}}),
        ({"soft_glow": {"args": [None, 3, "x", "more", 1]}}, {"soft_glow": {"amount": 3, "word": "x"}}),
        ({"soft_glow": {"args": [{"word": "y"}]}}, {"soft_glow": {"word": "y"}}),
        ({"soft_glow": {"args": {"word": "y"}}}, {"soft_glow": {"word": "y"}}),
        ({"Sampler": {"args": []}, "refiner": {"args": [1]}}, {}),
    ],
)
def test_forms_of_arguments(api: Api, scripts: dict[str, Any], options: dict[str, Any]) -> None:
    answer = api.txt2img(alwayson_scripts=scripts)
    assert answer.status_code == 200, answer.text
    assert api.engine.last.request.extensions == options


@pytest.mark.parametrize(
    ("scripts", "place", "text"),
    [
        ({"nobody": {"args": []}}, ["body", "alwayson_scripts", "nobody"], "not found"),
        ({"controlnet": {"args": 1}}, ["body", "alwayson_scripts", "controlnet", "args"], "list"),
        ({"controlnet": 1}, ["body", "alwayson_scripts", "controlnet"], "object"),
        ({"controlnet": {"args": [{"weight": 3}]}}, ["body", "extensions", "controlnet", "units", "0", "weight"], "2"),
        ({"soft_glow": {"args": [True, 10]}}, ["body", "extensions", "soft_glow", "amount"], "maximum of 9"),
        ({"off": {}}, ["body", "extensions", "off"], "switched off"),
    ],
)
def test_what_is_wrong_is_named(api: Api, scripts: dict[str, Any], place: list[str], text: str) -> None:
    answer = api.txt2img(alwayson_scripts=scripts)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == place
    assert text in answer.json()["detail"][0]["msg"]

"""`alwayson_scripts` as options of extensions."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from tests.api.fakes import Api, FakeEngine
from webui.domain.dialect import Dialect
from webui.domain.extensions import ExtensionInfo
from webui.extension_api import Options
from webui.library.library import ModelLibrary
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of
from webui.weights.families.registry import FAMILIES


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
        ({"Comments": {"args": []}, "Extra options": {"args": []}, "Hypertile": {"args": []}}, {}),
        ({"Seed": {"args": [-1, False, -1, 0, 0, 0]}, "API payload": {"args": []}}, {}),
        ({"ADetailer": {"args": [False]}, "adetailer": {"args": []}}, {}),
    ],
)
def test_forms_of_arguments(api: Api, scripts: dict[str, Any], options: dict[str, Any]) -> None:
    answer = api.txt2img(alwayson_scripts=scripts)
    assert answer.status_code == 200, answer.text
    assert api.engine.last.request.extensions == options


@pytest.mark.parametrize(
    ("scripts", "place", "text"),
    [
        ({"nobody": {"args": []}}, ["nobody"], "not found"),
        ({"ADetailer": {"args": [True, {}]}}, ["ADetailer"], "not found"),
        ({"controlnet": {"args": 1}}, ["controlnet", "args"], "list"),
        ({"controlnet": 1}, ["controlnet"], "object"),
        ({"controlnet": {"args": [{"weight": 3}]}}, ["controlnet", "args", 0, "weight"], "2"),
        ({"controlnet": {"args": [{}, {"weight": 10**400}]}}, ["controlnet", "args", 1, "weight"], "large"),
        ({"controlnet": {"args": {"units": [{"weight": 3}]}}}, ["controlnet", "args", "units", 0, "weight"], "2"),
        ({"soft_glow": {"args": [True, 10]}}, ["soft_glow", "args", 1], "maximum of 9"),
        ({"Soft Glow": {"args": [{"amount": 10}]}}, ["Soft Glow", "args", 0, "amount"], "maximum of 9"),
        ({"off": {}}, ["off", "args"], "switched off"),
    ],
)
def test_what_is_wrong_is_named_in_the_clients_own_body(
    api: Api, scripts: dict[str, Any], place: list[Any], text: str
) -> None:
    answer = api.txt2img(alwayson_scripts=scripts)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "alwayson_scripts", *place]
    assert text in answer.json()["detail"][0]["msg"]


def test_names_are_those_that_people_see() -> None:
    dialect = Dialect(script_names=("ControlNet", "ControlNet m2m"))
    infos = [
        ExtensionInfo("soft_glow", "soft_glow", options=schema_of(Plain)),
        ExtensionInfo("controlnet", "controlnet", options=schema_of(Units), dialect=dialect),
        ExtensionInfo("no_options", "no_options"),
    ]
    api = Api(FakeEngine(extensions=Catalog(infos)))
    names = api.get("/sdapi/v1/scripts").json()
    always = ["refiner", "sampler", "seed", "soft glow", "controlnet", "controlnet m2m"]
    assert names["txt2img"][:6] == always
    assert names["img2img"][:7] == [*always, "soft inpainting"]
    told = api.get("/sdapi/v1/script-info").json()
    assert [(one["name"], one["is_img2img"]) for one in told[:2]] == [("soft glow", False), ("controlnet", False)]
    soft = next(one for one in told if one["name"] == "soft inpainting")
    assert [one["label"] for one in soft["args"]][:2] == ["Soft inpainting", "Schedule bias"]
    assert api.txt2img(alwayson_scripts={"soft glow": {"args": []}}).status_code == 200


class Named(Options):
    model: str = Field("None", json_schema_extra={"model": "controlnet"})
    strength: float = Field(0.0, json_schema_extra={"needs": ["detector", "codeformer"]})


@pytest.fixture
def with_files(tmp_path: Path) -> Api:
    library = ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)
    info = ExtensionInfo("named", "named", options=schema_of(Named))
    engine = FakeEngine(extensions=Catalog([info]))
    api = Api(engine)
    api.engine.library = library  # type: ignore[assignment]
    return api


@pytest.mark.parametrize(
    ("options", "place"),
    [({"model": "canny [0123abcd]"}, "model"), ({"strength": 1}, "strength")],
)
def test_a_missing_file_is_refused_before_the_work(with_files: Api, options: dict[str, Any], place: str) -> None:
    answer = with_files.txt2img(alwayson_scripts={"Named": {"args": [options]}})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "alwayson_scripts", "Named", "args", 0, place]
    assert not with_files.engine.jobs
    assert (
        with_files.txt2img(alwayson_scripts={"Named": {"args": [{"model": "None", "strength": 0}]}}).status_code == 200
    )

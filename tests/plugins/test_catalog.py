"""The front's check of requests, from schemas alone, and the switch in the settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, model_validator

from webui.domain.errors import BadRequestError
from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.extension_api import ImageField, Options
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of


class Unit(BaseModel):
    weight: float = Field(1.0, ge=0, le=2)
    image: ImageField | None = None


class Lenient(BaseModel):
    mode: str = "a"

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return {"mode": "ab"[values]} if isinstance(values, int) else values


class ToyOptions(Options):
    on: bool = True
    count: int = Field(1, ge=1, le=4)
    units: tuple[Unit, ...] = Field((), max_length=2)
    lenient: Lenient | None = None


class Needy(Options):
    name: str


CATALOG = Catalog(
    [
        ExtensionInfo("toy", "toy", options=schema_of(ToyOptions), actions=(ActionInfo("do", "Do", schema_of(Needy)),)),
        ExtensionInfo("plain", "plain"),
        ExtensionInfo("off", "off", state="disabled"),
        ExtensionInfo("bad", "bad", state="failed", error="has a syntax error"),
    ]
)


def check(**extensions: Mapping[str, Any]) -> None:
    CATALOG.check(GenerationRequest(extensions=extensions))


@pytest.mark.parametrize(
    "options",
    [{}, {"on": 0}, {"count": "3"}, {"units": [{"weight": 2}, {"image": None}]}, {"lenient": 1}, {"lenient": None}],
)
def test_what_pydantic_takes_is_not_refused(options: dict[str, Any]) -> None:
    check(toy=options)
    ToyOptions.model_validate(options)


@pytest.mark.parametrize(
    ("extensions", "field", "text"),
    [
        ({"nobody": {}}, "extensions.nobody", "there is no extension"),
        ({"plain": {}}, "extensions.plain", "takes no options"),
        ({"off": {}}, "extensions.off", "switched off"),
        ({"bad": {}}, "extensions.bad", "has a syntax error"),
        ({"toy": {"count": 9}}, "extensions.toy.count", "maximum of 4"),
        ({"toy": {"count": "many"}}, "extensions.toy.count", "not of type 'integer'"),
        ({"toy": {"wieght": 1}}, "extensions.toy.wieght", "no such option"),
        ({"toy": {"units": [{}, {"weight": 3}]}}, "extensions.toy.units.1.weight", "maximum of 2"),
        ({"toy": {"units": [{}, {}, {}]}}, "extensions.toy.units", "too long"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_place(extensions: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        check(**extensions)
    assert refused.value.field == field
    assert text in refused.value.message


def test_calls_of_actions_are_checked_too() -> None:
    assert CATALOG.call("toy", "do", {"name": "x"}).options == {"name": "x"}
    for options, field in (({}, "name"), ({"name": 1}, "name")):
        with pytest.raises(BadRequestError) as refused:
            CATALOG.call("toy", "do", options)
        assert refused.value.field == field
    with pytest.raises(BadRequestError, match="no action 'fly'; there are: do"):
        CATALOG.call("toy", "fly", {})


def test_a_switch_is_written_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"port": 7861, "disabled_extensions": ["other"]}')
    catalog = Catalog(CATALOG.infos, file)
    catalog.switch("toy", on=False)
    catalog.switch("toy", on=False)
    assert json.loads(file.read_text()) == {"port": 7861, "disabled_extensions": ["other", "toy"]}
    catalog.switch("toy", on=True)
    assert json.loads(file.read_text())["disabled_extensions"] == ["other"]
    with pytest.raises(BadRequestError, match="nobody"):
        catalog.switch("nobody", on=True)


def test_what_extensions_took_is_summed_over_their_hooks_and_the_latest_job_counts() -> None:
    known = Catalog([ExtensionInfo(name, name) for name in ("ink", "oil")])
    assert known.cost_of("ink") is None
    known.note_costs({"ink: pre_step": 1.0, "ink: edit_image": 0.5, "sampling": 9.0, "gone: pre_step": 1.0})
    known.note_costs({"ink: pre_step": 0.25})
    assert (known.cost_of("ink"), known.cost_of("oil"), known.cost_of("gone")) == (0.25, None, None)

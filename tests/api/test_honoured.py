"""A1111's words that extensions honour: any extension may declare them, and without one they are refused."""

import json
from typing import Any

import pytest
from pydantic import BaseModel

from tests.api.fakes import Api, FakeEngine
from tests.api.test_extras import SINGLE, picture
from webui.domain.dialect import Dialect, Told, Word
from webui.domain.extensions import ExtensionInfo
from webui.extension_api import Options
from webui.plugins.catalog import Catalog
from webui.plugins.options import schema_of


class Inner(BaseModel):
    strength: float = 0.0


class MendOptions(Options):
    way: str = "soft"
    amount: float = 0.0
    inner: Inner = Inner()


MENDING = Dialect(
    generation=(
        Word(name="restore_faces", asks=True),
        Word(name="mend", asks=True),
        Word(
            name="mend_way", setting=True, meanings={"Hard": {"way": "hard"}, "Soft": {"way": "soft"}}, default="Soft"
        ),
        Word(name="mend_strength", option="inner.strength", low=0, high=2),
    ),
    extras=(Word(name="mend_amount", asks=True, option="amount"), Word(name="gfpgan_visibility", asks=True)),
    info=(Told(key="mended", words={"amount": "much"}, value="little"), Told(key="restore_faces")),
    script_names=("Mend It-All",),
)


def api_of(dialect: Dialect, **more: Any) -> Api:
    info = ExtensionInfo("mender", "mender", options=schema_of(MendOptions), dialect=dialect, **more)
    return Api(FakeEngine(extensions=Catalog([info])))


@pytest.fixture
def api() -> Api:
    return api_of(MENDING)


@pytest.mark.parametrize(
    ("body", "options"),
    [
        ({}, {}),
        ({"restore_faces": True}, {"mender": {"way": "soft"}}),
        ({"restore_faces": False, "mend": True}, {}),  # the first that has a value decides
        ({"mend": 1}, {"mender": {"way": "soft"}}),
        ({"mend": 0, "mend_strength": 1}, {}),
        ({"mend": 1, "mend_strength": 1.5}, {"mender": {"way": "soft", "inner": {"strength": 1.5}}}),
        ({"mend": 1, "override_settings": {"mend_way": "Hard"}}, {"mender": {"way": "hard"}}),
        ({"alwayson_scripts": {"mend_it all": {"args": [{"amount": 1}]}}}, {"mender": {"amount": 1}}),
        ({"mend": 1, "alwayson_scripts": {"mender": {"args": ["x"]}}}, {"mender": {"way": "x"}}),
    ],
)
def test_declared_words_become_options(api: Api, body: dict[str, Any], options: dict[str, Any]) -> None:
    answer = api.txt2img(**body)
    assert answer.status_code == 200, answer.text
    assert api.engine.last.request.extensions == options


@pytest.mark.parametrize(
    ("body", "place", "text"),
    [
        ({"mend_strength": 3}, ["body", "mend_strength"], "should be from 0 to 2"),
        ({"mend_strength": "much"}, ["body", "mend_strength"], "should be a number"),
        (
            {"mend": 1, "override_settings": {"mend_way": "Odd"}},
            ["body", "override_settings", "mend_way"],
            "should be Hard or Soft",
        ),
    ],
)
def test_a_value_that_means_nothing_is_named(api: Api, body: dict[str, Any], place: list[str], text: str) -> None:
    answer = api.txt2img(**body)
    assert answer.status_code == 422
    assert [(one["loc"], one["msg"]) for one in answer.json()["detail"]] == [(place, text)]


def test_extras_ask_by_any_word(api: Api) -> None:
    for body, options in (({"mend_amount": 0.5}, {"amount": 0.5}), ({"gfpgan_visibility": 1}, {})):
        assert api.post(SINGLE, {"image": picture(), "mend_amount": 0, **body}).status_code == 200
        assert api.engine.last.request.extensions["mender"].items() >= options.items()
    assert api.post(SINGLE, {"image": picture(), "mend_amount": 0}).status_code == 200
    assert api.engine.last.request.extensions == {}


def info(answer: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(answer.json()["info"])
    return told


def test_info_tells_of_the_images_that_it_was_asked_for(api: Api) -> None:
    plain = info(api.txt2img())
    assert "mended" not in plain
    assert (plain["restore_faces"], plain["face_restoration_model"]) == (False, None)
    assert info(api.txt2img(mend=1))["mended"] == "little"
    scripts = {"mender": {"args": [{"amount": 1}]}}
    told = info(api.txt2img(alwayson_scripts=scripts))
    assert (told["mended"], told["restore_faces"], told["face_restoration_model"]) == ("much", True, None)


def test_its_settings_are_listed_and_posting_them_changes_nothing(api: Api) -> None:
    assert api.get("/sdapi/v1/options").json()["mend_way"] == "Soft"
    assert api.post("/sdapi/v1/options", {"mend_way": "Hard", "tiling": True}).status_code == 200
    assert api.engine.changed == [{"tiling": True}]
    body = {"override_settings": {"mend_way": "Hard"}, "override_settings_restore_afterwards": False}
    assert api.txt2img(mend=1, **body).status_code == 200


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"restore_faces": True}, ["body", "restore_faces"]),
        ({"override_settings": {"face_restoration": True}}, ["body", "override_settings", "face_restoration"]),
        ({"override_settings": {"mend_way": "Hard"}}, ["body", "override_settings", "mend_way"]),
    ],
)
@pytest.mark.parametrize("info", [{"dialect": Dialect()}, {"dialect": MENDING, "state": "failed"}])
def test_without_an_extension_that_honours_them_they_are_refused(
    body: dict[str, Any], place: list[str], info: dict[str, Any]
) -> None:
    answer = api_of(**info).txt2img(**body)
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"] == place
    assert detail["msg"] in ("needs an extension that is not installed, or is switched off", "there is no such setting")


def test_without_one_what_asks_for_nothing_goes_on() -> None:
    api = api_of(Dialect())
    settings = {"face_restoration": True, "face_restoration_model": "GFPGAN", "code_former_weight": 0.1}
    assert api.txt2img(restore_faces=False, override_settings=settings).status_code == 200
    assert api.engine.last.request.extensions == {}
    assert api.get("/sdapi/v1/options").json()["face_restoration_model"] == "CodeFormer"

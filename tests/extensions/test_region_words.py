"""Regions: what A1111's words mean, what is told in infotexts and read back, and what the form draws."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from extensions.regions.drawn_places import PlacesOptions, region_places
from extensions.regions.options import KEEPS_AND, KEEPS_BREAK, REVERSES, RegionsOptions
from extensions.regions.region_words import fields_of
from tests.reference import Case, over_cases
from webui.api.sdapi.dialect.alwayson import listed_names, options_of, place_of
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture
from webui.output.parse import parse, read_fields
from webui.plugins.loader import load_all

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def infos() -> tuple[ExtensionInfo, ...]:
    return load_all(ROOT / "extensions", ()).infos


# words of A1111

RP = [
    True, False, "Matrix", "Rows", "Mask", "Prompt", "1,2", 0.3, True, False, True, "Latent", [KEEPS_BREAK], "0", "0",
    "0.4", "", "0", "3", True,
]  # fmt: skip


def options(infos: tuple[ExtensionInfo, ...], title: str, args: Any) -> RegionsOptions:
    return RegionsOptions.model_validate(options_of({title: {"args": args}}, infos)["regions"])


def test_the_arguments_of_regional_prompter_are_read_by_their_place(infos: tuple[ExtensionInfo, ...]) -> None:
    whole = options(infos, "Regional Prompter", RP)
    assert whole == RegionsOptions(
        direction="Rows", ratios="1,2", base_ratios="0.3", use_base=True, use_common_negative=True,
        calculation="Latent", options=(KEEPS_BREAK,), lora_hires_stop=3, flip=True,
    )  # fmt: skip
    assert options(infos, "regional prompter", RP[:17]) == whole.model_copy(
        update={"lora_hires_stop": 0, "flip": False}
    )
    assert options(infos, "Regional Prompter", [True, False, "Matrix", "Vertical"]).direction == "Rows"


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (True, (KEEPS_AND,)),
        (False, ()),
        ("Flip prompts", (REVERSES,)),
        (["No Options"], ()),
        ("flip PROMPTS,", (REVERSES,)),
    ],
)
def test_its_options_come_in_several_forms(infos: tuple[ExtensionInfo, ...], sent: Any, read: Any) -> None:
    assert options(infos, "Regional Prompter", [*RP[:12], sent]).options == read


def test_a_path_of_a_mask_is_refused(infos: tuple[ExtensionInfo, ...]) -> None:
    with pytest.raises(ValueError, match="mask"):
        options(infos, "Regional Prompter", [*RP[:16], "/etc/passwd"])
    with pytest.raises(ValueError, match="is none of"):
        options(infos, "Regional Prompter", [*RP[:12], ["Fly"]])


def test_the_arguments_of_forge_couple_are_read_by_their_place(infos: tuple[ExtensionInfo, ...]) -> None:
    rows = [[0, 0.5, 0, 1, 1.0], [0.5, 1, 0, 1, 1.0]]
    read = options(
        infos, "forge couple", [True, False, "Advanced", "", "Vertical", "None", 0.5, rows, "off", False, False]
    )
    assert read == RegionsOptions(
        mode="Lines", lines_mode="Advanced", direction="Rows", mapping=json.dumps(rows), brackets="off",
        keeps_definitions=False, first_pass_only=False,
    )  # fmt: skip
    masks = [{"mask": Picture.of(Image.new("L", (16, 8))).to_base64(), "weight": 0.7}] * 2
    assert len(options(infos, "Forge Couple", [True, True, "Mask", "", "Horizontal", "None", 0.5, masks]).masks) == 2
    assert options(infos, "Forge Couple", []).mode == "Lines"


def test_of_two_scripts_that_are_sent_the_one_that_is_on_counts(infos: tuple[ExtensionInfo, ...]) -> None:
    off = {"args": [False]}
    for scripts in (
        {"Regional Prompter": {"args": RP}, "forge couple": off},
        {"forge couple": off, "Regional Prompter": {"args": RP}},
    ):
        assert options_of(scripts, infos)["regions"]["ratios"] == "1,2"
    info = next(info for info in infos if info.name == "regions")
    assert listed_names(info) == ["regional prompter", "forge couple"]
    place = place_of(("extensions", "regions", "lines_mode"), {"forge couple": {"args": [True, True, "x"]}}, infos)
    assert place == ("alwayson_scripts", "forge couple", "args", 2)


# infotexts


@over_cases(".txt", where=lambda case: case.group == "regional")
def test_what_is_told_is_what_a1111_tells_and_is_read_back(case: Case, infos: tuple[ExtensionInfo, ...]) -> None:
    read = options(infos, "regional prompter", case.body()["alwayson_scripts"]["regional prompter"]["args"])
    text = parse(case.infotexts()[0])
    assert {key: str(value) for key, value in fields_of(read).items()} == {
        key: value for key, value in text.items() if key.startswith("RP ")
    }
    back = read_fields(text, infos).request.extensions["regions"]
    told = read.model_copy(update={"mask": None})  # no text holds a picture
    assert RegionsOptions.model_validate(back) == told


@pytest.mark.parametrize(
    "asked",
    [
        {
            "lines_mode": "Basic",
            "direction": "Rows",
            "background": "Last Line",
            "background_weight": 0.75,
            "separator": ";",
        },
        {"lines_mode": "Advanced", "mapping": "[[0, 1, 0, 1, 1]]", "brackets": "off", "first_pass_only": False},
    ],
)
def test_what_forge_couple_tells_is_read_back(asked: Any, infos: tuple[ExtensionInfo, ...]) -> None:
    read = RegionsOptions(mode="Lines", **asked)
    told = {key: str(value) for key, value in fields_of(read).items()}
    back = read_fields({"Prompt": "a", "Steps": "20", **told}, infos).request.extensions["regions"]
    assert RegionsOptions.model_validate(back) == read


# the drawing


def drawn(prompt: str, **options: Any) -> dict[str, Any]:
    asked = PlacesOptions(options=options, prompt=prompt)
    data: Any = region_places(asked, SimpleNamespace()).data  # type: ignore[arg-type]
    return dict(data)


def test_the_form_is_told_where_regions_lie() -> None:
    found = drawn("a cat BREAK a dog", ratios="1,3")
    assert found["places"][1] == {"name": "2 a dog", "left": 0.25, "top": 0.0, "width": 0.75, "height": 1.0}
    assert [one["top"] for one in drawn("a\nb", mode="Lines", direction="Rows")["places"]] == [0.0, 0.5]
    assert len(drawn("far\na\nb", mode="Lines", background="First Line")["places"]) == 2
    mapping = "[[0, 0.5, 0, 1, 1]]"
    assert drawn("a", mode="Lines", lines_mode="Advanced", mapping=mapping)["places"][0]["width"] == 0.5


@pytest.mark.parametrize(
    ("prompt", "options", "says"),
    [
        ("a cat", {}, "BREAK"),
        ("a", {"mode": "Lines"}, "line"),
        ("a", {"mapping": "["}, "JSON"),
        ("a BREAK b", {"mode": "Mask"}, ""),
    ],
)
def test_without_rectangles_it_says_what_to_do(prompt: str, options: Any, says: str) -> None:
    found = drawn(prompt, **options)
    assert found["places"] == []
    assert says in found["say"]

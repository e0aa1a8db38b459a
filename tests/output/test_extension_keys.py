"""Keys of infotexts that extensions declare: read by their codecs, and refused where no extension reads them."""

from typing import Any

import pytest

from webui.domain.dialect import Dialect, Item, Word
from webui.domain.extensions import ExtensionInfo
from webui.output.parse import Reading, parse, read_fields

TOY = Dialect(
    infotext=(
        Word(name="Toy", asks=True, meanings={"Soft": {"way": "soft", "amount": 1}, "Hard": {"way": "hard"}}),
        Word(name="Toy amount", option="amount", codec="integer"),
        Word(name="Toy size", option="inner.size", codec="number"),
        Word(name="Toy on", option="on", codec="boolean"),
        Word(name="Toy text", option="text"),
        Word(name="Face restoration"),
    )
)


def read(text: str, *dialects: Dialect, **more: Any) -> Reading:
    infos = [ExtensionInfo(f"toy{at}", f"toy{at}", dialect=one, **more) for at, one in enumerate(dialects)]
    return read_fields(parse(f"a\nSteps: 9, Sampler: Euler, Seed: 1, {text}"), infos)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Toy: soft", {"way": "soft", "amount": 1}),
        ("Toy: HARD, Toy amount: 3", {"way": "hard", "amount": 3}),
        ("Toy amount: 20.0, Toy: Soft", {"way": "soft", "amount": 20}),
        ("Toy: hard, Toy size: 0.5", {"way": "hard", "inner": {"size": 0.5}}),
        ("Toy: hard, Toy on: False", {"way": "hard", "on": False}),
        ("Toy: hard, Toy on: True", {"way": "hard", "on": True}),
        ('Toy: hard, Toy text: "b, c: d"', {"way": "hard", "text": "b, c: d"}),
        (f"Toy: hard, Toy amount: {2**60 + 1}", {"way": "hard", "amount": 2**60 + 1}),
        ("Toy amount: 3", None),
    ],
)
def test_values_are_read_by_their_codecs(text: str, options: dict[str, object] | None) -> None:
    reading = read(text, TOY)
    assert reading.request.extensions == ({} if options is None else {"toy0": options})
    assert reading.notices == ()


@pytest.mark.parametrize(
    "text", ["Toy: hard, Toy amount: many", "Toy: hard, Toy size: x", "Toy: odd, Toy amount: 1e999"]
)
def test_what_is_no_value_is_told(text: str) -> None:
    reading = read(text, TOY)
    assert "is not a value of this kind" in reading.notices[-1].text


def test_every_extension_that_reads_a_key_hears_it() -> None:
    assert set(read("Toy: soft", TOY, TOY).request.extensions) == {"toy0", "toy1"}


def test_a_key_that_no_extension_reads_is_told() -> None:
    text = "Face restoration: CodeFormer, CodeFormer weight: 0.2"
    for reading in (read(text), read(text, Dialect()), read(text, TOY, state="disabled")):
        assert reading.request.extensions == {}
        assert [one.text for one in reading.notices] == [
            "Face restoration: needs an extension that is not installed, or is switched off; left out",
            "not restored, as nothing here reads these keys: CodeFormer weight",
        ]
    assert read("Face restoration: CodeFormer", TOY).notices == ()


UNITS = Dialect(
    infotext=(
        Word(
            name="Unit #",
            asks=True,
            option="units",
            always={"enabled": True},
            reminder="give it a picture",
            hides=("Model",),
            items=(
                Item(name="Kind", options=("kind",)),
                Item(name="Weight", options=("weight",), codec="number"),
                Item(name="Model", options=("model",), none="None"),
                Item(name="starting/ending", options=("start", "inner.end"), codec="number"),
            ),
        ),
        Word(name="Recipe", asks=True, codec="object"),
    )
)


def test_a_key_of_several_items_is_an_entry_of_a_list() -> None:
    reading = read(
        'Model: m, Unit 0: "Kind: a, Weight: 0.5, Odd: 1, Model: None", Unit 2: "kind: b, starting/ending: (0, 0.5)"',
        UNITS,
    )
    assert reading.request.extensions["toy0"]["units"] == [
        {"enabled": True, "kind": "a", "weight": 0.5},
        {"enabled": True, "kind": "b", "start": 0.0, "inner": {"end": 0.5}},
    ]
    assert [one.text for one in reading.notices] == ["Unit 0: give it a picture", "Unit 2: give it a picture"]
    assert reading.request.checkpoint == ""  # the key hides it


def test_an_item_that_is_no_value_is_told_and_the_rest_is_read() -> None:
    reading = read('Unit 1: "Kind: a, Weight: many"', UNITS)
    assert reading.request.extensions["toy0"]["units"] == [{"enabled": True, "kind": "a"}]
    assert "Weight: 'many' is not a value" in reading.notices[0].text


def test_an_object_of_options_is_read_whole() -> None:
    assert read('Recipe: {"a": 1, "b": {"c": [2]}}', UNITS).request.extensions == {"toy0": {"a": 1, "b": {"c": [2]}}}
    for text in ("Recipe: [1]", 'Recipe: {"a.b": 1}', "Recipe: x", 'Recipe: "{"'):
        reading = read(text, UNITS)
        assert reading.request.extensions == {}
        assert "is not a value" in reading.notices[0].text


def test_keys_that_nothing_reads_are_named_in_one_notice() -> None:
    notices = read("Odd key: 1, Other: 2, Version: v1.10.1, Lora hashes: x, RNG: CPU", TOY).notices
    assert [one.text for one in notices] == ["not restored, as nothing here reads these keys: Odd key, Other"]

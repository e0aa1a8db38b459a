"""Keys of infotexts that extensions declare: read by their codecs, and refused where no extension reads them."""

from typing import Any

import pytest

from webui.domain.dialect import Dialect, Word
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
            "Face restoration: needs an extension that is not installed, or is switched off; left out"
        ]
    assert read(text, TOY).notices == ()

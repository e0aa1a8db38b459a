"""The grammar of an axis's values, against the table of A1111's forms. The page's own reader is tested with it, too."""

import json
from pathlib import Path
from typing import Any

import pytest

from webui.experiments.axis_values import Value, as_text, texts_of, values_of

ROWS = json.loads(Path(__file__).parents[1].joinpath("data", "axis_values.json").read_text(encoding="utf-8"))
FORMS = tuple(row for row in ROWS if "values" in row)
FAULTS = tuple(row for row in ROWS if row.get("fault"))


def shown(value: Value) -> str:
    """A value as it is shown, without the zeros that only tell its type."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{round(value, 8):g}" if isinstance(value, float) else str(value)


def test_the_table_holds_both() -> None:
    assert len(FORMS) >= 13
    assert len(FAULTS) >= 7
    assert len(FORMS) + len(FAULTS) == len(ROWS)


@pytest.mark.parametrize("row", FORMS, ids=lambda row: row["text"])
def test_forms(row: dict[str, Any]) -> None:
    assert [shown(value) for value in values_of(row["kind"], texts_of(row["text"]))] == row["values"]


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row["text"])
def test_what_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"neither|values|orders|step"):
        values_of(row["kind"], texts_of(row["text"]))


@pytest.mark.parametrize("texts", [("a", "b"), ("a, b", "c"), ('say "x"', "y")])
def test_texts_come_back_from_csv(texts: tuple[str, ...]) -> None:
    assert texts_of(as_text(texts)) == texts

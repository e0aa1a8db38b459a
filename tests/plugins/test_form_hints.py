"""Hints how options are drawn: checked when an extension is loaded; one that does not fit costs only itself."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tests.extensions.toys import toy
from webui.extension_api import Card, Options, form_hint, hint
from webui.extension_api.hints import KEY
from webui.plugins.form_hints import with_checked_hints
from webui.plugins.loader import load_all
from webui.plugins.options import schema_of

PLUGIN = """
from pydantic import Field
from webui.extension_api import Options, hookimpl

class ToyOptions(Options):
    amount: float = Field(0.5, ge=0, le=1, json_schema_extra={"form": %s})

@hookimpl
def request_options():
    return ToyOptions
"""


def loaded(folder: Path, hints: str) -> Any:
    toy(folder, "glow", PLUGIN % hints)
    return load_all(folder).infos[0]


def test_a_hint_that_fits_is_kept(tmp_path: Path) -> None:
    info = loaded(tmp_path, '{"label": "How much"}')
    assert (info.state, info.notice) == ("ok", "")
    assert info.options["properties"]["amount"][KEY] == {"label": "How much"}


@pytest.mark.parametrize(
    ("hints", "why"),
    [
        ('{"colour": "red"}', "there is no hint 'colour'"),
        ('{"level": "hidden"}', "the hint 'level' cannot be used"),
        ('{"when": {"size": [1]}}', "there is no field 'size'"),
        ('{"preview": "draw"}', "there is no action 'draw'"),
        ('{"colours": ["red"]}', "the hint 'colours"),
        ('{"range": "ends"}', "it needs two"),
        ('{"cards": [{"title": "x", "diagram": "<svg>"}]}', "cannot be used"),
    ],
)
def test_a_hint_that_does_not_fit_is_refused_by_the_extensions_name(tmp_path: Path, hints: str, why: str) -> None:
    info = loaded(tmp_path, hints)
    assert info.state == "ok"  # the extension works all the same
    assert info.notice.startswith("glow: ")
    assert "amount" in info.notice
    assert why in info.notice
    assert KEY not in info.options["properties"]["amount"]


class Inner(BaseModel):
    model_config = ConfigDict(json_schema_extra=form_hint(summary="{a}"))

    a: int = Field(1, json_schema_extra=hint(range="span"))
    b: int = Field(2, json_schema_extra=hint(range="span", when={"a": [1]}))


class Outer(Options):
    model_config = ConfigDict(json_schema_extra=form_hint(group="quality", check="look"))

    inner: Inner = Inner()
    units: tuple[Inner, ...] = Field((), json_schema_extra=hint(chip="{a}"))


def test_hints_of_inner_models_are_checked_among_their_own_fields() -> None:
    checked, wrong = with_checked_hints(schema_of(Outer), {"look"})
    assert (wrong, checked) == ((), schema_of(Outer))
    without, wrong = with_checked_hints(schema_of(Outer), ())
    assert len(wrong) == 1
    assert "'look'" in wrong[0]
    assert KEY not in without


def test_the_helpers_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError):
        hint(level="rare")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Card(title="x", diagram="M0 0<script>")


def test_marks_of_files_stand_where_the_library_looks_for_them() -> None:
    assert hint(model="lora", needs=["vae"]) == {"model": "lora", "needs": ["vae"]}
    assert hint() == {}
    assert hint(label="Weight") == {KEY: {"label": "Weight"}}


def test_cards_keep_their_order() -> None:
    drawn = hint(control="cards", cards={"z": Card(title="Z"), "a": Card(title="A")})
    assert [card["value"] for card in drawn[KEY]["cards"]] == ["z", "a"]

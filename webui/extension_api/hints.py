"""How an extension wants its options to be drawn. Every hint may be left out; without any a form still looks right.

    weight: float = Field(1.0, ge=0, le=2, json_schema_extra=hint(level="main"))
    model: str = Field("", json_schema_extra=hint(model="controlnet", label="Control model"))

    class Unit(BaseModel):
        model_config = ConfigDict(json_schema_extra=form_hint(summary="{model} at {weight}"))

`hint` belongs to a field, `form_hint` to a model of options. Both give what pydantic writes into the JSON schema, where
the page and the library of models read it. A hint that does not fit its field is left out, and the list of extensions
says so with the extension's name.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

KEY = "form"
"""Where hints stand in a schema: of a field, or of a model."""

Group = Literal["composition", "quality", "expert"]
Level = Literal["main", "more"]
Tab = Literal["", "train"]
Control = Literal[
    "segments", "slider", "number", "lines", "choice", "chips", "cards", "bars", "model", "picture", "hidden", "master"
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Words = Annotated[str, StringConstraints(max_length=400)]
Diagram = Annotated[str, StringConstraints(max_length=400, pattern=r"^[MLQZHV0-9 .,|-]*$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Card(_Frozen):
    """One choice of several that need a sentence.

    Attributes:
        value: of the option; `hint` fills it in.
        diagram: `lines|points|result` in a box of 48 x 30: a path of SVG, points `6 22,42 8`, and the point that is
            marked. Only path letters and numbers.
        formula: what is computed, for a line that sums the form up; `{alpha}` is the value of a field.
    """

    title: Words
    value: str = ""
    text: Words = ""
    diagram: Diagram = ""
    formula: Words = ""


class Columns(_Frozen):
    """Bars beside each other whose number the extension knows: an action, and the fields that it is told.

    Its `data` is `{"labels": [name], "depths": [0..], "ends": [text], "presets": {name: [number]}}`; the depth of a
    column is how far down it is drawn.
    """

    action: Name
    of: tuple[Name, ...]


class Heat(_Frozen):
    """A map below the bars: an action whose `data` is `{column: {row: number}}`, and the fields that it is told."""

    action: Name
    of: tuple[Name, ...]


class Chooser(_Frozen):
    """A choice that is no option, and narrows the choices of others (ControlNet's control type).

    Attributes:
        action: a light one; in its `data`, at `at`, each choice has an object of texts and lists.
        first: how many chips are shown before "more"; `order` says which.
        narrows: field -> the key of the list of its choices.
        sets: field -> the key of the value that it gets with the choice.
    """

    label: Words
    action: Name
    at: Name
    first: int = Field(9, ge=1, le=50)
    order: tuple[Name, ...] = ()
    narrows: dict[Name, Name] = Field(default_factory=dict)
    sets: dict[Name, Name] = Field(default_factory=dict)


class Sliders(_Frozen):
    """Numbers whose name and range follow from another field (the thresholds of a preprocessor).

    Attributes:
        action: a light one; in its `data`, at `at`, each value of the field `of` has `sliders` (name, min, max, step,
            value) and `slider_fields`, the fields that they are.
        fields: the numbers that are shown by this alone. Below 0 they mean "as usual".
    """

    action: Name
    at: Name
    of: Name
    fields: tuple[Name, ...]


class PoseEditing(_Frozen):
    """A picture that may be drawn as a pose, in an editor of the page.

    Attributes:
        choice: of the form's chooser, with which the editor is offered (`OpenPose`).
        of, word: a field, and a word in its value with which it is offered too.
        sets: field -> the value that it gets with the drawn map.
    """

    choice: Words = ""
    of: Name
    word: Words
    sets: dict[Name, JsonValue] = Field(default_factory=dict)


class FieldHint(_Frozen):
    """What may stand at a field; see `hint`."""

    label: Words = ""
    labels: dict[str, Words] = Field(default_factory=dict)
    level: Level = "main"
    pair: str = ""
    when: dict[Name, tuple[JsonValue, ...]] = Field(default_factory=dict)
    control: Control | None = None
    unit: Words = ""
    range: str = ""
    span: tuple[float, float, float] | None = None
    first: int = Field(9, ge=1, le=50)
    cards: tuple[Card, ...] = ()
    columns: Columns | None = None
    heat: Heat | None = None
    fits: str = ""
    preview: str = ""
    colours: tuple[Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")], ...] = Field((), max_length=32)
    pose: PoseEditing | None = None
    chip: Words = ""
    axis: bool | dict[Literal["values"], Words] = False


class FormHint(_Frozen):
    """What may stand at a model of options; see `form_hint`."""

    group: Group = "expert"
    summary: Words = ""
    chooser: Chooser | None = None
    sliders: Sliders | None = None
    check: str = ""
    tries: bool = False
    places: str = ""
    tab: Tab = ""
    dial: str = ""


def hint(
    *,
    model: str = "",
    needs: Sequence[str] = (),
    label: str = "",
    labels: Mapping[str, str] | None = None,
    level: Level = "main",
    pair: str = "",
    when: Mapping[str, Sequence[JsonValue]] | None = None,
    control: Control | None = None,
    unit: str = "",
    range: str = "",
    span: tuple[float, float, float] | None = None,
    first: int = 9,
    cards: Mapping[str, Card] | None = None,
    columns: Columns | None = None,
    heat: Heat | None = None,
    fits: str = "",
    preview: str = "",
    colours: Sequence[str] = (),
    pose: PoseEditing | None = None,
    chip: str = "",
    axis: bool | Mapping[Literal["values"], str] = False,
) -> dict[str, Any]:
    """The hints of a field, for `Field(json_schema_extra=...)`.

    Args:
        model: a text that names a file of this kind (`controlnet`): the library checks it, the form lists the files.
        needs: kinds of which there must be a file where the value is neither 0 nor empty.
        label: what it is called; else its title, else its name in plain words.
        labels: short words for values of a choice; the value that is sent stays.
        level: `more` puts it under one fold at the end.
        pair: two fields that follow each other and name the same word stand side by side.
        when: shown only where these fields have one of these values.
        control: what draws it; else its type decides. `master` is not drawn: it is true while the form is switched on.
            `hidden` is not drawn and is sent as it was read from a picture.
        unit: written behind the number; `%` shows a share of 1 as per cent.
        range: two numbers that name the same word become one control with two handles.
        span: lowest, highest and step of the slider, where those of the type are too wide.
        first: of chips, how many are shown before "more".
        cards: the choices as cards, by value.
        columns, heat: of bars (a text of numbers, or the name of a preset).
        fits: of a model file, the field whose family it must have.
        preview: of a picture, the action that makes a map of it; it is told all fields of its own names.
        colours: of a picture that may also be painted in the form: its colours, `#rrggbb`, the last of them the ground.
        pose: of a picture that may also be drawn as a pose: when, and what goes with it.
        chip: of a list of models, what a chip of one says (`{model} {weight}`).
        axis: offered as an axis of experiments; `{"values": "1-9 (+2)"}` says which values come first.

    Raises:
        pydantic.ValidationError: a hint is not of its form.
    """
    named = tuple(card.model_copy(update={"value": value}) for value, card in (cards or {}).items())
    given = FieldHint(
        label=label, labels=dict(labels or {}), level=level, pair=pair, control=control, unit=unit, range=range,
        when={name: tuple(values) for name, values in (when or {}).items()}, span=span, first=first,
        cards=named, columns=columns, heat=heat, fits=fits, preview=preview, colours=tuple(colours), pose=pose,
        chip=chip,
        axis=axis if isinstance(axis, bool) else {"values": axis["values"]},
    )  # fmt: skip
    marks: dict[str, Any] = {"model": model} if model else {}
    if needs:
        marks["needs"] = list(needs)
    told = given.model_dump(mode="json", exclude_defaults=True)
    return {**marks, **({KEY: told} if told else {})}


def form_hint(
    *,
    group: Group = "expert",
    summary: str = "",
    chooser: Chooser | None = None,
    sliders: Sliders | None = None,
    check: str = "",
    tries: bool = False,
    places: str = "",
    tab: Tab = "",
    dial: str = "",
) -> dict[str, Any]:
    """The hints of a model of options, for `ConfigDict(json_schema_extra=...)`.

    Args:
        group: where the form stands among the settings of a picture.
        summary: one line about what is switched on: `{model} at {weight}`; `{units}` joins the chips of a list.
        chooser: a choice above the fields that narrows theirs.
        sliders: numbers whose range follows from another field.
        check: a light action that looks what is missing. It is told `options` (without pictures) and `checkpoint`; its
            `data` is a list of `{"field": "units.0.model", "title", "say", "files", "folder", "instead"}`.
        tries: of an action: its options are also those of a request, so its form has a button that uses them for the
            next pictures without running the action.
        places: a light action that says where in the picture the options act, which the form draws and shows over the
            picture. It is told `options` (without pictures), `prompt`, `width` and `height`; its `data` is
            `{"places": [{"name", "left", "top", "width", "height"}], "say": ""}` with shares of the sides; `say` is a
            sentence in place of a drawing.
        tab: of an action: the tab of the page that it belongs to, which shows its form and its run. `train` is the one
            with data sets and runs of training; what it asks is in `docs/extending.md`.
        dial: of an action that measures: a light action that tells what it found, of which the page draws the dial of
            speed and exactness among the settings of quality. What it answers is in `docs/extending.md`.

    Raises:
        pydantic.ValidationError: a hint is not of its form.
    """
    given = FormHint(
        group=group, summary=summary, chooser=chooser, sliders=sliders, check=check, tries=tries, places=places,
        tab=tab, dial=dial,
    )  # fmt: skip
    return {KEY: given.model_dump(mode="json", exclude_defaults=True)}

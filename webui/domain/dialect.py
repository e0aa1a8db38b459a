"""A1111's words and what they mean to an extension, as plain data that the front reads without running its code.

Reading requests and texts by these declarations is in `webui/api/sdapi/dialect/honoured.py` and
`webui/output/extension_keys.py`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from webui.domain.fields import Frozen

NEEDS_EXTENSION = "needs an extension that is not installed, or is switched off"
Codec = Literal["text", "integer", "number", "boolean", "object", "objects"]
Values = dict[str, JsonValue]  # options by dotted path


class Behind(str):
    """A text of `image_fields` whose key stands behind the program's own, as some of A1111's extensions write it."""


class Item(Frozen):
    """One of several items in the value of a key: `Weight: 0.8` in `ControlNet 0: "Module: canny, Weight: 0.8"`.

    Attributes:
        name: before the colon, compared without regard to case.
        options: where the value goes, relative to the entry of the list; several take its numbers in order.
        codec: how the value is written.
        none: a value that means that there is none, so that the option keeps its default.
    """

    name: str = Field(min_length=1, max_length=100)
    options: tuple[str, ...] = Field(min_length=1, max_length=8)
    codec: Codec = "text"
    none: str = ""


class Word(Frozen):
    """One of A1111's names, and what its value means as options of the extension.

    Attributes:
        name: of a field of a body, of a setting, or of a key in an infotext.
        setting: it stands among the settings (`override_settings`), not among the fields of the body.
        asks: it asks for the extension; the other words count only where one has asked.
        alone: it asks by itself where it is neither 0, false nor empty, whatever other words of a body say.
        option: dotted path of the option that takes the value, of an infotext's key also in an entry of a list
            (`units.0.weight`); "" where the value goes nowhere.
        codec: how an infotext writes the value (`objects`: a list of objects). In JSON it is taken as it comes.
        parts: of an infotext's key whose value is several numbers, the options that take them in order.
        keys: of an `object`, the option that each of its names sets; one that is not here sets nothing, and an object
            of objects becomes a list of them. Empty: its names are options.
        meanings: options by value, where values are words. An infotext's are compared without regard to case.
        otherwise: what every other value means; None: there is no other.
        none: of an infotext's key, a value that means that there is none, so that the option keeps its default.
        default: what counts where the value is missing.
        low, high: bounds of a number in a body; None: the option's own check is enough.
        items: of an infotext's key whose value holds several; each such key makes an entry of the list `option`. A `#`
            in the name stands for the numbers 0 to 19, each of which is a key.
        always: of an entry made of items, what it has besides.
        hides: keys of an infotext that do not count where this one stands, because it says it better.
        reminder: what the user is told when an infotext's key was read (a picture is still needed, say).
    """

    name: str = Field(min_length=1, max_length=100)
    setting: bool = False
    asks: bool = False
    alone: bool = False
    option: str = ""
    codec: Codec = "text"
    keys: dict[str, str] = Field(default_factory=dict)
    meanings: dict[str, Values] = Field(default_factory=dict)
    otherwise: Values | None = None
    none: str = ""
    default: JsonValue = None
    low: float | None = None
    high: float | None = None
    items: tuple[Item, ...] = ()
    parts: tuple[str, ...] = ()
    always: Values = Field(default_factory=dict)
    hides: tuple[str, ...] = ()
    reminder: str = Field("", max_length=200)

    def options(self) -> Iterator[str]:
        """The paths of every option that it may set."""
        if self.option:
            yield self.option
        yield from self.keys.values()
        yield from self.parts
        for values in (*self.meanings.values(), self.otherwise or {}):
            yield from values


class Told(Frozen):
    """A key of the `info` that A1111's API answers, for images that the extension was asked for.

    Attributes:
        value: what it says, unless one of `words` does.
        words: by an option's dotted path, what the key says where that option is neither 0, false nor empty; the first
            one counts.
    """

    key: str = Field(min_length=1, max_length=100)
    value: JsonValue = True
    words: Values = Field(default_factory=dict)


class Entries(Frozen):
    """Entries of a list among the values of a script, one after another, each so many values.

    Attributes:
        option: the list.
        args: the options of an entry, by their place among its values; "" where one goes nowhere.
    """

    option: str = Field(min_length=1)
    args: tuple[str, ...] = Field(min_length=1)


class NamedScript(Frozen):
    """A script of A1111 that asks for a part of an extension's options, as one extension may do the work of several.

    Attributes:
        names: titles in `alwayson_scripts`, compared as `Dialect.script_names` are.
        option: dotted path of the options that its values belong to; "" for those of the extension.
        args: options below that path by their place among the values, "" where one goes nowhere; `stages.0.scale` is an
            option of the first entry of a list.
        entries: what the values behind those of `args` are.
        keys: where clients send one object in place of values, the option for each of its names that has another.
        always: options of the extension that a request which names the script has besides.
    """

    names: tuple[str, ...] = Field(min_length=1)
    option: str = ""
    args: tuple[str, ...] = Field(min_length=1)
    entries: Entries | None = None
    keys: dict[str, str] = Field(default_factory=dict)
    always: Values = Field(default_factory=dict)

    def path(self, option: str) -> str:
        """The dotted path of an option of the script, from the options of the extension."""
        return f"{self.option}.{option}" if self.option else option

    def options(self) -> Iterator[str]:
        """The paths of every option that it may set."""
        for option in (*self.args, *self.keys.values(), *([self.entries.option] if self.entries else [])):
            if option:
                yield self.path(option)
        yield from self.always


class Dialect(Frozen):
    """How A1111's clients and texts speak of an extension. Words are read in their order; a later one overrides.

    Attributes:
        generation: fields and settings of `txt2img` and `img2img`. The first asking word that has a value decides
            whether the extension is asked for.
        extras: fields of the routes of Extras. One asking word that is neither 0, false nor empty is enough.
        infotext: keys of infotexts. An asking key asks where it is there. The extension writes them by `image_fields`.
        info: keys of the API's `info`.
        script_names: titles under which clients send its `alwayson_scripts`, beside its name; compared without regard
            to case, spaces, dashes and a version at their end.
        script_args: options by their place among the values that clients send there, "" where one goes nowhere; empty:
            in the order in which the options are declared.
        script_always: options that a request which names one of its scripts has besides, unless it says otherwise.
        unasked: a regular expression. A prompt of A1111's API in which it finds something asks for the extension even
            where nothing names it, because A1111's is switched on as it comes; "": none does.
        script_entries: what the values behind those of `script_args` are.
        scripts: further scripts, each with values of its own, that ask for a part of the options.
    """

    generation: tuple[Word, ...] = ()
    extras: tuple[Word, ...] = ()
    infotext: tuple[Word, ...] = ()
    info: tuple[Told, ...] = ()
    script_names: tuple[str, ...] = ()
    script_args: tuple[str, ...] = ()
    script_always: Values = Field(default_factory=dict)
    unasked: str = Field("", max_length=200)
    scripts: tuple[NamedScript, ...] = ()

    @field_validator("unasked")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return pattern

    script_entries: Entries | None = None

    @model_validator(mode="after")
    def _settings_where_there_are_some(self) -> "Dialect":
        others = (*self.generation, *self.extras)
        if odd := next((word for word in others if word.items or word.hides or word.parts), None):
            raise ValueError(f"{odd.name}: items, parts and hides are for keys of infotexts")
        for place, words in (("extras", self.extras), ("infotext", self.infotext)):
            if wrong := next((word for word in words if word.setting), None):
                raise ValueError(f"{place}: {wrong.name}: there are settings only in generation")
        return self

    def options(self) -> Iterator[tuple[str, str]]:
        """Every option that it names, with the word that does."""
        for word in (*self.generation, *self.extras, *self.infotext):
            yield from ((word.name, option) for option in word.options())
        yield from (("script_args", option) for option in self.script_args if option)
        yield from (("script_always", option) for option in self.script_always)
        if self.script_entries:
            yield ("script_entries", self.script_entries.option)
        for script in self.scripts:
            yield from ((script.names[0], option) for option in script.options())
        for told in self.info:
            yield from ((told.key, option) for option in told.words)

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """Its settings, with their defaults."""
        return {word.name: word.default for word in self.generation if word.setting}


def script_key(title: str) -> str:
    """A title of `alwayson_scripts` in the form in which it is compared: without a version such as `v2.17.1`."""
    return re.sub(r"_v\d[\d.]*$", "", title.lower().replace(" ", "_").replace("-", "_"))


def as_lists(value: Any) -> Any:
    """Options with a list in place of each object with the keys 0, 1, ..., as `stages.0.scale` writes one."""
    if not isinstance(value, dict):
        return value
    inner = {key: as_lists(one) for key, one in value.items()}
    if inner and all(key.isdecimal() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def placed(options: dict[str, Any], path: str, value: Any) -> None:
    """Write a value into options at a dotted path."""
    *parents, last = path.split(".")
    for name in parents:
        options = options.setdefault(name, {})
    options[last] = value

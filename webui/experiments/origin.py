"""What an experiment is made of: script, arguments, request and surroundings, as plain data that can be stored.

From the same origin the same experiment is made again, request for request: what is left to chance is drawn from the
number that belongs to the origin.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from webui.domain.request import GenerationRequest
from webui.experiments.option_axis import OptionAxis

SEEDS_END = 4294967294  # A1111 draws below this
FORM = 1  # of the text; it grows when a new one cannot be read by the same rules


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a script has to know beside the request.

    Attributes:
        choices: names by what they name: `checkpoints`, `vaes`, `upscalers`, `styles`,
            `samplers` (those of extensions).
        own_keys: keys that infotexts of single pictures have, and those of grids lack, because A1111 has put the
            settings behind them back when it writes the latter.
        returns_grid: whether grids are wanted in answers.
        grid_of_one: whether there is a grid of a single picture, too.
        background: colour of empty places in grids, `#rrggbb`.
        options: of extensions, each of which is an axis.
        faces: how faces are restored, by A1111's word for it: the name of an extension and its options.
        heard: by the key of an infotext, the extension that hears it and the option that it sets.
        planned: what a script of an extension answered when it was begun, as JSON; "" where none was asked.
        chance: what everything random is drawn from; None: it is drawn when the experiment begins.
        first_sizes: how many values the axes of a plot had before any was extended, by which seeds vary along them; ():
            they have not been extended.
    """

    choices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    own_keys: frozenset[str] = frozenset()
    returns_grid: bool = True
    grid_of_one: bool = False
    background: str = "#ffffff"
    options: tuple[OptionAxis, ...] = ()
    faces: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=lambda: MappingProxyType({}))
    heard: Mapping[str, tuple[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    planned: str = ""
    chance: int | None = None
    first_sizes: tuple[int, ...] = ()

    def with_chance(self) -> "Surroundings":
        """The same, with its number drawn."""
        return self if self.chance is not None else replace(self, chance=random.getrandbits(63))

    def draws(self, what: str) -> random.Random:
        """The source of what is random about one thing, independent of what is drawn for others."""
        return random.Random(f"{self.chance} {what}")


def with_seeds(request: GenerationRequest, around: Surroundings) -> GenerationRequest:
    """The request with the seeds drawn that it leaves to chance."""
    drawn = {
        name: around.draws(name).randrange(SEEDS_END) for name in ("seed", "subseed") if getattr(request, name) < 0
    }
    return request.with_(**drawn) if drawn else request


@dataclass(frozen=True, slots=True)
class Origin:
    """Attributes:
    script: its name.
    arguments: by position, as they were sent: plain data.
    """

    script: str
    arguments: tuple[Any, ...]
    request: GenerationRequest
    around: Surroundings

    def text(self) -> str:
        """What is stored. Of the options of extensions only those that the arguments name."""
        around = self.around
        named = [one.plain() for one in around.options if one.id in self.arguments or one.label in self.arguments]
        plain = {
            "choices": {name: list(names) for name, names in around.choices.items()},
            "own_keys": sorted(around.own_keys), "returns_grid": around.returns_grid,
            "grid_of_one": around.grid_of_one, "background": around.background, "chance": around.chance,
            "first_sizes": list(around.first_sizes), "options": named, "planned": around.planned,
            "faces": {word: [name, dict(options)] for word, (name, options) in around.faces.items()},
        }  # fmt: skip
        told = {"form": FORM, "script": self.script, "arguments": list(self.arguments), "around": plain}
        return json.dumps({**told, "request": self.request.model_dump_json()}, ensure_ascii=False)


def origin_of(text: str) -> Origin | None:
    """What `Origin.text` wrote; None where this version of the program cannot read it."""
    try:
        told = json.loads(text)
        if told["form"] != FORM:
            return None
        plain = told["around"]
        around = Surroundings(
            choices={name: tuple(names) for name, names in plain["choices"].items()},
            own_keys=frozenset(plain["own_keys"]), returns_grid=plain["returns_grid"],
            grid_of_one=plain["grid_of_one"], background=plain["background"], chance=plain["chance"],
            first_sizes=tuple(plain["first_sizes"]), options=tuple(map(OptionAxis.of, plain["options"])),
            planned=plain["planned"],
            faces={word: (name, options) for word, (name, options) in plain["faces"].items()},
        )  # fmt: skip
        request = GenerationRequest.model_validate_json(told["request"])
        return Origin(told["script"], tuple(told["arguments"]), request, around)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        return None

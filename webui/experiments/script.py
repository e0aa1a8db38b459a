"""What a script declares: its title, its arguments by position, and how an experiment of it begins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.experiments.course import Experiment

ARGUMENTS = "script_args"  # the field of a body that carries them
BOTH, ONLY_IMG2IMG = ("txt2img", "img2img"), ("img2img",)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, as clients of A1111 see it.

    Attributes:
        value: what it is where nothing is sent; its type is the argument's. None: it is not used.
        low, high, step: of a number.
        choices: what it may be; a number counts them.
    """

    label: str
    value: Any = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a script has to know beside the request.

    Attributes:
        choices: names by what they name: `checkpoints`, `vaes`, `upscalers`, `styles`.
        own_keys: keys that infotexts of single pictures have, and those of grids lack, because A1111 has put the
            settings behind them back when it writes the latter.
        returns_grid: whether grids are wanted in answers.
        grid_of_one: whether there is a grid of a single picture, too.
        background: colour of empty places in grids, `#rrggbb`.
    """

    choices: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    own_keys: frozenset[str] = frozenset()
    returns_grid: bool = True
    grid_of_one: bool = False
    background: str = "#ffffff"


Begin = Callable[[GenerationRequest, Sequence[Any], Surroundings], Experiment]


@dataclass(frozen=True, slots=True)
class Script:
    """One that can be chosen for a request.

    Attributes:
        title: A1111's, by which it is named in any case.
        arguments: by position.
        tasks: kinds of request that it can be chosen for.
        img2img_arguments: the same for img2img, where some of their choices differ.
        adapted: makes arguments as older clients send them the present ones.
        begin: makes the experiment of a request and values in the types of the arguments; raises BadRequestError.
    """

    title: str
    arguments: tuple[Argument, ...]
    begin: Begin
    tasks: tuple[str, ...] = BOTH
    img2img_arguments: tuple[Argument, ...] = ()
    adapted: Callable[[Sequence[Any]], Sequence[Any]] = tuple

    def arguments_of(self, task: str) -> tuple[Argument, ...]:
        """The arguments for a kind of request."""
        return (self.img2img_arguments if task == "img2img" else ()) or self.arguments

    @property
    def name(self) -> str:
        """As A1111's API lists it."""
        return self.title.lower()

    def start(self, request: GenerationRequest, given: Sequence[Any], around: Surroundings) -> Experiment:
        """The experiment of a request. Missing arguments are what they are by default, further ones are left out.

        Raises:
            BadRequestError: the script is for another kind of request, or an argument is wrong.
        """
        if request.task.kind not in self.tasks:
            raise BadRequestError("script_name", f"{self.title} is a script of {' and '.join(self.tasks)}")
        given = self.adapted(given)
        values = [
            _read(argument, given[index] if index < len(given) else None, f"{ARGUMENTS}.{index}")
            for index, argument in enumerate(self.arguments_of(request.task.kind))
        ]
        return self.begin(request, values, around)


def refused(index: int, message: str) -> BadRequestError:
    """An error of the argument at a position."""
    return BadRequestError(f"{ARGUMENTS}.{index}", message)


def _read(argument: Argument, given: Any, place: str) -> Any:
    """The value in the argument's type. Raises BadRequestError."""
    value = argument.value
    if given is None or value is None:
        return value
    try:
        if isinstance(value, bool):
            return bool(given) if not isinstance(given, str) else given.strip().lower() in ("true", "1", "on")
        if isinstance(value, int | float) and not isinstance(given, str | list | dict):
            return _bounded(argument, type(value)(given))
        if isinstance(value, int | float) and isinstance(given, str) and not argument.choices:
            return _bounded(argument, type(value)(float(given)))
    except (ValueError, OverflowError) as error:
        raise BadRequestError(place, f"{argument.label}: {error}") from None
    if isinstance(value, list | tuple):
        if isinstance(given, list | tuple):
            return tuple(str(one) for one in given)
        return (str(given),) if given else ()
    if isinstance(value, str) and isinstance(given, str | int | float):
        if argument.choices and str(given) not in argument.choices:
            raise BadRequestError(place, f"{argument.label}: should be one of {', '.join(argument.choices)}")
        return str(given)
    if isinstance(value, int) and isinstance(given, str):
        return given  # the name of a choice
    raise BadRequestError(place, f"{argument.label}: {type(given).__name__} cannot be used here")


def _bounded(argument: Argument, number: float) -> float:
    low, high = argument.low, argument.high
    if not (number == number and abs(number) < 2**63):
        raise ValueError("should be a finite number")
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"should be from {low} to {high}")
    return number

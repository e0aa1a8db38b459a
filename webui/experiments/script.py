"""What a script declares: its title, its arguments by position, and how an experiment of it begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.experiments.course import Experiment
from webui.experiments.origin import Origin, Surroundings, with_seeds

__all__ = ["ARGUMENTS", "BOTH", "ONLY_IMG2IMG", "Argument", "Begin", "Kind", "Script", "Surroundings", "refused"]

ARGUMENTS = "script_args"  # the field of a body that carries them
BOTH, ONLY_IMG2IMG = ("txt2img", "img2img"), ("img2img",)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, as clients of A1111 see it.

    Attributes:
        value: what it is where nothing is sent; its type is the argument's. None: it is not used.
        low, high, step: of a number.
        choices: what it may be; a number counts them.
        source: the name among `Surroundings.choices` whose texts it may be, for those who draw it.
    """

    label: str
    value: Any = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    source: str = ""


Kind = Literal["xyz", "matrix", "lines", "loopback", "tiles", "canvas", "other"]
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
        draws_seeds: seeds that the request leaves to chance are drawn before, once for the whole experiment.
        kind: how a page shows what builds it, and what it comes to.
    """

    title: str
    arguments: tuple[Argument, ...]
    begin: Begin
    tasks: tuple[str, ...] = BOTH
    img2img_arguments: tuple[Argument, ...] = ()
    adapted: Callable[[Sequence[Any]], Sequence[Any]] = tuple
    draws_seeds: bool = False
    kind: Kind = "other"

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
        sent, given, around = tuple(given), self.adapted(given), around.with_chance()
        values = [
            _read(argument, given[index] if index < len(given) else None, f"{ARGUMENTS}.{index}")
            for index, argument in enumerate(self.arguments_of(request.task.kind))
        ]
        if self.draws_seeds:
            request = with_seeds(request, around)
        experiment = self.begin(request, values, around)
        return (
            experiment
            if experiment.origin is not None
            else replace(experiment, origin=Origin(self.name, sent, request, around))
        )


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

"""Prompts from file or textbox: a request for each line, which may set other fields too, in the way of a command."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from webui.domain.catalog import SAMPLERS
from webui.domain.parameters.leaves import replaced
from webui.domain.request import GenerationRequest
from webui.experiments.axes import OF_EXTENSIONS
from webui.experiments.course import Experiment, Made, Plan, Shown, loading_least
from webui.experiments.gaps import failures, representative
from webui.experiments.origin import with_seeds
from webui.experiments.script import Argument, Script, Surroundings, refused

TITLE = "Prompts from file or textbox"
TEXT = 3  # position of the lines among the arguments
MOST_LINES = 1000

Fields = Mapping[str, Any]  # of the request, by path


def _flag(text: str) -> bool:
    if text in ("true", "True", "1"):
        return True
    if text in ("false", "False", "0"):
        return False
    raise ValueError(f"{text!r} should be true or false")


def _sampler(name: str, further: Sequence[str] = ()) -> str:
    found = next((label for label in (*SAMPLERS, *further) if label.lower() == name.lower()), None)
    if found is None:
        raise ValueError(f"there is no sampler {name!r}")
    return found


def _sampler_at(index: str) -> str:
    try:
        return tuple(SAMPLERS)[int(index)]
    except IndexError:
        raise ValueError(f"there is no sampler number {index}") from None


def _styles(text: str) -> tuple[str, ...]:
    return (text,)


_PATHS: Mapping[str, tuple[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "sd_model": ("checkpoint", str),
        "prompt": ("prompt", str),
        "negative_prompt": ("negative_prompt", str),
        "styles": ("styles", _styles),
        "seed": ("seed", int),
        "subseed": ("subseed", int),
        "subseed_strength": ("subseed_strength", float),
        "seed_resize_from_h": ("seed_resize_from_h", int),
        "seed_resize_from_w": ("seed_resize_from_w", int),
        "sampler_index": ("sampler", _sampler_at),
        "sampler_name": ("sampler", _sampler),
        "batch_size": ("batch_size", int),
        "n_iter": ("n_iter", int),
        "steps": ("steps", int),
        "cfg_scale": ("cfg_scale", float),
        "width": ("width", int),
        "height": ("height", int),
        "tiling": ("tiling", _flag),
    }
)
# what files are called and where they lie is no part of a request; faces are restored by an extension
_WITHOUT_EFFECT: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "outpath_samples": str, "outpath_grids": str, "prompt_for_display": str,
        "do_not_save_samples": _flag, "do_not_save_grid": _flag, "restore_faces": _flag,
    }
)  # fmt: skip


def fields_of_line(line: str, samplers: Sequence[str] = ()) -> dict[str, Any]:
    """What a line asks for, by path. A line that is no command, or a wrong one, is a prompt as a whole.

    Args:
        samplers: those of extensions.
    """
    if "--" not in line:
        return {"prompt": line}
    try:
        return _commanded(shlex.split(line), samplers)
    except (ValueError, IndexError, KeyError):
        return {"prompt": line}


def _commanded(words: Sequence[str], samplers: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at = 0
    while at < len(words):
        word = words[at]
        if not word.startswith("--"):
            raise ValueError(f"{word!r} should begin with --")
        name = word.removeprefix("--")
        if name in ("prompt", "negative_prompt"):
            at, text = _phrase(words, at + 1)
            found[name] = text
            continue
        if name in _WITHOUT_EFFECT:
            _WITHOUT_EFFECT[name](words[at + 1])
        else:
            path, read = _PATHS[name]
            found[path] = _sampler(words[at + 1], samplers) if read is _sampler else read(words[at + 1])
        at += 2
    return found


def _phrase(words: Sequence[str], at: int) -> tuple[int, str]:
    """The words up to the next that begins with `--`, and where that stands."""
    end = next((index for index in range(at, len(words)) if words[index].startswith("--")), len(words))
    return end, " ".join(words[at:end])


def planned(
    request: GenerationRequest, text: str, *, count_up: bool, at_start: bool, samplers: Sequence[str] = ()
) -> Plan:
    """A request for each line.

    Args:
        samplers: those of extensions.
        count_up: each line's seed follows the last seed of the line before it.
        at_start: the line's prompt stands before the request's own.

    Raises:
        BadRequestError: there are no lines or too many, or one asks for what cannot be done.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or len(lines) > MOST_LINES:
        raise refused(TEXT, f"has {len(lines)} lines; 1 to {MOST_LINES} are taken")
    seed = request.seed
    cells = []
    for number, line in enumerate(lines, 1):
        fields = fields_of_line(line, samplers)
        own = {"seed": seed} if count_up else {}
        for name in ("prompt", "negative_prompt"):
            if name in fields:
                parts = (fields[name], getattr(request, name))
                fields[name] = " ".join(part for part in (parts if at_start else parts[::-1]) if part)
        try:
            cell = replaced(request, {**own, **fields})
        except ValidationError as error:
            raise refused(TEXT, f"line {number}: {error.errors(include_input=False)[0]['msg']}") from None
        cells.append(cell)
        seed += cell.images
    return Plan(tuple(cells), lambda made: _composed(made, cells), loading_least(cells))


def _composed(made: Sequence[Made], cells: Sequence[GenerationRequest]) -> Shown:
    images = [image for one in made for image in one.images]
    lines = [f"line {number}" for number in range(1, len(cells) + 1)]
    return Shown.with_their_texts(
        images,
        representative(made).result,
        notices=failures(TITLE, made, lines),
        interrupted=any(one.stopped for one in made),
    )


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    count_up, same_seed, place, text = values
    if (count_up or same_seed) and request.seed == -1:
        request = with_seeds(request, around).with_(subseed=request.subseed)
    further = around.choices.get(OF_EXTENSIONS, ())
    return Experiment.of(TITLE, planned(request, text, count_up=count_up, at_start=place == "start", samplers=further))


PROMPT_LINES = Script(
    TITLE,
    (
        Argument("Iterate seed every line", False),
        Argument("Use same random seed for all lines", False),
        Argument("Insert prompts at the", "start", choices=("start", "end")),
        Argument("List of prompt inputs", ""),
    ),
    _begin,
    kind="lines",
)

"""Prompt matrix: every combination of the optional parts of a prompt, in a grid that says which parts each has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.experiments.course import Experiment, Made, Plan, Shown, ShownPicture, with_picture
from webui.experiments.gaps import failures, filled_in, representative
from webui.experiments.script import Argument, Script, Surroundings
from webui.imaging.grids import grid_of
from webui.imaging.legend import Words, with_legend

MOST_PARTS = 10  # optional ones: 1024 pictures
TITLE = "Prompt matrix"


@dataclass(frozen=True, slots=True)
class Options:
    """Attributes:
    at_start: the optional parts stand before the fixed one.
    vary_seeds: each combination gets a seed of its own.
    negative: the negative prompt is taken apart.
    delimiter: stands between two parts.
    margin: pixels between the pictures of the grid.
    """

    at_start: bool
    vary_seeds: bool
    negative: bool
    delimiter: str
    margin: int


def combinations(text: str, options: Options) -> tuple[str, ...]:
    """The prompts of `fixed|part|part`: the one at index i has part k where bit k of i is set.

    Raises:
        BadRequestError: there are too many parts.
    """
    fixed, *parts = text.split("|")
    if len(parts) > MOST_PARTS:
        field = "negative_prompt" if options.negative else "prompt"
        raise BadRequestError(field, f"has {len(parts)} optional parts; at most {MOST_PARTS} are combined")
    prompts = []
    for index in range(1 << len(parts)):
        chosen = [part.strip().strip(",") for place, part in enumerate(parts) if index >> place & 1]
        prompts.append(options.delimiter.join([*chosen, fixed] if options.at_start else [fixed, *chosen]))
    return tuple(prompts)


def planned(request: GenerationRequest, options: Options, around: Surroundings) -> Plan:
    """A request for each combination."""
    field = "negative_prompt" if options.negative else "prompt"
    text = request.negative_prompt if options.negative else request.prompt
    prompts = combinations(text, options)
    cells = tuple(
        request.with_(
            **{field: prompt},
            batch_size=1,
            n_iter=1,
            seed=request.seed + (index if options.vary_seeds else 0),
            subseed=request.subseed + index,
            **_one_picture(request),
        )
        for index, prompt in enumerate(prompts)
    )
    parts = text.split("|")[1:]
    return Plan(cells, lambda made: _composed(made, cells, parts, options, around))


def _one_picture(request: GenerationRequest) -> dict[str, Any]:
    if request.task.kind == "img2img" and request.task.further_images:
        return {"task": request.task.model_copy(update={"further_images": ()})}
    return {}


def _composed(
    made: Sequence[Made],
    cells: Sequence[GenerationRequest],
    parts: Sequence[str],
    options: Options,
    around: Surroundings,
) -> Shown:
    pictures = filled_in([one.images[0].image if one.images else None for one in made])
    first = representative(made)
    rows = 1 << (len(parts) // 2)
    grid = grid_of(pictures, rows, around.background)
    middle = math.ceil(len(parts) / 2)
    size = (max(one.width for one in pictures), max(one.height for one in pictures))
    grid = with_legend(grid, size, legend(parts[:middle]), legend(parts[middle:]), margin=options.margin)
    images = [one.images[0] for one in made if one.images]
    texts = [one.images[0].infotext if one.images else None for one in made]
    whole = with_picture(first.image, grid)
    return Shown(
        (ShownPicture(whole, "grid"), *map(ShownPicture, images)),
        (whole.infotext, *texts),
        1,
        tuple(cell.seed for cell in cells),
        tuple(cell.prompt for cell in cells),
        first.result,
        negative_prompts=tuple(cell.negative_prompt for cell in cells),
        subseeds=tuple(cell.subseed for cell in cells),
        notices=failures(TITLE, made),
        interrupted=any(one.stopped for one in made),
    )


def legend(parts: Sequence[str]) -> list[list[Words]]:
    """For each combination all parts, those that it lacks struck out."""
    return [
        [Words(part, bool(index >> place & 1)) for place, part in enumerate(parts)] for index in range(1 << len(parts))
    ]


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    at_start, vary_seeds, kind, delimiter, margin = values
    between = ", " if delimiter == "comma" else " "
    options = Options(at_start, vary_seeds, kind == "negative", between, margin)
    return Experiment.of(TITLE, planned(request, options, around))


PROMPT_MATRIX = Script(
    TITLE,
    (
        Argument("Put variable parts at start of prompt", False),
        Argument("Use different seed for each picture", False),
        Argument("Select prompt", "positive", choices=("positive", "negative")),
        Argument("Select joining char", "comma", choices=("comma", "space")),
        Argument("Grid margins (px)", 0, 0, 500, 2),
    ),
    _begin,
    draws_seeds=True,
    kind="matrix",
)

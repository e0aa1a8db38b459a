"""The images of a job with prompts of their own: by chance, or all combinations. Which seed gives which prompt is as in
A1111's extension Dynamic Prompts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from webui.extension_api import BadRequestError, PlannedImage

from .draws import MAX_STEPS, Chance, Context, Lookup, texts
from .grammar import Part, parsed

MOST_PICTURES = 1000


@dataclass(frozen=True, slots=True)
class Wishes:
    """How prompts are made.

    Attributes:
        combinatorial: every combination gets an image; the request's number of images does not count.
        batches: how often the combinations are repeated.
        most: at most so many combinations; 0: all.
        fixed_seed: all images have the first one's seed.
        unlinked: prompts by chance do not depend on seeds.
        frozen: all images have the first one's prompt (variation seeds).
        squashed: runs of white space count as one space.
    """

    combinatorial: bool = False
    batches: int = 1
    most: int = 0
    fixed_seed: bool = False
    unlinked: bool = False
    frozen: bool = False
    squashed: bool = False


def pictures(
    template: str, negative: str, images: Sequence[PlannedImage], wishes: Wishes, lookup: Lookup
) -> list[PlannedImage]:
    """The images with their prompts.

    Args:
        images: as they would be made without, with their seeds.

    Raises:
        BadRequestError: a template cannot be read, or means too much.
    """
    try:
        if wishes.combinatorial:
            prompts, negatives = _combined(template, negative, images[0].seed, wishes, lookup)
            seeds = _seeds_of_combinations(images, len(prompts), wishes)
        else:
            seeds = [(one.seed, one.subseed) for one in images]
            seeds = seeds[:1] * len(seeds) if wishes.fixed_seed else seeds
            prompts = _by_chance(template, seeds, wishes, lookup)
            negatives = _of_negative(lambda: _by_chance(negative, seeds, wishes, lookup)) if negative else [""]
            negatives = (negatives * len(prompts))[: len(prompts)]
    except RecursionError:
        raise BadRequestError("prompt", "its wildcards stand too deep in each other; make it simpler") from None
    return [
        PlannedImage(prompt, against, seed, subseed)
        for prompt, against, (seed, subseed) in zip(prompts, negatives, seeds, strict=True)
    ]


def _by_chance(template: str, seeds: Sequence[tuple[int, int]], wishes: Wishes, lookup: Lookup) -> list[str]:
    chance = Chance()
    source = texts(parsed(template), Context(lookup, chance))
    made: list[str] = []
    for seed, _ in seeds[:1] if wishes.frozen else seeds:
        chance.begin(None if wishes.unlinked else seed)
        made.append(_ready(next(source), wishes))
    return made * len(seeds) if wishes.frozen else made


def _combined(template: str, negative: str, seed: int, wishes: Wishes, lookup: Lookup) -> tuple[list[str], list[str]]:
    """Prompts and negative prompts, as many of either."""

    def every(tree: Part) -> list[str]:
        found = texts(tree, Context(lookup, Chance(seed, MAX_STEPS), "combinatorial"))
        made = [_ready(text, wishes) for text in islice(found, wishes.most or MOST_PICTURES + 1)] or [""]
        _require_few(len(made))
        return made * wishes.batches

    prompts, negatives = every(parsed(template)), _of_negative(lambda: every(parsed(negative)))
    if not wishes.most:
        _require_few(len(prompts) * len(negatives))
        return [one for one in prompts for _ in negatives], negatives * len(prompts)
    _require_few(len(prompts))
    return prompts, (negatives * len(prompts))[: len(prompts)]


def _seeds_of_combinations(images: Sequence[PlannedImage], count: int, wishes: Wishes) -> list[tuple[int, int]]:
    """Seeds count up; with a variation strength only subseeds do. A fixed seed counts up by the repetition."""
    first = images[0]
    if wishes.fixed_seed:
        each = max(1, count // wishes.batches)
        return [(first.seed + number // each, first.subseed) for number in range(count)]
    return [(first.seed + (0 if wishes.frozen else number), first.subseed + number) for number in range(count)]


def _of_negative(make: Callable[[], list[str]]) -> list[str]:
    """What is wrong with the negative prompt is told of it."""
    try:
        return make()
    except BadRequestError as error:
        raise BadRequestError("negative_prompt", error.message) from None


def _ready(text: str, wishes: Wishes) -> str:
    return " ".join(text.split()) if wishes.squashed else text


def _require_few(count: int) -> None:
    if count > MOST_PICTURES:
        raise BadRequestError(
            "extensions.wildcards.max_pictures",
            f"the combinations give more than {MOST_PICTURES} pictures; set how many are made at most",
        )

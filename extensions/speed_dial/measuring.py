"""Makes the pictures in turn and compares their times and their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from PIL import Image, ImageChops, ImageStat

from webui.extension_api import (
    ActionContext,
    ActionResult,
    BadRequestError,
    Cancelled,
    GenerationRequest,
    GenerationResult,
    WebuiError,
    extra_networks,
)

from .kept_result import Measurement, Row, keep, row_of
from .options import MeasureOptions
from .ways import TILER, Machine, Way, machine_of, ways, without_tiles

SAMPLING = "sampling"  # the phase whose time counts, as results call it
SEED = 1
SAMPLER = "Euler"


@dataclass
class Measured:
    """What one kind of picture took and looks like.

    Attributes:
        seconds: of the sampler, one value a round.
    """

    seconds: list[float] = field(default_factory=list)
    picture: Image.Image | None = None


def measure(options: MeasureOptions, context: ActionContext) -> ActionResult:
    """Make every kind of picture in each round, tell gain and distance of each, and keep them.

    Raises:
        Cancelled: the user stopped it.
        WebuiError: everything is left out, or a picture could not be made.
    """
    machine = machine_of(context.device)
    kinds = ways(options, machine)
    if len(kinds) == 1:
        raise WebuiError("every approximation is left out: set at least one of their strengths above 0")
    exact = exact_request(options)
    kinds, missing = _there(context, exact, kinds)
    found = {way.name: Measured() for way in kinds}
    first = _made(context, kinds[0], exact, len(kinds) * options.rounds)  # whatever happens only once happens now
    for round_number in range(options.rounds):
        for place, way in enumerate(kinds):
            to_come = (options.rounds - round_number) * len(kinds) - place - 1
            result = _made(context, way, exact, to_come)
            found[way.name].seconds.append(result.timings[SAMPLING])
            found[way.name].picture = result.images[0].image.convert("RGB")
    basis = found[kinds[0].name]
    rows = {
        way.name: row_of(way, gain(basis, one), distance(basis, one), one.picture)
        for way in kinds
        for one in [found[way.name]]
    }
    keep(context.data_dir, _measurement(options, machine, first.model.checkpoint, rows))
    told = [
        f"{name}: {row.gain:.2f} x the speed, {row.distance:.2%} from the exact picture"
        for name, row in list(rows.items())[1:]
    ]
    text = f"{options.width}x{options.height}, {options.steps} steps, on this machine. " + "; ".join(told) + "."
    return ActionResult(
        text=" ".join([text, *missing]),
        images=tuple(one.picture for one in found.values() if one.picture is not None),
        data={name: {"gain": row.gain, "distance": row.distance} for name, row in rows.items()},
    )


def exact_request(options: MeasureOptions) -> GenerationRequest:
    """The request of the exact picture, without networks that the prompt names: their extension does not join."""
    return GenerationRequest(
        prompt=extra_networks(options.prompt)[0], checkpoint=options.checkpoint, steps=options.steps,
        width=options.width, height=options.height, seed=SEED, sampler=SAMPLER,
    )  # fmt: skip


def gain(exact: Measured, other: Measured) -> float:
    """How many times as fast as the exact picture."""
    return min(exact.seconds) / min(other.seconds)


def distance(exact: Measured, other: Measured) -> float:
    """Mean difference of all values of two pictures of one size, as a share of their range, 0..1."""
    if exact.picture is None or other.picture is None:
        raise WebuiError("a picture is missing, so that nothing can be compared")
    means = ImageStat.Stat(ImageChops.difference(exact.picture, other.picture)).mean
    return float(sum(means) / len(means) / 255)


def _there(
    context: ActionContext, exact: GenerationRequest, kinds: Sequence[Way]
) -> tuple[tuple[Way, ...], tuple[str, ...]]:
    """The kinds without what asks for an extension that is not there, and a sentence for what is left out."""
    if not any(way.tiles for way in kinds):
        return tuple(kinds), ()
    try:
        _made(context, Way("tiles", tiles=True), exact.with_(steps=1), len(kinds))
    except BadRequestError as error:
        left = tuple(without_tiles(way) for way in kinds if not way.tiles or way.own)
        return left, (f"HyperTile is left out: {error}.",)
    return tuple(kinds), ()


def _made(context: ActionContext, way: Way, exact: GenerationRequest, to_come: int) -> GenerationResult:
    result = context.generate(way.of(exact), extensions=(TILER,) if way.tiles else (), to_come=to_come)
    if result.interrupted or context.stopped():
        raise Cancelled("the measurement was stopped")
    return result


def _measurement(options: MeasureOptions, machine: Machine, checkpoint: str, rows: dict[str, Row]) -> Measurement:
    return Measurement(
        date.today().isoformat(), machine.name, checkpoint, options.width, options.height, options.steps, rows
    )

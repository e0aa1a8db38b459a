"""Makes the pictures in turn and compares their times and their pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image, ImageChops, ImageStat

from webui.extension_api import ActionContext, ActionResult, Cancelled, GenerationRequest, WebuiError

from .options import MeasureOptions

EXACT = "exact"
SAMPLING = "sampling"  # the phase whose time counts, as results call it
SEED = 1


@dataclass
class Measured:
    """What one kind of picture took and looks like.

    Attributes:
        seconds: of the sampler, one value a round.
    """

    seconds: list[float] = field(default_factory=list)
    picture: Image.Image | None = None


def measure(options: MeasureOptions, context: ActionContext) -> ActionResult:
    """Make every kind of picture in each round, and tell gain and distance of each.

    Raises:
        Cancelled: the user stopped it.
        WebuiError: everything is left out, or a picture could not be made.
    """
    kinds = requests(options, on_cuda=context.device.type == "cuda")
    if len(kinds) == 1:
        raise WebuiError("every approximation is left out: set at least one of their strengths above 0")
    found = {name: Measured() for name in kinds}
    _made(context, kinds[EXACT], len(kinds) * options.rounds)  # whatever happens only once happens now
    for round_number in range(options.rounds):
        for place, (name, request) in enumerate(kinds.items()):
            seconds, picture = _made(context, request, (options.rounds - round_number) * len(kinds) - place - 1)
            found[name].seconds.append(seconds)
            found[name].picture = picture
    rows = [(name, gain(found[EXACT], one), distance(found[EXACT], one)) for name, one in found.items()]
    told = [f"{name}: {faster:.2f} x the speed, {far:.2%} from the exact picture" for name, faster, far in rows[1:]]
    text = f"{options.width}x{options.height}, {options.steps} steps, on this machine. " + "; ".join(told) + "."
    return ActionResult(
        text=text,
        images=tuple(one.picture for one in found.values() if one.picture is not None),
        data={name: {"gain": round(faster, 3), "distance": round(far, 5)} for name, faster, far in rows},
    )


def requests(options: MeasureOptions, *, on_cuda: bool) -> Mapping[str, GenerationRequest]:
    """The request of each kind of picture by its name, the exact one first."""
    exact = GenerationRequest(
        prompt=options.prompt, steps=options.steps, width=options.width, height=options.height, seed=SEED,
        sampler="Euler",
    )  # fmt: skip
    kinds = {EXACT: exact}
    if options.block_cache:
        kinds[f"first-block cache {options.block_cache:g}"] = _with(exact, "speed", block_cache=options.block_cache)
    if options.text_gate:
        kinds[f"T-GATE {options.text_gate:g}"] = _with(exact, "speed", text_gate=options.text_gate)
    if options.token_merging:
        kinds[f"token merging {options.token_merging:g}"] = _with(exact, "token_merging", ratio=options.token_merging)
    if on_cuda:
        kinds["fp16 accumulation"] = _with(exact, "speed", fp16_accumulation=True)
    return kinds


def gain(exact: Measured, other: Measured) -> float:
    """How many times as fast as the exact picture."""
    return min(exact.seconds) / min(other.seconds)


def distance(exact: Measured, other: Measured) -> float:
    """Mean difference of all values of two pictures of one size, as a share of their range, 0..1."""
    if exact.picture is None or other.picture is None:
        raise WebuiError("a picture is missing, so that nothing can be compared")
    means = ImageStat.Stat(ImageChops.difference(exact.picture, other.picture)).mean
    return float(sum(means) / len(means) / 255)


def _with(request: GenerationRequest, part: str, **fields: object) -> GenerationRequest:
    return request.with_(**{part: getattr(request, part).model_copy(update=fields)})


def _made(context: ActionContext, request: GenerationRequest, to_come: int) -> tuple[float, Image.Image]:
    """Seconds of the sampler, and the picture."""
    result = context.generate(request, extensions=(), to_come=to_come)
    if result.interrupted or context.stopped():
        raise Cancelled("the measurement was stopped")
    return result.timings[SAMPLING], result.images[0].image.convert("RGB")

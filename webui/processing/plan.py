"""From a request to a plan: everything drawn, named and counted before the work begins. No tensors here."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from webui.domain.catalog import SAMPLERS, SamplerInfo
from webui.domain.request import MAX_SEED, GenerationRequest, Img2Img, Txt2Img
from webui.domain.upscale import Upscale
from webui.prompt.composition import NetworkTag, extra_networks, strip_comments
from webui.prompt.styles import Style, merge_styles

SEEDS_END = 4294967294  # A1111 draws below this
FULL_STRENGTH = 0.999  # a denoising strength of 1 counts as this


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: the images made together. Tuples have one entry an image."""

    index: int
    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]

    @property
    def indices(self) -> range:
        """The places of its images in the job."""
        return range(self.index * len(self.seeds), (self.index + 1) * len(self.seeds))


@dataclass(frozen=True, slots=True)
class Walk:
    """Which part of a schedule is run: its last `run` of `schedule` steps. No schedule: the picture stays as it is."""

    schedule: int
    run: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A request with everything filled in.

    Attributes:
        request: seeds drawn, styles merged into the prompts and comments removed (`styles` is empty).
        sampler: the facts of its sampler.
        walk: the steps of the schedule, and those that are run.
        calls: denoiser calls planned for the steps asked for; prompt editing is timed by them.
        prompt: the positive prompt without network tags, as it is encoded.
        networks: what the tags asked for.
        batches: in the order they are made.
        base_calls: of a second pass, the calls planned for the first; its prompt editing counts on from them.
        text_size: (width, height) that the text side is told where the request's own are not meant.
    """

    request: GenerationRequest
    sampler: SamplerInfo
    walk: Walk
    calls: int
    prompt: str
    networks: tuple[NetworkTag, ...]
    batches: tuple[Batch, ...]
    base_calls: int | None = None
    text_size: tuple[int, int] | None = None

    @property
    def run_calls(self) -> int:
        """Denoiser calls planned for the steps that are run; options that begin or end at a share go by them."""
        return calls_of(self.sampler, self.walk.run)


def merged(request: GenerationRequest, styles: Mapping[str, Style]) -> GenerationRequest:
    """The request with its styles merged into the prompts and comments removed, as extensions see it."""
    prompt, negative = merge_styles(request.prompt, request.negative_prompt, request.styles, styles)
    if request.prompting.comments:
        prompt, negative = strip_comments(prompt), strip_comments(negative)
    task = _filled_task(request, styles)
    return request.with_(prompt=prompt, negative_prompt=negative, styles=(), task=task)


def make_plan(request: GenerationRequest) -> Plan:
    """Fill in what the request leaves open. Seeds count up image by image; with a variation only the subseeds do.

    Args:
        request: `merged`; styles that it still names are unknown.
    """
    seed = request.seed if request.seed >= 0 else random.randrange(SEEDS_END)
    subseed = request.subseed if request.subseed >= 0 else random.randrange(SEEDS_END)
    filled = request.with_(seed=seed, subseed=subseed, styles=())
    sampler = SAMPLERS[request.sampler]
    encoded, networks = extra_networks(filled.prompt)
    return Plan(
        filled,
        sampler,
        walk_of(request),
        calls_of(sampler, request.steps),
        encoded,
        networks,
        tuple(_batch(filled, index) for index in range(request.n_iter)),
    )


def walk_of(request: GenerationRequest) -> Walk:
    """How far a request goes: from pure noise all the way, from a picture as far as the denoising strength says."""
    steps, task = request.steps, request.task
    if not isinstance(task, Img2Img):
        return Walk(steps, steps)
    strength = min(task.denoising_strength, FULL_STRENGTH)
    return fixed_walk(steps, strength) if task.fix_steps else Walk(steps, int(strength * steps) + 1)


def fixed_walk(steps: int, strength: float) -> Walk:
    """As many steps as asked for, at the end of a schedule so long that they are the share `strength` of it."""
    strength = min(strength, FULL_STRENGTH)
    return Walk(int(steps / strength) if strength else 0, steps)


def image_request(plan: Plan, seed: int, subseed: int, position: int = 0) -> GenerationRequest:
    """The request that makes one image of the plan alone; `position` is its place in the batch."""
    task = plan.request.task
    if isinstance(task, Img2Img) and task.further_images:
        own = (task.image, *task.further_images)[position]
        task = task.model_copy(update={"image": own, "further_images": ()})
    return plan.request.with_(seed=seed, subseed=subseed, batch_size=1, n_iter=1, task=task)


def _filled_task(request: GenerationRequest, styles: Mapping[str, Style]) -> Txt2Img | Img2Img | Upscale:
    """The task with the prompts of its second pass filled in as those of the first are."""
    task = request.task
    if not isinstance(task, Txt2Img) or not task.hires.enabled:
        return task
    both = merge_styles(task.hires.prompt, task.hires.negative_prompt, request.styles, styles)
    texts = [strip_comments(text) if request.prompting.comments else text for text in both]
    given = (task.hires.prompt, task.hires.negative_prompt)
    prompt, negative = (text if own else "" for text, own in zip(texts, given, strict=True))
    hires = task.hires.model_copy(update={"prompt": prompt, "negative_prompt": negative})
    return task.model_copy(update={"hires": hires})


def _batch(request: GenerationRequest, index: int) -> Batch:
    numbers = range(index * request.batch_size, (index + 1) * request.batch_size)
    varied = request.subseed_strength > 0
    return Batch(
        index,
        tuple(_wrapped(request.seed + (0 if varied else number)) for number in numbers),
        tuple(_wrapped(request.subseed + number) for number in numbers),
    )


def _wrapped(seed: int) -> int:
    """Seeds are 32 bits; a batch that starts at the last one goes on from 0."""
    return seed % (MAX_SEED + 1)


def calls_of(sampler: SamplerInfo, steps: int) -> int:
    """Denoiser calls planned for so many steps."""
    return steps * (2 if sampler.second_order else 1)

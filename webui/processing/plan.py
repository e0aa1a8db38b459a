"""Plans a pass before the work begins: seeds are drawn, prompts split from their tags, steps and calls counted.

There are no tensors here.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from webui.domain.catalog import SamplerInfo, sampler_facts
from webui.domain.errors import BadRequestError
from webui.domain.planned_image import PlannedImage, SettledPlan
from webui.domain.request import MAX_SEED, GenerationRequest, Img2Img, Txt2Img
from webui.domain.upscale import Upscale
from webui.prompt.composition import NetworkTag, extra_networks, strip_comments
from webui.prompt.styles import Style, merge_styles

SEEDS_END = 4294967294  # A1111 draws below this
MAX_BATCHES = 1000
FULL_STRENGTH = 0.999  # a denoising strength of 1 counts as this


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: the images made together, whose prompts have the same network tags. Tuples have one entry an image.

    Attributes:
        first: the place of its first image in the job.
        texts: what each image is made of.
    """

    index: int
    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]
    first: int
    texts: tuple["ImageText", ...]

    @property
    def indices(self) -> range:
        """The places of its images in the job."""
        return range(self.first, self.first + len(self.seeds))

    @property
    def networks(self) -> tuple[NetworkTag, ...]:
        """What the tags of its prompts ask for; they are the same in all of them."""
        return extra_networks(self.texts[0].prompt)[1]


@dataclass(frozen=True, slots=True)
class ImageText:
    """What one image is made of, with its network tags."""

    prompt: str
    negative_prompt: str


@dataclass(frozen=True, slots=True)
class Walk:
    """How much of a schedule is run: the last `run` of its `schedule` steps. With 0 steps the picture stays as it
    is.
    """

    schedule: int
    run: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A pass over the batches of a job, as planned from a request.

    Attributes:
        request: the request with its seeds drawn, styles merged into the prompts and comments removed (`styles` is
            empty).
        sampler: the catalog's entry of its sampler.
        walk: how many steps the schedule has, and how many of them are run.
        calls: denoiser calls planned for the requested steps. Prompt editing is timed by them.
        prompt: the positive prompt without network tags, as it is encoded.
        networks: the network tags of the prompt, such as `<lora:name:1>`.
        batches: in the order in which they are made.
        base_calls: in a second pass, the calls planned for the first; prompt editing goes on counting from there.
        text_size: (width, height) in SDXL's size conditioning where that is not the size of the request.
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
        """Denoiser calls planned for the steps that are run. Options that begin or end at a share of the run count
        these.
        """
        return calls_of(self.sampler, self.walk.run)


def merged(request: GenerationRequest, styles: Mapping[str, Style]) -> GenerationRequest:
    """The request with its styles merged into the prompts and comments removed. This is what extensions get."""
    prompt, negative = merge_styles(request.prompt, request.negative_prompt, request.styles, styles)
    if request.prompting.comments:
        prompt, negative = strip_comments(prompt), strip_comments(negative)
    task = _filled_task(request, styles)
    return request.with_(prompt=prompt, negative_prompt=negative, styles=(), task=task)


def make_plan(request: GenerationRequest) -> Plan:
    """Plan the first pass of a request. Seeds count up image by image; with a variation strength only subseeds do.

    Args:
        request: the result of `merged`. Styles that it still names do not exist.
    """
    filled = with_seeds(request).with_(styles=())
    sampler = sampler_facts(request.sampler)
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


def with_seeds(request: GenerationRequest) -> GenerationRequest:
    """The request with the seeds drawn that it leaves to chance."""
    seed = request.seed if request.seed >= 0 else random.randrange(SEEDS_END)
    subseed = request.subseed if request.subseed >= 0 else random.randrange(SEEDS_END)
    return request.with_(seed=seed, subseed=subseed)


def settled_request(request: GenerationRequest, drawn: SettledPlan | None) -> GenerationRequest:
    """The request of a job that several processes make, after its hooks: these were called for what they keep, and
    where another process has drawn for the job, what came out there counts.
    """
    return with_seeds(request) if drawn is None else drawn.request


def settled_plan(request: GenerationRequest, plan: Plan) -> SettledPlan:
    """What other processes have to be told to make batches of the same job; `request` is what the plan was made of."""
    return SettledPlan(request, images_of(plan), tuple(len(batch.seeds) for batch in plan.batches))


def images_of(plan: Plan) -> tuple[PlannedImage, ...]:
    """Every image of the job, in order."""
    return tuple(
        PlannedImage(text.prompt, text.negative_prompt, seed, subseed)
        for batch in plan.batches
        for text, seed, subseed in zip(batch.texts, batch.seeds, batch.subseeds, strict=True)
    )


def with_images(plan: Plan, images: Sequence[PlannedImage]) -> Plan:
    """The plan with these images instead of its own, in batches of the same size; the last may be smaller.

    Networks act on a whole batch: where its images ask for different ones, every image of the job is made by itself.

    Raises:
        BadRequestError: they would have to, and start from a picture each; or they are more than a request may make.
    """
    request = plan.request
    size = request.batch_size
    task = request.task
    starts_each = isinstance(task, Img2Img) and task.further_images
    if starts_each and len(images) % size:
        raise BadRequestError(
            "batch_size", f"{len(images)} images are planned, but each batch starts from {size} pictures"
        )
    groups = [images[first : first + size] for first in range(0, len(images), size)]
    if any(len({extra_networks(one.prompt)[1] for one in group}) > 1 for group in groups):
        if starts_each:
            raise BadRequestError("prompt", "asks for different networks in images that start from a picture each")
        groups, size = [(one,) for one in images], 1
    if len(groups) > MAX_BATCHES:
        raise BadRequestError("n_iter", f"{len(groups)} batches are planned; at most {MAX_BATCHES} are made in one job")
    request = _with_batches(request, size, len(groups))
    batches = tuple(_batch_of(group, index, index * size) for index, group in enumerate(groups))
    text = batches[0].texts[0]
    return of_image(replace(plan, request=request, batches=batches), text)


def _with_batches(request: GenerationRequest, size: int, count: int) -> GenerationRequest:
    try:
        return request.with_(batch_size=size, n_iter=count)
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"]
        raise BadRequestError("n_iter", f"{count} batches of {size} are planned: {told}") from None


def _batch_of(images: Sequence[PlannedImage], index: int, first: int) -> Batch:
    return Batch(
        index,
        tuple(one.seed for one in images),
        tuple(one.subseed for one in images),
        first,
        tuple(ImageText(one.prompt, one.negative_prompt) for one in images),
    )


def of_image(plan: Plan, text: ImageText) -> Plan:
    """The plan as one of its images has it."""
    if (text.prompt, text.negative_prompt) == (plan.request.prompt, plan.request.negative_prompt):
        return plan
    changed = {"prompt": text.prompt, "negative_prompt": text.negative_prompt}
    encoded, networks = extra_networks(text.prompt)
    return replace(plan, request=plan.request.model_copy(update=changed), prompt=encoded, networks=networks)


def walk_of(request: GenerationRequest) -> Walk:
    """How much of its schedule a request runs: from pure noise all of it, from a picture the share that the denoising
    strength says.
    """
    steps, task = request.steps, request.task
    if not isinstance(task, Img2Img):
        return Walk(steps, steps)
    strength = min(task.denoising_strength, FULL_STRENGTH)
    return fixed_walk(steps, strength) if task.fix_steps else Walk(steps, int(strength * steps) + 1)


def fixed_walk(steps: int, strength: float) -> Walk:
    """Exactly `steps` steps, at the end of a schedule so long that they are the share `strength` of it."""
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
    """The task with styles and comments in the prompts of its second pass handled as in those of the first."""
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
        index * request.batch_size,
        (ImageText(request.prompt, request.negative_prompt),) * request.batch_size,
    )


def _wrapped(seed: int) -> int:
    """Seeds are 64 bits; a batch that starts at the last one goes on from 0."""
    return seed % (MAX_SEED + 1)


def calls_of(sampler: SamplerInfo, steps: int) -> int:
    """Denoiser calls planned for so many steps."""
    return steps * (2 if sampler.second_order else 1)

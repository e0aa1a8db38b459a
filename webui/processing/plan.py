"""From a request to a plan: everything drawn, named and counted before the work begins. No tensors here."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from webui.domain.catalog import SAMPLERS, SamplerInfo
from webui.domain.request import MAX_SEED, GenerationRequest
from webui.prompt.composition import NetworkTag, extra_networks, strip_comments
from webui.prompt.styles import Style, merge_styles

SEEDS_END = 4294967294  # A1111 draws below this


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: the images made together. Tuples have one entry an image."""

    index: int
    seeds: tuple[int, ...]
    subseeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A request with everything filled in.

    Attributes:
        request: seeds drawn, styles merged into the prompts and comments removed (`styles` is empty).
        sampler: the facts of its sampler.
        calls: denoiser calls planned for a run; prompt editing is timed by them.
        prompt: the positive prompt without network tags, as it is encoded.
        networks: what the tags asked for.
        batches: in the order they are made.
    """

    request: GenerationRequest
    sampler: SamplerInfo
    calls: int
    prompt: str
    networks: tuple[NetworkTag, ...]
    batches: tuple[Batch, ...]


def make_plan(request: GenerationRequest, styles: Mapping[str, Style]) -> Plan:
    """Fill in what the request leaves open. Seeds count up image by image; with a variation only the subseeds do."""
    prompt, negative = merge_styles(request.prompt, request.negative_prompt, request.styles, styles)
    if request.prompting.comments:
        prompt, negative = strip_comments(prompt), strip_comments(negative)
    seed = request.seed if request.seed >= 0 else random.randrange(SEEDS_END)
    subseed = request.subseed if request.subseed >= 0 else random.randrange(SEEDS_END)
    filled = request.with_(prompt=prompt, negative_prompt=negative, styles=(), seed=seed, subseed=subseed)
    sampler = SAMPLERS[request.sampler]
    encoded, networks = extra_networks(prompt)
    return Plan(
        filled,
        sampler,
        request.steps * (2 if sampler.second_order else 1),
        encoded,
        networks,
        tuple(_batch(filled, index) for index in range(request.n_iter)),
    )


def image_request(plan: Plan, seed: int, subseed: int) -> GenerationRequest:
    """The request that makes one image of the plan alone."""
    return plan.request.with_(seed=seed, subseed=subseed, batch_size=1, n_iter=1)


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

"""The noise levels of a request's first pass, computed by what sampling calls, without running it."""

import torch

from webui.domain.catalog import sampler_facts, shown_schedule
from webui.domain.noise_levels import NoiseLevels
from webui.domain.request import GenerationRequest
from webui.library.choice import first_choice
from webui.library.library import ModelLibrary
from webui.processing.demands import met
from webui.processing.plan import walk_of
from webui.sampling.schedules import sigmas_for, timesteps_for
from webui.sampling.timestep import levels_of
from webui.weights.families.contract import networks_of


def drawn_levels(library: ModelLibrary, request: GenerationRequest) -> NoiseLevels:
    """What the schedule of a request comes to with its checkpoint, of which only the header is read.

    Raises:
        UnknownModelError, UnusableFileError: the checkpoint cannot be used.
        BadRequestError: the schedule has no such levels.
    """
    chosen = request.checkpoint
    spec = library.spec(library.checkpoint(chosen) if chosen else first_choice(library))
    request = met(request, spec.family)
    table = networks_of(spec.family).levels(spec, request.schedule)
    info, steps = sampler_facts(request.sampler), walk_of(request).schedule
    label = "" if request.schedule.sigmas else shown_schedule(info.label, request.scheduler)
    low, high = float(table.sigmas[0]), float(table.sigmas[-1])
    if info.own_steps:
        return NoiseLevels("", (), (), low, high)
    if info.space == "timestep":
        timesteps = timesteps_for(steps, request.schedule.discard_penultimate, len(table))
        sigmas, times = levels_of(info, timesteps, table.alphas_cumprod, request.unipc)
        return NoiseLevels("", tuple(sigmas.tolist()), tuple(times.tolist()), low, high)
    tuned = spec.family.tuned_levels
    sigmas = sigmas_for(info, request.scheduler, steps, table, request.schedule, tuned_levels=tuned)
    times = table.timestep(sigmas.clamp(min=torch.finfo(torch.float32).tiny))
    return NoiseLevels(label, tuple(sigmas.tolist()), tuple(times.tolist()), low, high)

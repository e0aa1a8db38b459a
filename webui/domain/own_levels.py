"""A list of noise levels of one's own: whether a request can be run with it."""

from webui.domain.catalog import sampler_facts
from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest

FIELD = "schedule.sigmas"


def check_own_levels(request: GenerationRequest) -> None:
    """Look whether the list fits the steps and the sampler; a request without one always passes.

    Raises:
        BadRequestError: the list has another number of steps, or the sampler follows no list.
    """
    levels = request.schedule.sigmas
    if not levels:
        return
    sampler = sampler_facts(request.sampler)
    if sampler.space != "sigma" or sampler.own_steps:
        raise BadRequestError(
            FIELD,
            f"is a list of noise levels, but {sampler.label} follows none; choose a sampler such as Euler, or empty it",
        )
    if len(levels) - 1 != request.steps:
        raise BadRequestError(
            FIELD,
            f"has {len(levels)} levels, which are {len(levels) - 1} steps, but steps is {request.steps}; set steps to "
            f"{len(levels) - 1}, or empty the list",
        )

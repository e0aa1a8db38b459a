"""Checks of a request against the family of its checkpoint: sizes, samplers, second passes, refiners."""

from webui.domain.catalog import sampler_facts
from webui.domain.errors import BadRequestError
from webui.domain.hires import LATENT_UPSCALERS, Hires
from webui.domain.own_levels import check_own_levels
from webui.domain.request import GenerationRequest, Txt2Img
from webui.library.family import Family, ModelSpec

AUTOMATIC = "Automatic"


def met(request: GenerationRequest, family: Family) -> GenerationRequest:
    """Check a request, and name the family's own schedule in it where "Automatic" means that one.

    Raises:
        BadRequestError: the family cannot make pictures of this size, or with this sampler; or the list of noise
            levels does not fit.
    """
    require_size(family, request.width, request.height)
    require_sampler(family, "sampler", request.sampler)
    check_own_levels(request)
    if not family.schedule:
        return request
    if request.scheduler == AUTOMATIC:
        request = request.with_(scheduler=family.schedule)
    task = request.task
    if isinstance(task, Txt2Img) and task.hires.scheduler == AUTOMATIC:
        hires = task.hires.model_copy(update={"scheduler": family.schedule})
        request = request.with_(task=task.model_copy(update={"hires": hires}))
    return request


def require_second_pass(request: GenerationRequest, hires: Hires, family: Family, first: Family) -> None:
    """Raises BadRequestError where the family of the second pass's checkpoint cannot run that pass.

    Args:
        request: of the second pass alone, with its size.
        first: the family of the first pass's checkpoint, whose latents some upscalers stretch.
    """
    if hires.upscaler in LATENT_UPSCALERS and not family.latents.fits(first.latents):
        raise BadRequestError(
            "task.hires.upscaler",
            f"{hires.upscaler!r} stretches latents, and those of the family {family.name} are others than those of "
            f"{first.name}; choose one that enlarges pictures, such as Lanczos",
        )
    require_size(family, request.width, request.height, "task.hires")
    require_sampler(family, "task.hires.sampler", request.sampler)


def require_size(family: Family, width: int, height: int, field: str = "") -> None:
    """Raises BadRequestError where the family cannot make pictures of this size.

    Args:
        field: the field that the error names; "" for `width` or `height`.
    """
    for name, side in (("width", width), ("height", height)):
        if side % family.size_multiple or side < family.size_multiple:
            raise BadRequestError(
                field or name,
                f"{name} is {side}; a checkpoint of the family {family.name} needs multiples of {family.size_multiple}",
            )


def require_sampler(family: Family, field: str, sampler: str) -> None:
    """Raises BadRequestError where the sampler does not work with the family."""
    if sampler_facts(sampler).space == "timestep" and not family.has_timesteps:
        raise BadRequestError(
            field,
            f"{sampler} walks the timesteps of Stable Diffusion, which the family {family.name} has not; choose a "
            "sampler of noise levels, such as Euler",
        )


def require_refiner(name: str, refiner: ModelSpec, base: ModelSpec) -> None:
    """Raises BadRequestError where `refiner` cannot continue from the latents of `base` at the same noise levels."""
    ours, theirs = refiner.family, base.family
    if not refiner.latents.fits(base.latents) or ours.networks() is not theirs.networks():
        raise BadRequestError(
            "refiner.checkpoint",
            f"{name} is of the family {ours.name}, whose latents or noise levels are not those of {theirs.name}; "
            "choose a refiner that goes with the checkpoint",
        )

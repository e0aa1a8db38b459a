"""Whether the samplers of a request are there. Needs no torch."""

from collections.abc import Collection

from webui.domain.catalog import SAMPLERS
from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest, Txt2Img


def check_samplers(request: GenerationRequest, further: Collection[str]) -> None:
    """Raises BadRequestError, naming the field, where neither the program nor an extension has a sampler of the
    request.

    Args:
        further: those of extensions.
    """
    named = {} if request.task.kind == "upscale" else {"sampler": request.sampler}
    if isinstance(request.task, Txt2Img) and request.task.hires.enabled and request.task.hires.sampler:
        named["task.hires.sampler"] = request.task.hires.sampler
    for field, label in named.items():
        if label not in SAMPLERS and label not in further:
            raise BadRequestError(
                field,
                f"there is no sampler {label!r}; see the list of samplers. Some come with extensions, which may be "
                "missing or off",
            )

"""The size of picture that a checkpoint was trained for, where its file says so; and requests begun at that size."""

import re

from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.fields import SIZE_STEP
from webui.domain.request import GenerationRequest
from webui.library.choice import first_choice
from webui.library.headers import read_header
from webui.library.library import ModelLibrary

RESOLUTION = "modelspec.resolution"  # ModelSpec's metadata key: "1024x1024"
SMALLEST, LARGEST = 64, 2048  # what is believed, in pixels a side
NO_PREFERENCE = (GenerationRequest().width, GenerationRequest().height)

Size = tuple[int, int]  # width, height in pixels


def trained_size(library: ModelLibrary, checkpoint: str) -> Size:
    """Width and height that a checkpoint (any alias; "": the one to begin with) states, or the usual ones."""
    try:
        file = library.checkpoint(checkpoint) if checkpoint else first_choice(library)
        stated = read_header(library.safetensors(file)).metadata.get(RESOLUTION, "")
    except (UnknownModelError, UnusableFileError):
        return NO_PREFERENCE
    found = re.fullmatch(r"\s*(\d{2,4})\s*x\s*(\d{2,4})\s*", stated)
    if found is None:
        return NO_PREFERENCE
    width, height = int(found[1]), int(found[2])
    fits = all(SMALLEST <= side <= LARGEST and side % SIZE_STEP == 0 for side in (width, height))
    return (width, height) if fits else NO_PREFERENCE


def at_trained_size(library: ModelLibrary, request: GenerationRequest) -> GenerationRequest:
    """The request at its checkpoint's own size, unless it asks for another than the usual one."""
    if (request.width, request.height) != NO_PREFERENCE:
        return request
    width, height = trained_size(library, request.checkpoint)
    return request.with_(width=width, height=height)

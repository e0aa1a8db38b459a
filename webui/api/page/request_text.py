"""A request that has made nothing yet as the text that will stand in its first picture, as far as it is known now."""

from webui import VERSION
from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import ModelFacts
from webui.library.library import ModelLibrary
from webui.output.infotext import InfoFacts, write


def text_of(request: GenerationRequest, library: ModelLibrary) -> str:
    """The infotext; "" of a request that only enlarges pictures, whose texts are those of the pictures."""
    if request.task.kind == "upscale":
        return ""
    return write(request, InfoFacts(model=_facts(request, library), subseed=max(0, request.subseed), version=VERSION))


def _facts(request: GenerationRequest, library: ModelLibrary) -> ModelFacts:
    vae = request.vae if request.vae not in ("Automatic", "None") else ""
    try:
        file = library.checkpoint(request.checkpoint)
    except WebuiError:  # it was removed since the request was sent, and the name is all there is
        return ModelFacts(request.checkpoint.replace("\\", "/").rpartition("/")[2], "", vae)
    return ModelFacts(file.stem, (library.known_sha256(file) or "")[:10], vae)

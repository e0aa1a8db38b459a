"""What scripts have to know beside the request: the names of files and styles that there are now."""

from collections.abc import Iterable

from webui.domain.upscale import PLAIN_UPSCALERS
from webui.experiments.origin import Surroundings
from webui.library.library import ModelLibrary
from webui.library.upscalers import shown_name


def surroundings_of(library: ModelLibrary, styles: Iterable[str]) -> Surroundings:
    """As they are now; `styles` by name."""
    return Surroundings(
        choices={
            "checkpoints": tuple(library.title(file) for file in library.checkpoints()),
            "vaes": tuple(file.name for file in library.files("vae")),
            "upscalers": (*PLAIN_UPSCALERS, *(shown_name(file) for file in library.upscalers())),
            "loras": tuple(file.stem for file in library.files("lora")),
            "styles": tuple(styles),
        }
    )

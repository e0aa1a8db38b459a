"""What makes changed settings count in the running program."""

from collections.abc import Callable
from types import MappingProxyType

from webui.api.sdapi.dialect.chosen import ChosenSettings, ProgramOptions
from webui.domain.settings import Settings
from webui.engine.engine import Engine
from webui.output.store import ImageStore
from webui.preferences.preferences import Live

OF_FILES = (
    "image_format",
    "jpeg_quality",
    "webp_lossless",
    "filename_pattern",
    "folder_pattern",
    "embed_parameters",
    "sidecar_text",
    "save_images",
)
READ_WHEN_NEEDED = ("theme", "language", "quicksettings")  # the page asks for these each time that it is opened


def live(engine: Engine, images: ImageStore, chosen: ChosenSettings, renew: Callable[[], None]) -> Live:
    """Functions that are told of a change.

    Args:
        renew: lets the next job begin with a back of the settings in force.
    """

    def saving(now: Settings) -> None:
        images.use(now.saving)
        chosen.use(program_options(now))

    def checkpoint(now: Settings) -> None:
        if now.default_checkpoint:
            engine.change_starting_values({"checkpoint": now.default_checkpoint})

    def vae(now: Settings) -> None:
        if now.default_vae:
            engine.library.named_vae(now.default_vae)
            engine.change_starting_values({"vae": now.default_vae})

    def nothing(now: Settings) -> None:
        """For settings that are read whenever they are needed."""

    return Live(
        MappingProxyType(
            {
                **dict.fromkeys(OF_FILES, saving),
                **dict.fromkeys(READ_WHEN_NEEDED, nothing),
                "max_queue": lambda now: engine.allow_waiting(now.max_queue),
                "default_checkpoint": checkpoint,
                "default_vae": vae,
            }
        ),
        renew,
    )


def program_options(settings: Settings) -> ProgramOptions:
    """What the settings say in A1111's words."""
    return ProgramOptions(settings.saving, settings.save_images, settings.preview_every)

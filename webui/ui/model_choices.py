"""The choices of the selectors of models and samplers, and the choice that a request means. Nothing is loaded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from webui.domain.catalog import SAMPLERS
from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.hires import LATENT_UPSCALERS
from webui.domain.request import GenerationRequest
from webui.library.choice import first_choice
from webui.library.upscalers import upscaler_names

if TYPE_CHECKING:
    from webui.library.library import ModelLibrary

Choices = list[tuple[str, str]]  # label, value


def checkpoint_choices(library: "ModelLibrary") -> Choices:
    """Usable checkpoints: title shown, file name sent."""
    return [(library.title(file), file.name) for file in library.checkpoints() if file.usable]


def refiner_choices(library: "ModelLibrary") -> Choices:
    """Checkpoints, after the choice "no refiner"."""
    return [("None", ""), *checkpoint_choices(library)]


def hires_checkpoint_choices(library: "ModelLibrary") -> Choices:
    """Checkpoints, after the choice "that of the first pass"."""
    return [("Use same checkpoint", ""), *checkpoint_choices(library)]


def upscaler_choices(library: "ModelLibrary") -> Choices:
    """Upscalers of finished pictures."""
    return [(name, name) for name in upscaler_names(library)]


def enlarging_choices(library: "ModelLibrary") -> Choices:
    """Upscalers that do enlarge."""
    return [choice for choice in upscaler_choices(library) if choice[1] != "None"]


def hires_upscaler_choices(library: "ModelLibrary") -> Choices:
    """Ways to stretch latents, then upscalers of pictures."""
    return [*((name, name) for name in LATENT_UPSCALERS), *upscaler_choices(library)]


def sampler_choices(further: Sequence[str] = ()) -> Choices:
    """The program's samplers, then those of extensions."""
    return [(label, label) for label in dict.fromkeys((*SAMPLERS, *further))]


def hires_sampler_choices(further: Sequence[str] = ()) -> Choices:
    """Samplers, after the choice "that of the first pass"."""
    return [("Use same sampler", ""), *sampler_choices(further)]


def vae_choices(library: "ModelLibrary") -> Choices:
    """Automatic, None, then the usable files."""
    names = [file.name for file in library.vaes() if file.usable]
    return [("Automatic", "Automatic"), ("None (baked in)", "None"), *((name, name) for name in names)]


def unusable(library: "ModelLibrary") -> Sequence[str]:
    """A sentence for each file that cannot be offered."""
    files = [*library.checkpoints(), *library.vaes()]
    return [
        f"{file.name} cannot be used: {file.reason.removeprefix(file.name + ': ')}" for file in files if not file.usable
    ]


def with_known_checkpoint(
    library: "ModelLibrary", request: GenerationRequest, current: str
) -> tuple[GenerationRequest, str]:
    """The request with its checkpoint as the selector's value, and a sentence where another file may have been meant.

    An empty name means `current`, and the library's first choice where that is empty too.

    Raises:
        UnknownModelError: there is no such checkpoint; or UnusableFileError.
    """
    usable = any(file.usable for file in library.checkpoints())
    alias = request.checkpoint or current or (first_choice(library).name if usable else "")
    if not alias:
        return request.with_(checkpoint=""), ""
    chosen = library.chosen_checkpoint(alias)
    return request.with_(checkpoint=chosen.file.name), chosen.told


def as_shown(library: "ModelLibrary", request: GenerationRequest, current: str) -> tuple[GenerationRequest, str]:
    """A request that the controls can show, and a sentence about what was changed for that ("" where nothing was).

    A checkpoint that is not here is replaced by the current one, so that pasted parameters of a picture made
    elsewhere can still be used.
    """
    try:
        return with_known_checkpoint(library, request, current)
    except (UnknownModelError, UnusableFileError) as error:
        missing = f"{error} The checkpoint was not changed."
    try:
        return with_known_checkpoint(library, request.with_(checkpoint=""), current)[0], missing
    except (UnknownModelError, UnusableFileError):
        return with_known_checkpoint(library, request.with_(checkpoint=""), "")[0], missing

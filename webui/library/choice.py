"""Which checkpoint is used where none is named."""

from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.library.family import Family
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary


def first_choice(library: ModelLibrary) -> ModelFile:
    """The first usable checkpoint that makes pictures from text alone; else the first usable one.

    Inpainting and editing checkpoints and refiners are made to be used with something else. The miniature that comes
    with the program is taken only where the user has put nothing else there but what was merged here, which nobody
    has chosen yet.

    Raises:
        UnknownModelError: there is no usable checkpoint.
    """
    usable = sorted((file for file in library.checkpoints() if file.usable), key=_sort_key)
    if not usable:
        folder = library.models_dir / "Stable-diffusion"
        raise UnknownModelError(f"checkpoint: there is no usable one; put a .safetensors file into {folder}")
    alone = [file for file in usable if _stands_alone(library, file)]
    own = (file for file in alone if not library.is_bundled(file) and not library.is_merged(file))
    bundled = (file for file in alone if library.is_bundled(file))
    return next(own, None) or next(bundled, None) or (alone or usable)[0]


def likely_family(library: ModelLibrary, checkpoint: str) -> Family:
    """The family of a checkpoint (any alias; "": the one to begin with); the first of all where that is not known."""
    try:
        file = library.checkpoint(checkpoint) if checkpoint else first_choice(library)
        return library.spec(file).family
    except (UnknownModelError, UnusableFileError):
        return library.families[0]


def _sort_key(file: ModelFile) -> str:
    """By name without the extension, so that `ink` comes before `ink-2`."""
    return file.name.removesuffix(file.path.suffix).lower()


def _stands_alone(library: ModelLibrary, file: ModelFile) -> bool:
    try:
        return library.spec(file).stands_alone
    except UnusableFileError:  # a pickle that was not converted yet: not known, so not chosen before others
        return False

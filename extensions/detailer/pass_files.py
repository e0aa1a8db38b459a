"""Whether the files and samplers that a pass names are there, looked up before any work."""

from collections.abc import Iterator

from webui.extension_api import (
    BadRequestError,
    Models,
    UnknownModelError,
    UnusableFileError,
    find_sampler,
    split_sampler,
)

from .options import NONE, PASSTHROUGH, SAME_CHECKPOINT, SAME_SAMPLER, SAME_VAE, DetailPass

_NO_FILE = ("", NONE, SAME_CHECKPOINT, SAME_VAE, "Automatic", PASSTHROUGH)


def check_pass(one: DetailPass, number: int, models: Models) -> None:
    """Raises BadRequestError, naming the key of the pass, for the first that is missing or cannot be used."""
    for key, kind, name in _named(one):
        try:
            models.find(kind, name)
        except (UnknownModelError, UnusableFileError) as error:
            raise BadRequestError(f"extensions.detailer.units.{number}.{key}", str(error)) from None
    if one.use_sampler and one.sampler != SAME_SAMPLER and find_sampler(split_sampler(one.sampler)[0]) is None:
        raise BadRequestError(f"extensions.detailer.units.{number}.sampler", f"there is no sampler {one.sampler!r}")


def _named(one: DetailPass) -> Iterator[tuple[str, str, str]]:
    """Key, kind of file and name of every file that the pass uses."""
    asked = (
        (one.use_checkpoint, "checkpoint", "checkpoint", one.checkpoint),
        (one.use_vae, "vae", "vae", one.vae),
        (True, "controlnet_model", "controlnet", one.controlnet_model),
    )
    yield from ((key, kind, name) for on, key, kind, name in asked if on and name not in _NO_FILE)

"""The upscaler models on disk and the names A1111 gives them. Loads none; `weights/upscalers.py` does."""

from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.errors import BadRequestError, UnknownModelError, UnusableFileError
from webui.domain.hires import LATENT_UPSCALERS
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.upscale import PLAIN_UPSCALERS, Upscale
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary

# File name without extension, in lower case -> what A1111 calls it. Other files go by their own name.
KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "realesrgan_x4plus": "R-ESRGAN 4x+",
        "realesrgan_x4plus_anime_6b": "R-ESRGAN 4x+ Anime6B",
        "realesrgan_x2plus": "R-ESRGAN 2x+",
        "realesr-general-x4v3": "R-ESRGAN General 4xV3",
        "realesr-general-wdn-x4v3": "R-ESRGAN General WDN 4xV3",
        "realesr-animevideov3": "R-ESRGAN AnimeVideo",
        "003_realsr_bsrgan_dfowmfc_s64w8_swinir-l_x4_gan": "SwinIR 4x",
        "scunet": "ScuNET GAN",
        "scunet_color_real_gan": "ScuNET GAN",
        "scunet_color_real_psnr": "ScuNET PSNR",
        "dat_x2": "DAT x2",
        "dat_x3": "DAT x3",
        "dat_x4": "DAT x4",
    }
)


def shown_name(file: ModelFile) -> str:
    """What users see and clients send."""
    return KNOWN.get(file.stem.lower(), file.stem)


def upscaler_names(library: ModelLibrary) -> tuple[str, ...]:
    """Every upscaler that can be used: those without a model, then the files by name, then those of extensions."""
    files = {shown_name(file) for file in library.upscalers() if file.usable} - set(PLAIN_UPSCALERS)
    further = (name for name in library.further_upscalers if name not in files and name not in PLAIN_UPSCALERS)
    return (*PLAIN_UPSCALERS, *sorted(files, key=str.casefold), *further)


def has_upscaler(library: ModelLibrary, name: str) -> bool:
    """Whether there is a file of that name, usable or not."""
    return any(name in _names(file) for file in library.upscalers())


def _names(file: ModelFile) -> tuple[str, ...]:
    return (shown_name(file), file.name, file.stem, file.path.name)


def find_upscaler(library: ModelLibrary, name: str) -> ModelFile:
    """The file of an upscaler: by the shown name, the file's name with or without its extension.

    Raises:
        UnknownModelError: none of that name; lists what is there.
        UnusableFileError: there is one, but it cannot be used.
    """
    for file in library.upscalers():
        if name in _names(file):
            if not file.usable:
                raise UnusableFileError(file.reason)
            return file
    there = ", ".join(upscaler_names(library))
    raise UnknownModelError(f"upscaler: no {name!r} in {library.models_dir / 'ESRGAN'}; there are: {there}")


def check_upscalers(library: ModelLibrary, request: GenerationRequest) -> None:
    """Raises BadRequestError, naming the field, where an upscaler of the request is not here or cannot be used."""
    task = request.task
    named: dict[str, str] = {}
    if isinstance(task, Upscale):
        named = {"task.upscaler": task.upscaler, "task.second_upscaler": task.second_upscaler}
    elif isinstance(task, Txt2Img) and task.hires.enabled and task.hires.upscaler not in LATENT_UPSCALERS:
        named = {"task.hires.upscaler": task.hires.upscaler}
    elif isinstance(task, Img2Img):
        named = {"task.resize_upscaler": task.resize_upscaler}
    for field, name in named.items():
        if name not in PLAIN_UPSCALERS and (name not in library.further_upscalers or has_upscaler(library, name)):
            try:
                find_upscaler(library, name)
            except (UnknownModelError, UnusableFileError) as error:
                raise BadRequestError(field, str(error).removeprefix("upscaler: ")) from error

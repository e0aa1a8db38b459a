"""What scripts have to know beside the request: names of files and styles, options of extensions, as they are now."""

from collections.abc import Iterable, Mapping
from typing import Any

from webui.domain.extensions import SAMPLER, ExtensionInfo
from webui.domain.upscale import PLAIN_UPSCALERS
from webui.experiments.extension_axes import option_axes
from webui.experiments.origin import Surroundings
from webui.library.library import ModelLibrary
from webui.library.upscalers import shown_name

RESTORE, RESTORER = "restore_faces", "face_restoration_model"  # A1111's words
YES = ("true", "yes", "y", "1")


def surroundings_of(library: ModelLibrary, styles: Iterable[str], infos: Iterable[ExtensionInfo] = ()) -> Surroundings:
    """As they are now; `styles` by name."""
    known = tuple(infos)
    return Surroundings(
        choices={
            "checkpoints": tuple(library.title(file) for file in library.checkpoints()),
            "vaes": tuple(file.name for file in library.files("vae")),
            "upscalers": (
                *PLAIN_UPSCALERS,
                *(shown_name(file) for file in library.upscalers()),
                *library.further_upscalers,
            ),
            "loras": tuple(file.stem for file in library.files("lora")),
            "styles": tuple(styles),
            "samplers": tuple(
                name for info in known if info.state == "ok" for kind, name in info.tools if kind == SAMPLER
            ),
        },
        options=tuple(option_axes(known)),
        faces=_faces(known),
        heard=_heard(known),
    )


def _heard(infos: Iterable[ExtensionInfo]) -> Mapping[str, tuple[str, str]]:
    """Which extension that works hears a key of infotexts, and by which option; the first of several."""
    found: dict[str, tuple[str, str]] = {}
    for info in infos:
        if info.state == "ok":
            for word in info.dialect.infotext:
                found.setdefault(word.name, (info.name, word.option))
    return found


def _faces(infos: Iterable[ExtensionInfo]) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    """How faces are restored, by A1111's words; nothing where no extension that works does it."""
    for info in infos:
        words = {word.name: word for word in info.dialect.generation}
        if info.state == "ok" and RESTORE in words:
            restorer = words.get(RESTORER)
            meanings = restorer.meanings if restorer is not None else {}
            found = {name.lower(): (info.name, options) for name, options in meanings.items()}
            usual = found.get(str(restorer.default).lower() if restorer else "", (info.name, {}))
            return {**dict.fromkeys(YES, usual), **found}
    return {}

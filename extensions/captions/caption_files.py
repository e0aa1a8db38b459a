"""Which file describes a picture: BLIP, DeepDanbooru or a tagger, by the name that was asked for."""

from dataclasses import dataclass
from typing import Literal

from webui.extension_api import Models, UnknownModelError

KIND = "captioner"
Family = Literal["BLIP", "DeepDanbooru", "tagger"]
BLIP_PLACE = "models/BLIP/model_base_caption_capfilt_large.pth"
DEEPBOORU_PLACE = "models/torch_deepdanbooru/model-resnet_custom_v3.pt"
TAGGER_PLACE = "models/TaggerOnnx/<name>/model.onnx with selected_tags.csv beside it"
_CLIP, _DEEPBOORU = ("clip", "blip"), ("deepdanbooru", "deepbooru")


@dataclass(frozen=True, slots=True)
class Captioner:
    """A file and how it is read; `title` is what people call it."""

    family: Family
    name: str

    @property
    def title(self) -> str:
        """`clip`, `deepdanbooru`, or a tagger's folder."""
        if self.family == "tagger":
            return self.name.rpartition("/")[0] or self.name.removesuffix(".onnx")
        return "clip" if self.family == "BLIP" else "deepdanbooru"


def captioners(models: Models) -> tuple[Captioner, ...]:
    """All that are there."""
    return tuple(Captioner(_family(name), name) for name in models.names(KIND))


def chosen(models: Models, asked: str) -> Captioner:
    """The one that a name means: `clip`, `deepdanbooru`, a file, a tagger's folder; "" takes the first.

    Raises:
        UnknownModelError: it is not there; the text says which file belongs where.
    """
    there = captioners(models)
    wanted = asked.strip().lower()
    families: tuple[Family, ...] = ("BLIP",) if wanted in _CLIP else ("DeepDanbooru",) if wanted in _DEEPBOORU else ()
    for one in there:
        if not wanted or one.family in families or wanted in (one.name.lower(), one.title.lower(), _stem(one.name)):
            return one
    if families:
        place = BLIP_PLACE if families == ("BLIP",) else DEEPBOORU_PLACE
        raise UnknownModelError(f"describing by {asked} needs a file that is not there: {place}")
    known = ", ".join(one.title for one in there) or "none"
    raise UnknownModelError(
        f"{asked or 'describing pictures'}: there is no such file; there are: {known}. "
        f"Files belong here: {BLIP_PLACE}, {DEEPBOORU_PLACE}, {TAGGER_PLACE}"
    )


def _family(name: str) -> Family:
    if name.lower().endswith(".onnx"):
        return "tagger"
    return "DeepDanbooru" if "deepdanbooru" in name.lower() or "resnet_custom" in name.lower() else "BLIP"


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0].lower()

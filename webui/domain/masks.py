"""The mask of an inpainting request as plain data: which pixels may change. White, or opaque, is repainted."""

from typing import Annotated, Any, Self

from PIL import Image
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from webui.domain.images import Picture, upright

OPAQUE = (255, 255)


class Mask(Picture):
    """A mask: mode L, or LA where its transparency is the mask (then the grey is 0 everywhere)."""

    __slots__ = ()

    @classmethod
    def of(cls, image: Image.Image, *, clear: bool = False) -> Self:
        """From any picture: of one with transparent parts its alpha channel, of another its brightness.

        `clear` is a picture's word for keeping transparency, which a mask always looks at.

        Raises:
            ValueError: it has more than 40 megapixels, or none.
        """
        return cls._packed(_plain(upright(image)))


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        if alpha.getextrema() != OPAQUE:
            return Image.merge("LA", (Image.new("L", alpha.size), alpha))
        image = image.convert("RGBA")
    grey = image.convert("L")
    grey.info = {}
    return grey


def _validated(value: Any) -> Mask:
    match value:
        case Mask():
            return value
        case Picture():
            return Mask.of(value.open())
        case Image.Image():
            return Mask.of(value)
        case str():
            return Mask.from_base64(value)
    raise ValueError("must be an image file in base64")


MaskField = Annotated[
    Mask,
    PlainValidator(_validated),
    PlainSerializer(Mask.to_base64, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}),
]

"""What a test knows and a type checker cannot: that an answer is there, of what kind it is, that a stand-in will do."""

from typing import Any, TypeVar

from PIL import Image

from webui.domain.request import GenerationRequest, Img2Img, Txt2Img

T = TypeVar("T")


def known(value: T | None) -> T:
    """The value, which has to be there."""
    assert value is not None
    return value


def untyped(value: object) -> Any:
    """The same object, on which mypy has nothing to say: a stand-in for a class of ours, or a library without types."""
    return value


def txt2img(request: GenerationRequest) -> Txt2Img:
    """The task of a request that makes pictures from text."""
    assert isinstance(request.task, Txt2Img)
    return request.task


def img2img(request: GenerationRequest) -> Img2Img:
    """The task of a request that makes pictures from a picture."""
    assert isinstance(request.task, Img2Img)
    return request.task


def channels(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """The values of one pixel of a picture with several bands."""
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel

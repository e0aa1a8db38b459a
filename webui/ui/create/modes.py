"""The three modes of the form, and which of them reads a field. A mode that does not read a field does not show it."""

from typing import Literal

from webui.domain.parameters.table import HIRES

Mode = Literal["txt2img", "img2img", "inpaint"]
MODES: tuple[Mode, ...] = ("txt2img", "img2img", "inpaint")
OF_PICTURES: tuple[Mode, ...] = ("img2img", "inpaint")

_READERS: tuple[tuple[str, tuple[Mode, ...]], ...] = (
    (f"{HIRES}.", ("txt2img",)),
    ("task.inpainting.", ("inpaint",)),
    ("task.", OF_PICTURES),
    ("", MODES),
)


def readers(path: str) -> tuple[Mode, ...]:
    """The modes whose requests have this field."""
    return next(modes for prefix, modes in _READERS if path.startswith(prefix))


def reads(mode: Mode, path: str) -> bool:
    """Whether the requests of a mode have this field."""
    return mode in readers(path)


def mode_of(value: object) -> Mode:
    """The mode that a control holds; anything else means txt2img, as nothing is read from a picture then."""
    return next((mode for mode in MODES if mode == value), "txt2img")


def shown_in(modes: tuple[Mode, ...]) -> list[str]:
    """The CSS classes that show something in these modes only; none where it is shown in all."""
    return [] if set(modes) == set(MODES) else ["of-modes", *(f"of-{mode}" for mode in modes)]

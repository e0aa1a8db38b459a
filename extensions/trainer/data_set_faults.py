"""What is wrong in a data set: files that cannot be decoded, repeated pictures, missing captions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from webui.extension_api import Cancelled, WebuiError

from .data_set_files import has_caption, pixels
from .folders import Item

SIDE = 8  # fields in a row of what is compared
NEAR_BITS = 4  # of 64, in which two pictures may differ and still count as the same
NEAR_COLOUR = 28  # of 255, by which the colour of a field may differ
READ_SIDE = 256  # pixels; larger pictures are made smaller first


@dataclass(frozen=True, slots=True)
class Look:
    """What stays of a picture when it is scaled or saved again.

    Attributes:
        bits: 64 bits, whether it grows brighter from a field to the next (dHash).
        colours: the mean colours of 8 x 8 fields, 192 bytes.
    """

    bits: int
    colours: bytes

    @classmethod
    def of(cls, image: Image.Image) -> "Look":
        """Of an RGB picture."""
        grey = np.asarray(image.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), np.int16)
        bits = (grey[:, 1:] > grey[:, :-1] + 1).ravel()
        colours = image.resize((SIDE, SIDE), Image.Resampling.BOX).tobytes()
        return cls(int("".join("01"[int(bit)] for bit in bits), 2), colours)

    def is_like(self, other: "Look") -> bool:
        """Whether both are most likely the same picture."""
        if (self.bits ^ other.bits).bit_count() > NEAR_BITS:
            return False
        one, two = (np.frombuffer(look.colours, np.uint8).astype(np.int16) for look in (self, other))
        return bool(np.abs(one - two).max() <= NEAR_COLOUR)


def alike(looks: Mapping[str, Look]) -> list[list[str]]:
    """Groups of pictures that look the same, each in the order of the listing."""
    groups: list[list[str]] = []
    for name, look in looks.items():
        group = next((one for one in groups if looks[one[0]].is_like(look)), None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return [group for group in groups if len(group) > 1]


def faults(
    items: Mapping[str, Item], progress: Callable[[int, int, str], None], stopped: Callable[[], bool]
) -> tuple[dict[str, str], list[list[str]], Sequence[str]]:
    """Broken files with the reason, groups that look the same, pictures without a caption.

    Raises:
        Cancelled: the user stopped it.
    """
    broken: dict[str, str] = {}
    looks: dict[str, Look] = {}
    for number, (name, item) in enumerate(items.items()):
        progress(number, len(items), name)
        if stopped():
            raise Cancelled("stopped")
        try:
            looks[name] = Look.of(pixels(item.path, READ_SIDE))
        except WebuiError as error:
            broken[name] = str(error)
    return broken, alike(looks), [name for name, item in items.items() if not has_caption(item.path)]

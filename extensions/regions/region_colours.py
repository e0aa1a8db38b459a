"""The colours by which Regional Prompter's masks name regions. Pure functions without torch."""

from itertools import count

RGB = tuple[int, int, int]
MOST_COLOURS = 360


def colours(regions: int) -> tuple[RGB, ...]:
    """The colours that mean the regions: hues that halve the circle again and again, at half saturation and value."""
    if regions > MOST_COLOURS:
        raise ValueError(f"a mask has at most {MOST_COLOURS} regions")
    hues = [0.0]
    for power in count(1):
        if len(hues) >= regions:
            break
        hues += [number / 2**power for number in range(1, 2**power, 2)]
    return tuple(_half_bright(hue) for hue in hues[:regions])


def _half_bright(hue: float) -> RGB:
    """The colour of a hue in 0..1, of 256, with saturation and value of a half."""
    sector, rest = divmod(hue * 6, 1)
    high, low = 128, 64
    rising, falling = int(low + 64 * rest), int(high - 64 * rest)
    table = (
        (high, rising, low), (falling, high, low), (low, high, rising),
        (low, falling, high), (rising, low, high), (high, low, falling),
    )  # fmt: skip
    return table[int(sector) % 6]


def hexadecimal(colour: RGB) -> str:
    """`#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)

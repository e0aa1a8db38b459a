"""What the options of a request mean for the words between regions. It needs no torch."""

from .options import KEEPS_AND, KEEPS_BREAK, REVERSES, RegionsOptions
from .separators import Rules


def rules_of(options: RegionsOptions, *, is_negative: bool) -> Rules:
    """How the words between regions are to be understood in a prompt or a negative prompt."""
    return Rules(
        is_rows=options.direction == "Rows",
        uses_base=options.use_base or options.mode == "Prompt",
        uses_common=options.use_common_negative if is_negative else options.use_common,
        keeps_and=KEEPS_AND in options.options,
        keeps_break=KEEPS_BREAK in options.options,
        flips=options.flip,
        reverses=REVERSES in options.options and not is_negative,
    )


def runs_apart(options: RegionsOptions) -> bool:
    """Whether each region has a run of the network of its own (latent mode)."""
    return options.calculation == "Latent" and options.mode in ("Matrix", "Mask")

"""Presets of block weights that the user keeps in files, as LoRA Block Weight does: `lbwpresets.txt` (`NAME:numbers`,
one a line) and `elempresets.txt`. They are copied from there, or written, into the folder `presets` beside this file.
"""

from collections.abc import Mapping
from pathlib import Path

from .block_weights import element_presets_of, presets_of
from .options import BLOCK_PRESETS, ELEMENT_PRESETS, LoraOptions

FOLDER = Path(__file__).with_name("presets")
BLOCKS, ELEMENTS = "lbwpresets.txt", "elempresets.txt"
MOST = 100_000  # bytes of a file


def block_presets(options: LoraOptions, folder: Path = FOLDER) -> Mapping[str, str]:
    """The presets for `lbw=`: those that a request brings count before the user's, and these before the usual ones."""
    own = presets_of(_read(folder / BLOCKS))
    given = presets_of(options.presets)
    return {**given, **own} if options.presets == BLOCK_PRESETS else {**own, **given}


def element_presets(options: LoraOptions, folder: Path = FOLDER) -> Mapping[str, str]:
    """The presets for `lbwe=`, in the same order."""
    own = element_presets_of(_read(folder / ELEMENTS))
    given = element_presets_of(options.elements)
    return {**given, **own} if options.elements == ELEMENT_PRESETS else {**own, **given}


def _read(path: Path) -> str:
    """The text of a file; "" where there is none."""
    try:
        with path.open("rb") as content:
            return content.read(MOST).decode("utf-8-sig", "replace").replace("\r\n", "\n")
    except OSError:
        return ""

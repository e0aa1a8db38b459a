"""Files of tiny autoencoders (TAESD): how they are named, where they lie, and what their tensors are called.

Three forms are known: one file for each half (`taesd_decoder`, `taesd_encoder`, tensors `1.weight`), one file for both
(`taesd`, tensors `taesd_decoder.1.weight`), and diffusers' (`decoder.layers.0.weight`).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from webui.domain.errors import UnknownModelError
from webui.library.files import FOLDERS, ModelFile

TinyPart = Literal["decoder", "encoder"]
_ENDING = re.compile(r"\.(?:safetensors|pth|pt|bin)$", re.IGNORECASE)


def names_of(stem: str, part: TinyPart) -> tuple[str, ...]:
    """The names, without an ending, of files that may hold one half; `stem` is the family's, such as `taesdxl`."""
    return f"{stem}_{part}", stem


def find_tiny(files: Sequence[ModelFile], stem: str, part: TinyPart, family: str) -> ModelFile:
    """The file with one half for a family: a safetensors file rather than a pickle, a file of that half alone first.

    Raises:
        UnknownModelError: there is none; says which names and folders would do.
    """
    folders = " or ".join(f"models/{folder}" for folder in FOLDERS["taesd"])
    if not stem:
        raise UnknownModelError(f"TAESD: there is none for checkpoints of the family {family}")
    for name in names_of(stem, part):
        named = [file for file in files if _ENDING.sub("", file.path.name).lower() == name]
        for file in sorted(named, key=lambda file: (not file.usable, file.is_pickle)):
            return file
    wanted = ", ".join(f"{name}.safetensors or .pth" for name in names_of(stem, part))
    raise UnknownModelError(f"TAESD: put {wanted} into {folders}; there is no such file")


def tensors_of(names: Iterable[str], part: TinyPart) -> dict[str, str]:
    """The tensors of one half: `0.weight`, as diffusers counts its layers, -> the name in the file. Empty: none."""
    found: dict[str, str] = {}
    for name in names:
        place, shift = _place(name, part)
        number, _, rest = place.partition(".")
        if number.isdecimal() and rest:
            found[f"{int(number) - shift}.{rest}"] = name
    return found


def _place(name: str, part: TinyPart) -> tuple[str, int]:
    """A tensor's place in the list of layers, and by how much it is counted too high: a file's decoder counts the
    clamp of its input as layer 0."""
    clamp = 1 if part == "decoder" else 0
    for start, shift in ((f"{part}.layers.", 0), (f"taesd_{part}.", clamp), (f"{part}.", clamp)):
        if name.startswith(start):
            return name.removeprefix(start), shift
    return (name, clamp) if name[:1].isdecimal() else ("", 0)

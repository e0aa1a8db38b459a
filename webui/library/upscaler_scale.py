"""By how much an upscaler's network enlarges, read from the shapes in its file's header; it is not loaded.

Facts of the architectures: the sub-pixel convolution (arXiv:1609.05158) makes 3 s^2 channels for a scale of s, or 4 f
(9 f) of f channels for each step of 2 (3); ESRGAN (arXiv:1809.00219) has a convolution after each doubling, and its
Real variant folds 2 x 2 or 4 x 4 pixels into channels first to enlarge less.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path

from webui.domain.errors import WebuiError
from webui.library.headers import read_header

UNKNOWN = 4.0  # what A1111 says of every upscaler
Shapes = Mapping[str, tuple[int, ...]]
_WRAPPINGS = ("params_ema.", "params-ema.", "params.")
_IN_NAME = re.compile(r"(?<![0-9a-z])(?:x([1-8])|([1-8])x)(?![0-9])|_x([1-8])(?:plus|v[0-9])", re.IGNORECASE)


def scale_of(path: Path) -> float:
    """The factor on both sides: by the header, else as the file's name says, else 4, as A1111 says of all."""
    try:
        found = by_shapes({name: tuple(info.shape) for name, info in read_header(path).tensors.items()})
    except (WebuiError, OSError):
        found = None  # a pickle, which is converted when it is first used
    if found is not None:
        return found
    named = _IN_NAME.search(path.stem)
    return float(next(filter(None, named.groups()))) if named else UNKNOWN


def by_shapes(shapes: Shapes) -> float | None:
    """The factor that the shapes of a network tell; None for networks of another kind."""
    for wrapping in _WRAPPINGS:
        if any(name.startswith(wrapping) for name in shapes):
            shapes = {name.removeprefix(wrapping): shape for name, shape in shapes.items()}
            break
    if "conv_first.weight" in shapes and "conv_up1.weight" in shapes:  # ESRGAN, newer names
        doublings = sum(name.startswith("conv_up") and name.endswith(".weight") for name in shapes)
        folded = math.isqrt(shapes["conv_first.weight"][1] // 3)
        return 2.0**doublings / folded if folded else None
    if "model.0.weight" in shapes and any(name.startswith("model.1.sub.") for name in shapes):  # ESRGAN, older names
        outer = sum(re.fullmatch(r"model\.\d+\.weight", name) is not None for name in shapes)
        return 2.0 ** (outer - 3)  # all but the first and the last two follow a doubling
    if "m_head.0.weight" in shapes and "m_tail.0.weight" in shapes:  # SCUNet cleans and does not enlarge
        return 1.0
    steps = [shape for name, shape in shapes.items() if re.fullmatch(r"upsample\.\d+\.weight", name)]
    if steps:  # SwinIR, DAT
        return math.prod(math.sqrt(shape[0] / shape[1]) for shape in steps)
    return _sub_pixel(shapes)


def _sub_pixel(shapes: Shapes) -> float | None:
    """Networks that end in one sub-pixel convolution: the lightweight SwinIR, and Real-ESRGAN's compact one."""
    last = shapes.get("upsample.weight")
    if last is None:
        numbered = [(int(found[1]), name) for name in shapes if (found := re.fullmatch(r"body\.(\d+)\.weight", name))]
        last = shapes[max(numbered)[1]] if numbered else None
    if last is None or last[0] % 3:
        return None
    side = math.isqrt(last[0] // 3)
    return float(side) if side * side * 3 == last[0] else None

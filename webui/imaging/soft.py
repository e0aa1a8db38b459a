"""The mask of soft inpainting, which depends on how much each latent cell has changed.

Blending while sampling is in `webui/sampling/masking.py`.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from webui.domain.inpainting import SoftInpainting
from webui.imaging.resize import fitted

Floats = NDArray[np.float64]

_REACH = 2  # cells to each side of the filter's window
_SPREAD = 1.5  # exp(-(r / spread)^2), lowered so that it is 0 at r = reach + 1
_BRIGHT, _MIDDLE = (0.9, 1.0), (0.25, 0.75)  # ranks of the two filters
_LEAST_WIDTH = 1.0  # of a filter's range of ranks, in units of kernel weight
_EDGE_BLUR = 4  # pixels
_NEAR_ONE = 1.00001  # a wholly painted cell has no finite threshold


def changed_mask(distance: Floats, painted: Floats, options: SoftInpainting, width: int, height: int) -> Image.Image:
    """The mask (L, width x height, white is the new picture) of the parts that have changed visibly.

    Args:
        distance: (h, w), how far each latent cell has moved (2-norm over channels).
        painted: (h, w) in 0..1, the latent mask; 1 was to be repainted.
    """
    influence = float(options.mask_influence)
    protection = 1 - painted.clip(0, 1) ** (options.preservation / 2)
    protection = 0.5 * (1 - influence) + protection * influence
    half = options.difference_threshold * protection / (_NEAR_ONE - protection)  # a change of this size is kept by half
    smooth = ranked_mean(ranked_mean(distance, *_BRIGHT), *_MIDDLE)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        kept = 1 / (1 + (smooth / half) ** options.difference_contrast)
    kept = np.nan_to_num(kept, nan=1.0)
    kept = kept**3 * (kept * (6 * kept - 15) + 10)  # smootherstep
    cells = Image.fromarray((255 * (1 - kept)).astype(np.uint8))
    return fitted(cells, "fill", width, height).filter(ImageFilter.GaussianBlur(_EDGE_BLUR))


def ranked_mean(values: Floats, low: float, high: float) -> Floats:
    """Around each cell the weighted mean of the values whose rank lies between two shares, 0..1.

    Values of a 5 x 5 window are stacked in ascending order, each as high as its kernel weight; `low` and `high` cut a
    range out of the stack, at least one unit high. Cells outside the picture do not count.
    """
    rows, columns = values.shape
    padded = np.pad(values, _REACH)
    inside = np.pad(np.ones_like(values), _REACH)
    offsets = [(dy, dx) for dy in range(2 * _REACH + 1) for dx in range(2 * _REACH + 1)]
    window = np.stack([padded[dy : dy + rows, dx : dx + columns] for dy, dx in offsets])
    weight = np.stack([inside[dy : dy + rows, dx : dx + columns] * _kernel(dy, dx) for dy, dx in offsets])
    order = window.argsort(axis=0, kind="stable")
    window, weight = np.take_along_axis(window, order, 0), np.take_along_axis(weight, order, 0)
    tops = weight.cumsum(axis=0)
    start, end = _range(tops[-1], low, high)
    share = (np.minimum(end, tops) - np.maximum(start, tops - weight)).clip(min=0)
    total = share.sum(axis=0)
    mean: Floats = np.divide((window * share).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return mean


def _range(total: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    start, end = total * low, total * high
    narrow = end - start < _LEAST_WIDTH
    middle = (start + end) / 2
    start = np.where(narrow, middle - _LEAST_WIDTH / 2, start)
    end = np.where(narrow, middle + _LEAST_WIDTH / 2, end)
    beyond = narrow & (end > total)
    start, end = np.where(beyond, total - _LEAST_WIDTH, start), np.where(beyond, total, end)
    before = narrow & (start < 0)
    return np.where(before, 0.0, start), np.where(before, _LEAST_WIDTH, end)


def _kernel(dy: int, dx: int) -> float:
    squared = (dy - _REACH) ** 2 + (dx - _REACH) ** 2
    floor = float(np.exp(-(((_REACH + 1) / _SPREAD) ** 2)))
    return max(0.0, (float(np.exp(-squared / _SPREAD**2)) - floor) / (1 - floor))

"""The list of families. A checkpoint file is compared with them in this order.

The list is passed to `ModelLibrary`. This module needs no torch.
"""

from webui.library.family import Family
from webui.weights.families.stable_diffusion.members import SD1, SD2, SDXL, SDXL_REFINER

FAMILIES: tuple[Family, ...] = (
    SD1,
    SD2,
    SDXL,
    SDXL_REFINER,
)

"""The families of checkpoints that this program runs: one row each, in the order in which a file is compared with them.

The list is handed in as a value where a library is made. It needs no torch.
"""

from webui.library.family import Family
from webui.weights.families.stable_diffusion.members import SD1, SD2, SDXL, SDXL_REFINER

FAMILIES: tuple[Family, ...] = (
    SD1,
    SD2,
    SDXL,
    SDXL_REFINER,
)

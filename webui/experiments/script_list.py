"""The scripts there are, in the order in which A1111 lists them; those that come to it as extensions are last."""

from collections.abc import Sequence

from webui.experiments.alternative_test import ALTERNATIVE_TEST
from webui.experiments.loopback import LOOPBACK
from webui.experiments.outpainting_mk2 import OUTPAINTING_MK2
from webui.experiments.poor_outpainting import POOR_OUTPAINTING
from webui.experiments.prompt_lines import PROMPT_LINES
from webui.experiments.prompt_matrix import PROMPT_MATRIX
from webui.experiments.script import Script
from webui.experiments.sd_upscale import SD_UPSCALE
from webui.experiments.ultimate_upscale import ULTIMATE_UPSCALE
from webui.experiments.xyz_plot import XYZ_PLOT

SCRIPTS: tuple[Script, ...] = (
    ALTERNATIVE_TEST, LOOPBACK, OUTPAINTING_MK2, POOR_OUTPAINTING, PROMPT_MATRIX, PROMPT_LINES, SD_UPSCALE,
    XYZ_PLOT, ULTIMATE_UPSCALE,
)  # fmt: skip


def script_named(title: str, scripts: Sequence[Script] = SCRIPTS) -> Script | None:
    """The script of that title, in any case."""
    return next((script for script in scripts if script.name == title.strip().lower()), None)

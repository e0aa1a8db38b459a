"""The back of the program as tests want it: on the CPU, in float32 and one thread, so that numbers are the same
everywhere.
"""

from pathlib import Path
from typing import Any

from webui.domain.settings import BackSettings
from webui.processing.back import Back, build


def exact_back(*, models_dir: Path, data_dir: Path, **more: Any) -> Back:
    """`more`: further settings. Whoever makes it closes it, where what it holds matters."""
    settings = BackSettings(models_dir=models_dir, data_dir=data_dir, device="cpu", precision="fp32", threads=1, **more)
    return build(settings)

"""The back of the program as tests want it: on the CPU, in float32 and one thread, so that numbers are the same
everywhere.
"""

from pathlib import Path
from typing import Any

from webui.domain.settings import BackSettings
from webui.processing.back import Back, build

BUNDLED = Path(__file__).parents[1] / "extensions"


def exact_back(*, models_dir: Path, data_dir: Path, **more: Any) -> Back:
    """`more`: further settings. Without `extensions_dir` there are no extensions: loading all that are bundled takes
    half a second, and each of them has a part in every job. Whoever makes it closes it, where what it holds matters.
    """
    without = {"extensions_dir": data_dir / "extensions"}
    settings = BackSettings(
        models_dir=models_dir, data_dir=data_dir, device="cpu", precision="fp32", threads=1, **(without | more)
    )
    return build(settings)


def some_extensions(folder: Path, *names: str) -> Path:
    """A folder with these of the bundled extensions, below `folder`."""
    made = folder / "extensions"
    made.mkdir(parents=True)
    for name in names:
        (made / name).symlink_to(BUNDLED / name)
    return made

"""A small data set to try training with: 24 drawn pictures of a shape that the miniature does not know.

Pictures and captions are in `example_hearts.zip`, which `python -m tools.train_mini.new_shape --write-example` draws;
that program also judges what was learned.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from PIL import Image
from pydantic import JsonValue

NAME = "example hearts"
FILE = Path(__file__).with_name("example_hearts.zip")
BASE = "mini.safetensors"
SETTINGS: Mapping[str, JsonValue] = MappingProxyType(
    {
        "output": "my-heart", "resolution": 128, "bucket_step": 64, "min_bucket": 64, "rank": 8, "alpha": 8,
        "learning_rate": 2e-3, "batch_size": 8, "steps": 300, "seed": 3, "sample_every": 100,
        "sample_prompts": "a red heart on a white background\na green heart on a black background",
    }
)  # fmt: skip


def drawn() -> Iterator[tuple[Image.Image, str]]:
    """The pictures with their captions, each once; the same each time."""
    with zipfile.ZipFile(FILE) as file:
        for name in sorted(one for one in file.namelist() if one.endswith(".png")):
            picture = Image.open(io.BytesIO(file.read(name)))
            yield picture.convert("RGB"), file.read(f"{name.removesuffix('.png')}.txt").decode("utf-8")


def suggested(checkpoints: Sequence[str]) -> dict[str, JsonValue]:
    """Settings with which the example is trained in minutes, by the names of the form; the base where it is there."""
    base = next((name for name in checkpoints if name.rpartition("/")[2] == BASE), None)
    return {**SETTINGS, **({"base": base} if base else {})}

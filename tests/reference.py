"""Reference cases: requests, and the images, arrays and infotexts that A1111 made from them.

Those in tests/data/reference are always there. More stand in ../shared/goldens on the machines of some developers;
where a case is in both places, ours is taken. Tests run over the cases that hold the files they need.
"""

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.packed import unpack

OURS = Path(__file__).parent / "data" / "reference"
FURTHER = Path(__file__).parents[1].parent / "shared" / "goldens"
THIRD = FURTHER.with_name("goldens3")  # works with the checkpoints of the further ones
ALL = (OURS, FURTHER, THIRD)
BETWEEN = "\n=====\n"  # stands between the infotexts of one case


@dataclass(frozen=True)
class Case:
    """One request and what A1111 answered. `payload` is its JSON, in which `@inputs/x.png` stands for a file."""

    folder: Path
    name: str
    group: str
    endpoint: str
    payload: dict[str, Any]
    images: int
    least_db: float  # what index.json asks for beyond the usual tolerance, or 0
    seeds: list[int]
    subseeds: list[int]

    def file(self, ending: str) -> Path:
        return self.folder / "cases" / f"{self.name}{ending}"

    def picture(self, number: int) -> Image.Image:
        with Image.open(self.file(f".{number}.png" if number else ".png")) as image:
            return image.convert("RGB")

    def infotexts(self) -> list[str]:
        return self.file(".txt").read_text(encoding="utf-8").split(BETWEEN)

    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.file(".extra.npz")) as file:
            return {name: file[name] for name in file.files}

    def body(self) -> dict[str, Any]:
        """The payload with each file in base64 in its place."""
        filled: dict[str, Any] = self._filled(self.payload)
        return filled

    def _filled(self, value: Any) -> Any:
        match value:
            case str() if value.startswith("@"):
                return base64.b64encode((self.folder / value[1:]).read_bytes()).decode()
            case list():
                return [self._filled(one) for one in value]
            case dict():
                return {name: self._filled(one) for name, one in value.items()}
        return value


def cases(
    *endings: str, where: Callable[[Case], bool] = lambda case: True, folders: Sequence[Path] = (OURS, FURTHER)
) -> list[Case]:
    """The cases that have a file of each ending and fulfil `where`."""
    found: dict[str, Case] = {}
    for folder in folders:
        for case in _read(folder):
            has_files = all(case.file(ending).is_file() for ending in endings)
            if case.name not in found and has_files and where(case):
                found[case.name] = case
    return list(found.values())


def each(found: Sequence[Case | Path]) -> Callable[[Callable[..., None]], Callable[..., None] | None]:
    """A mark that hands every case to a test as `case`; with none, the test is not collected, so none is skipped."""
    mark = pytest.mark.parametrize("case", found, ids=lambda case: case.name.partition(".")[0])
    return lambda test: mark(test) if found else None


def files(pattern: str) -> list[Path]:
    """Files of the further folder; none where it is not there."""
    return sorted(FURTHER.glob(pattern))


def sha256_of(place: str) -> str:
    """The SHA-256 of a model file that cases were made with, such as `VAE/tiny-vae.safetensors`."""
    return str(_hashes()[place])


def whole_checkpoints(folder: Path) -> dict[str, str]:
    """Write the checkpoints of our cases into `folder`; gives back each name with the SHA-256 of A1111's file."""
    target = folder / "Stable-diffusion"
    target.mkdir(parents=True)
    made = {}
    for packed in sorted((OURS / "models" / "Stable-diffusion").glob("*.packed")):
        made[packed.stem] = unpack(packed, target / f"{packed.stem}.safetensors")
        (target / f"{packed.stem}.yaml").write_bytes(packed.with_suffix(".yaml").read_bytes())
    return made


def without_version(text: str) -> str:
    """An infotext without the program's own version, the one part that must differ."""
    return re.sub(r",? ?Version: [^,\n]+", "", text).strip()


@cache
def _read(folder: Path) -> tuple[Case, ...]:
    if not (folder / "index.json").is_file():
        return ()
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))["cases"]
    return tuple(_case(folder, about) for about in index)


def _case(folder: Path, about: dict[str, Any]) -> Case:
    case = json.loads((folder / "cases" / f"{about['name']}.json").read_text(encoding="utf-8"))
    return Case(
        folder, about["name"], about["group"], about["endpoint"], case["payload"], about["n_images"],
        float(about.get("tol_db") or 0), case.get("all_seeds", []), case.get("all_subseeds", []),
    )  # fmt: skip


@cache
def _hashes() -> dict[str, str]:
    read: dict[str, str] = json.loads((OURS / "hashes.json").read_text(encoding="utf-8"))
    return read

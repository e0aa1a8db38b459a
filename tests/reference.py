"""Reference cases: requests, and the images, arrays and infotexts that A1111 made from them.

Those in tests/data/reference are always run, and so on every machine the same. A run of `pytest --references DIR`
(tests/reference_runs.py) takes those of other folders instead, which have the same form.
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
PACKED = OURS / "models.packed"
FAMILIES = ("tiny-sd2-v", "tiny-xl", "tiny-xl-refiner")
BETWEEN = "\n=====\n"  # stands between the infotexts of one case


@dataclass(frozen=True)
class Case:
    """One request and what A1111 answered. `payload` is its JSON, in which `@inputs/x.png` stands for a file.

    Attributes:
        least_db: what index.json asks for beyond the usual tolerance, or 0.
        every: the case's pictures hold every such pixel of every such row of A1111's, 1 being all of them.
        sizes: (width, height) of A1111's pictures; empty where they are stored whole.
    """

    folder: Path
    name: str
    group: str
    endpoint: str
    payload: dict[str, Any]
    images: int
    least_db: float
    seeds: list[int]
    subseeds: list[int]
    every: int = 1
    sizes: tuple[tuple[int, int], ...] = ()

    def file(self, ending: str) -> Path:
        return self.folder / "cases" / f"{self.name}{ending}"

    def told(self) -> dict[str, Any]:
        """What is recorded beside the payload: seeds, prompts, sizes of pictures."""
        read: dict[str, Any] = json.loads(self.file(".json").read_text(encoding="utf-8"))
        return read

    def likeness(self, number: int, image: Image.Image) -> float:
        """Peak signal to noise ratio in dB of an image to A1111's picture of this number, whose size it must have."""
        wanted = self.pixels(number)
        size = self.sizes[number] if self.sizes else (wanted.shape[1], wanted.shape[0])
        assert image.size == size, f"{self.name}, image {number}"
        return psnr(np.asarray(image.convert("RGB"))[:: self.every, :: self.every], wanted)

    def pixels(self, number: int) -> np.ndarray:
        """What is stored of A1111's picture of this number, (h, w, 3), as int."""
        with Image.open(self.file(f".{number}.png" if number else ".png")) as golden:
            return np.asarray(golden.convert("RGB")).astype(int)

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

    @property
    def checkpoint(self) -> str:
        """The one it begins with, or "" where the payload names none."""
        return str(self.payload.get("override_settings", {}).get("sd_model_checkpoint", ""))


def over_cases(*endings: str, where: Callable[[Case], bool] = lambda case: True) -> pytest.MarkDecorator:
    """A mark that hands a test, as `case`, every case that has a file of each ending and fulfils `where`."""
    return pytest.mark.reference_cases(endings, where)


def over_files(pattern: str) -> pytest.MarkDecorator:
    """A mark that hands a test, as `file`, every file of the folders of cases that fits the pattern."""
    return pytest.mark.reference_files(pattern)


def cases(
    *endings: str, where: Callable[[Case], bool] = lambda case: True, folders: Sequence[Path] = (OURS,)
) -> list[Case]:
    """The cases that have a file of each ending and fulfil `where`, those of a checkpoint beside each other.

    Of cases with one name the first folder's is taken.
    """
    found: dict[str, Case] = {}
    for folder in folders:
        for case in _read(folder):
            has_files = all(case.file(ending).is_file() for ending in endings)
            if case.name not in found and has_files and where(case):
                found[case.name] = case
    return sorted(found.values(), key=lambda case: case.checkpoint)


def folders_of(config: pytest.Config) -> tuple[Path, ...]:
    """The folders whose cases are run, those that were given before our own."""
    given: list[Path] = config.getoption("references")
    return (*(folder.resolve() for folder in given), OURS)


def case_named(name: str) -> Case:
    """A case of our own. Raises KeyError."""
    return {case.name: case for case in _read(OURS)}[name]


def sha256_of(place: str) -> str:
    """The SHA-256 of a model file that cases were made with, such as `VAE/tiny-vae.safetensors`."""
    return str(_hashes()[place])


def models_of_cases(folder: Path, others: Sequence[Path] = ()) -> None:
    """Write the models that our cases were made with into `folder`, with links to those of other folders of cases."""
    for other in others:
        for file in sorted((other / "models").rglob("*")):
            link = folder / file.relative_to(other / "models")
            if file.is_file() and not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file.resolve())
    for file in sorted((OURS / "models").rglob("*.*")):
        copy = folder / file.relative_to(OURS / "models")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            copy.write_bytes(file.read_bytes())
    unpack(PACKED, folder)


def whole_checkpoints(folder: Path) -> None:
    """Write those checkpoints into `folder` that show each family, for tests of other things than A1111's pictures."""
    wanted = tuple(f"Stable-diffusion/{name}." for name in FAMILIES)
    unpack(PACKED, folder, lambda place: place.startswith(wanted))
    for yaml in (OURS / "models" / "Stable-diffusion").glob("*.yaml"):
        if f"Stable-diffusion/{yaml.name}".startswith(wanted):
            (folder / "Stable-diffusion" / yaml.name).write_bytes(yaml.read_bytes())


def psnr(image: np.ndarray | Image.Image, golden: np.ndarray | Image.Image) -> float:
    """Peak signal to noise ratio of 8-bit pictures in dB."""
    error = float(((np.asarray(image, np.float64) - np.asarray(golden, np.float64)) ** 2).mean())
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def without_version(text: str) -> str:
    """An infotext without the program's own version, the one part that must differ."""
    return re.sub(r",? ?Version: [^,\n]+", "", text).strip()


@cache
def _read(folder: Path) -> tuple[Case, ...]:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))["cases"]
    return tuple(_case(folder, about) for about in index)


def _case(folder: Path, about: dict[str, Any]) -> Case:
    case = json.loads((folder / "cases" / f"{about['name']}.json").read_text(encoding="utf-8"))
    return Case(
        folder, about["name"], about["group"], about["endpoint"], case["payload"], about["n_images"],
        float(about.get("tol_db") or 0), case.get("all_seeds", []), case.get("all_subseeds", []),
        about.get("every", 1), tuple((width, height) for width, height in about.get("sizes", ())),
    )  # fmt: skip


@cache
def _hashes() -> dict[str, str]:
    read: dict[str, str] = json.loads((OURS / "hashes.json").read_text(encoding="utf-8"))
    return read

"""Finds model files in the folders under `models/`. Knows names and places, not what is inside (see `library.py`)."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from webui.library.pictures import is_picture, is_preview

Kind = Literal[
    "checkpoint",
    "vae",
    "embedding",
    "lora",
    "hypernetwork",
    "controlnet",
    "preprocessor",
    "upscaler",
    "gfpgan",
    "codeformer",
    "detector",
]

FOLDERS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "checkpoint": ("Stable-diffusion",),
        "vae": ("VAE",),
        "embedding": ("embeddings",),
        "lora": ("Lora", "LyCORIS"),
        "hypernetwork": ("hypernetworks",),
        "controlnet": ("ControlNet",),
        "preprocessor": ("ControlNetPreprocessor",),  # a folder in Hugging Face's form for each preprocessor
        "upscaler": ("ESRGAN", "RealESRGAN", "SwinIR", "DAT", "HAT", "ScuNET"),
        "gfpgan": ("GFPGAN",),
        "codeformer": ("Codeformer",),
        "detector": ("detectors", "GFPGAN"),  # the second is where A1111 keeps face detectors
    }
)
SAFETENSORS = ".safetensors"
PICKLES = (".ckpt", ".pt", ".bin", ".pth")
ONNX = ".onnx"  # of detectors, which libraries read by themselves
_VAE_ENDINGS = tuple(f".vae{suffix}" for suffix in (SAFETENSORS, *PICKLES))  # a VAE beside its checkpoint


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file in a model folder.

    Attributes:
        name: path relative to its folder, with `/` and with the extension.
        usable: False where `reason` says why not.
        reason: one sentence; for a usable pickle, that it will be converted first.
    """

    path: Path
    kind: Kind
    name: str
    usable: bool = True
    reason: str = ""

    @property
    def stem(self) -> str:
        """File name without folder and extension."""
        return self.path.stem

    @property
    def model_name(self) -> str:
        """A1111's name: the relative path with separators as `_`, without the extension."""
        return os.path.splitext(self.name.replace("/", "_").replace("\\", "_"))[0]

    @property
    def is_pickle(self) -> bool:
        """By its extension; a safetensors file under such a name is still read as what it is."""
        return self.path.suffix.lower() in PICKLES


def find(models_dir: Path, kind: Kind) -> tuple[ModelFile, ...]:
    """Every model file of a kind, sorted by name without regard to case. A missing folder is an empty one."""
    found: dict[str, ModelFile] = {}
    suffixes = (SAFETENSORS, *PICKLES, *((ONNX,) if kind == "detector" else ()))
    for folder in FOLDERS[kind]:
        root = models_dir / folder
        for path in _walk(root, suffixes, pictures=kind == "embedding"):
            is_vae = path.name.lower().endswith(_VAE_ENDINGS)
            if kind == "checkpoint" and is_vae:
                continue
            name = path.relative_to(root).as_posix()
            if name in found:  # the same place in two folders: the second is told apart by its folder
                if _is_same(found[name].path, path):
                    continue
                name = f"{folder}/{name}"
            found.setdefault(name, ModelFile(path, kind, name))
    if kind == "vae":
        root = models_dir / FOLDERS["checkpoint"][0]
        for path in _walk(root, suffixes):
            if path.name.lower().endswith(_VAE_ENDINGS):
                name = path.relative_to(root).as_posix()
                found.setdefault(name, ModelFile(path, kind, name))
    return tuple(sorted(found.values(), key=lambda file: (file.name.casefold(), file.name)))


def _walk(root: Path, suffixes: tuple[str, ...], *, pictures: bool = False) -> Iterator[Path]:
    """Model files below `root`, and pictures that may carry one. Links are followed, but no folder twice."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            is_model = path.suffix.lower() in suffixes or (pictures and _may_carry(path))
            if not name.startswith(".") and is_model and path.is_file():
                yield path


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _may_carry(path: Path) -> bool:
    return is_picture(path) and not is_preview(path)

"""Finds model files in the folders under `models/` and in further ones.

Knows names and places, not what is inside (see `library.py`).
"""

import os
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from webui.domain.model_folders import ModelFolder
from webui.library.pictures import is_picture, is_preview

Kind = Literal[
    "checkpoint",
    "vae",
    "taesd",
    "embedding",
    "lora",
    "hypernetwork",
    "controlnet",
    "preprocessor",
    "upscaler",
    "gfpgan",
    "codeformer",
    "detector",
    "clip_vision",
    "insightface",
    "captioner",
]

FOLDERS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {
        "checkpoint": ("Stable-diffusion",),
        "vae": ("VAE",),
        "taesd": ("VAE-taesd", "vae_approx"),  # where A1111 keeps theirs, and where ComfyUI does
        "embedding": ("embeddings",),
        "lora": ("Lora", "LyCORIS"),
        "hypernetwork": ("hypernetworks",),
        "controlnet": ("ControlNet", "ipadapter"),
        "preprocessor": ("ControlNetPreprocessor",),  # single files, and folders in Hugging Face's form
        "upscaler": ("ESRGAN", "RealESRGAN", "SwinIR", "DAT", "HAT", "ScuNET"),
        "gfpgan": ("GFPGAN",),
        "codeformer": ("Codeformer",),
        "detector": ("detectors", "adetailer", "GFPGAN"),  # where A1111 and its extensions keep theirs
        "clip_vision": ("clip_vision",),  # image encoders
        "insightface": ("insightface",),  # face recognisers
        "captioner": ("BLIP", "torch_deepdanbooru", "TaggerOnnx"),
    }
)
SAFETENSORS = ".safetensors"
PICKLES = (".ckpt", ".pt", ".bin", ".pth")
ONNX = ".onnx"  # of the following kinds, which libraries read by themselves
_OF_ONNX: tuple[Kind, ...] = ("detector", "insightface", "captioner", "preprocessor")
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


def find(models_dir: Path, kind: Kind, further: Iterable[ModelFolder] = ()) -> tuple[ModelFile, ...]:
    """Every model file of a kind, sorted by name without regard to case. A missing folder is an empty one.

    A file that is reached through two folders is listed once. Of two files with one name the one in the later folder is
    named with that folder: `loras/ink.safetensors`.
    """
    found: dict[str, ModelFile] = {}
    known: set[tuple[int, int] | str] = set()
    suffixes = (SAFETENSORS, *PICKLES, *((ONNX,) if kind in _OF_ONNX else ()))
    further = tuple(further)
    sources = [(root, kind) for root in folders_of(models_dir, kind, further)]
    if kind == "vae":
        sources += [(root, "checkpoint") for root in folders_of(models_dir, "checkpoint", further)]
    for root, role in sources:
        here: set[tuple[int, int] | str] = set()
        for path in _walk(root, suffixes, pictures=kind == "embedding"):
            identity = _identity(path)
            is_vae = path.name.lower().endswith(_VAE_ENDINGS)
            if identity in known or (role == "checkpoint" and is_vae != (kind == "vae")):
                continue
            here.add(identity)
            name = path.name if path == root else path.relative_to(root).as_posix()
            name = _free_name(name, root if path != root else root.parent, found)
            found[name] = ModelFile(path, kind, name)
        known |= here
    return tuple(sorted(found.values(), key=lambda file: (file.name.casefold(), file.name)))


def folders_of(models_dir: Path, kind: Kind, further: Iterable[ModelFolder] = ()) -> tuple[Path, ...]:
    """Where files of a kind are looked for, in order: folders, and single files."""
    own = (models_dir / folder for folder in FOLDERS[kind])
    return (*own, *(folder.path for folder in further if folder.kind == kind))


def _identity(path: Path) -> tuple[int, int] | str:
    """The same for two paths of one file."""
    try:
        status = path.stat()
    except OSError:  # it went while we looked
        return str(path)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)  # some drives number nothing


def _free_name(name: str, folder: Path, taken: Container[str]) -> str:
    """The name, with as many of the last parts of its folder before it as tell it from the names taken."""
    parts = [part for part in folder.absolute().parts if part != folder.anchor]
    candidates = ("/".join((*parts[len(parts) - length :], name)) for length in range(len(parts) + 1))
    numbered = (f"{number}/{name}" for number in count(2))
    return next(candidate for candidate in chain(candidates, numbered) if candidate not in taken)


def _walk(root: Path, suffixes: tuple[str, ...], *, pictures: bool = False) -> Iterator[Path]:
    """Model files below `root` (or that file itself), and pictures that may carry one. Links are followed, but no
    folder twice.
    """
    if root.suffix.lower() in suffixes and root.is_file():
        yield root
        return
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

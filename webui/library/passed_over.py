"""What lies in the models folder and appears in no list: unfinished downloads, archives, foreign formats, and models in
folders that nobody looks into.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from webui.library.files import FOLDERS, ONNX, PICKLES, SAFETENSORS

MOST = 20_000  # files that are looked at
_KNOWN = frozenset(folder.casefold() for folders in FOLDERS.values() for folder in folders)
_UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".opdownload", ".aria2", ".incomplete")
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz")
_OTHERS: Mapping[str, str] = MappingProxyType(
    {".gguf": "GGUF", ".engine": "TensorRT", ".trt": "TensorRT", ".h5": "HDF5"}
)


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file, what it is, and what to do about it."""

    path: Path
    what: str
    advice: str


def passed_over(models_dir: Path) -> Iterator[PassedOver]:
    """The files of a models folder that are passed over, in the order of their names. Hidden ones are left out."""
    for path in islice(sorted(models_dir.rglob("*")), MOST):
        parts = path.relative_to(models_dir).parts
        if any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        told = _of_ending(path.suffix.lower()) or _of_place(path.suffix.lower(), parts)
        if told is not None:
            yield PassedOver(path, *told)


def _of_ending(suffix: str) -> tuple[str, str] | None:
    if suffix in _UNFINISHED:
        return "an unfinished download", "load it again, or remove it"
    if suffix in _ARCHIVES:
        return "an archive", "unpack it, and put the model files in it into this folder"
    if suffix in _OTHERS:
        return f"a file of {_OTHERS[suffix]}, which this program does not read", "get the model as safetensors"
    return None


def _of_place(suffix: str, parts: tuple[str, ...]) -> tuple[str, str] | None:
    if suffix not in (SAFETENSORS, *PICKLES, ONNX) or (len(parts) > 1 and parts[0].casefold() in _KNOWN):
        return None
    return "a model where no list looks", f"put it into one of the folders {', '.join(_folders())}"


def _folders() -> Iterator[str]:
    yield from (FOLDERS[kind][0] for kind in ("checkpoint", "lora", "vae", "embedding", "controlnet", "upscaler"))

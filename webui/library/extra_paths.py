"""Reads ComfyUI's `extra_model_paths.yaml`: sections, each with a `base_path` and folders by kind of model.

    a1111:
        base_path: ~/stable-diffusion-webui
        is_default: true          # read before what stands above it
        checkpoints: models/Stable-diffusion
        loras: |
            models/Lora
            models/LyCORIS

Folders are relative to `base_path`, that is relative to the file's own folder. `~` and `$NAME` are filled in.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from webui.domain.model_folders import ModelFolder, at_home
from webui.library.files import Kind

KEYS: Mapping[str, tuple[Kind, ...]] = MappingProxyType(
    {
        "checkpoints": ("checkpoint",),
        "vae": ("vae",),
        "vae_approx": ("taesd",),
        "loras": ("lora",),
        "embeddings": ("embedding",),
        "hypernetworks": ("hypernetwork",),
        "controlnet": ("controlnet",),
        "t2i_adapter": ("controlnet",),
        "ipadapter": ("controlnet",),
        "clip_vision": ("clip_vision",),
        "insightface": ("insightface",),
        "upscale_models": ("upscaler",),
        "facerestore_models": ("gfpgan", "codeformer"),
        "facedetection": ("detector",),
        "ultralytics": ("detector",),
        "ultralytics_bbox": ("detector",),
        "ultralytics_segm": ("detector",),
    }
)
MAX_BYTES = 256 * 1024
MAX_ALIASES = 64  # YAML aliases can grow exponentially when expanded
_BASE, _DEFAULT = "base_path", "is_default"


@dataclass(frozen=True, slots=True)
class ExtraPaths:
    """What a file names.

    Attributes:
        folders: those of sections with `is_default` first, else in the order of the file.
        remarks: sentences about what was left out, or is not there.
    """

    folders: tuple[ModelFolder, ...] = ()
    remarks: tuple[str, ...] = ()


def read_extra_paths(file: Path) -> ExtraPaths:
    """Read a file. One that is broken gives no folders and a remark."""
    try:
        text = file.read_text("utf-8-sig")
        if len(text) > MAX_BYTES or text.count("*") > MAX_ALIASES:
            return _nothing(file, "it is too large for a list of folders")
        table = yaml.safe_load(text)
    except OSError as error:
        return _nothing(file, error.strerror or "no such file")
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        return _nothing(file, f"not YAML: {' '.join(str(error).split())[:200]}")
    if table is None:
        return ExtraPaths()  # everything in it is commented out, as in the example that ComfyUI brings along
    if not isinstance(table, dict):
        return _nothing(file, "expected sections with a base_path and folders")
    first: list[ModelFolder] = []
    after: list[ModelFolder] = []
    remarks: list[str] = []
    for name, section in table.items():
        if section is None:
            continue
        if not isinstance(section, dict):
            remarks.append(f"{file}: section {name} is left out; expected folders by kind in it")
            continue
        found, said = _read_section(f"{file}: section {name}", section, file.absolute().parent)
        (first if _is_true(section.get(_DEFAULT)) else after).extend(found)
        remarks.extend(said)
    return ExtraPaths((*first, *after), tuple(remarks))


def _read_section(title: str, section: Mapping[Any, Any], beside: Path) -> tuple[list[ModelFolder], list[str]]:
    base = section.get(_BASE)
    if base is not None and not isinstance(base, str):
        return [], [f"{title} is left out; its base_path is not a text"]
    start = beside / _filled_in(base) if base else beside
    folders: list[ModelFolder] = []
    unused: list[str] = []
    wrong: list[str] = []
    for key, value in section.items():
        if key in (_BASE, _DEFAULT):
            continue
        lines = None if value is None else tuple(_lines(value))
        if key not in KEYS:
            unused.append(str(key))
        elif lines is None or not all(isinstance(line, str) and "\0" not in line for line in lines):
            wrong.append(str(key))
        else:
            paths = [start / _filled_in(line.strip()) for line in lines if line.strip()]
            folders += [ModelFolder(kind=kind, path=path) for kind in KEYS[key] for path in paths]
    missing = dict.fromkeys(str(folder.path) for folder in folders if not folder.path.is_dir())
    remarks = [
        f"{title}: {text} {', '.join(names)}"
        for text, names in (
            ("there is no use here for", unused),
            ("expected a folder on each line of", wrong),
            ("not there now:", list(missing)),
        )
        if names
    ]
    return folders, remarks


def _lines(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, str):
        yield from value.splitlines()
    else:
        yield value


def _filled_in(path: str) -> Path:
    return at_home(Path(os.path.expandvars(path.strip())))


def _is_true(value: object) -> bool:
    return value is True or str(value).strip().lower() in ("true", "yes", "1")


def _nothing(file: Path, reason: str) -> ExtraPaths:
    return ExtraPaths(remarks=(f"{file}: no folders are read from it ({reason})",))

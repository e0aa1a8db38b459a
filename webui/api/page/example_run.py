"""The run that Learn shows before there is one of one's own: of the miniature, recorded by `tools/record_example.py`.

A file of a fifth of a megabyte, where the recording has 6. Of the maps those of the prompt's own tokens are kept, as
the square roots of their shares in 8 bits; the other tokens have none. Clean estimates lose a little as WebP.
"""

import functools
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from webui.domain.request import GenerationRequest

EXAMPLE = "example"  # stands for the id of a job
FILE = Path(__file__).parent / "example_run.zip"
QUALITY = 90  # of clean estimates
PICTURES = ("latents_", "clean_")
MAPS = "maps_"
LEVELS = 255


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """A recording: the request, and the parts by their names, as an extension records them."""

    request: GenerationRequest
    parts: Mapping[str, bytes]


@functools.cache
def example_run() -> ExampleRun:
    """The bundled one; read when it is first asked for, and kept."""
    return unpacked(FILE.read_bytes())


def packed(run: ExampleRun) -> bytes:
    """A recording as a file."""
    kept = io.BytesIO()
    told: dict[str, Any] = json.loads(run.parts["run"])
    maps = _maps_of(run.parts, told)
    pictures = [name for name in run.parts if name.startswith(PICTURES)]
    others = [name for name in run.parts if not name.startswith((*PICTURES, MAPS))]
    request = run.request.model_dump(mode="json", exclude_defaults=True)
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in (
            ("request.json", json.dumps(request).encode()),
            ("maps.webp", _as_picture(maps)),
            *((f"{name}.webp", _smaller(run.parts[name], name)) for name in pictures),
            *((f"{name}.part", run.parts[name]) for name in others),
        ):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return kept.getvalue()


def unpacked(data: bytes) -> ExampleRun:
    """The recording in a file that `packed` has made."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    told: dict[str, Any] = json.loads(files["run.part"])
    parts = {name.rpartition(".")[0]: file for name, file in files.items() if name.endswith((".webp", ".part"))}
    steps, blocks, grid = len(told["steps"]), len(told["blocks"]), told["grid"]
    known = _as_maps(parts.pop("maps"), steps, blocks, grid)
    for step in range(steps):
        whole = np.zeros((blocks, told["tokens"], grid, grid), "<f2")
        whole[:, : known.shape[2]] = known[step]
        parts[f"maps_{step}"] = whole.tobytes()
    request = GenerationRequest.model_validate_json(files["request.json"])
    return ExampleRun(request, MappingProxyType(parts))


def _maps_of(parts: Mapping[str, bytes], told: Mapping[str, Any]) -> np.ndarray:
    """(steps, blocks, T, grid, grid) float32, of the tokens to the end of the prompt."""
    shape = len(told["blocks"]), told["tokens"], told["grid"], told["grid"]
    steps = [np.frombuffer(parts[f"maps_{at}"], "<f2").reshape(shape) for at in range(len(told["steps"]))]
    return np.stack(steps)[:, :, : told["words"] + 2].astype(np.float32)


def _as_picture(maps: np.ndarray) -> bytes:
    """Grey, lossless: a row of squares for each block and token, a column for each step."""
    steps, blocks, tokens, grid, _ = maps.shape
    levels = np.rint(np.sqrt(maps.clip(0, 1)) * LEVELS).astype(np.uint8)
    shown = levels.transpose(1, 2, 3, 0, 4).reshape(blocks * tokens * grid, steps * grid)
    return _webp(Image.fromarray(shown).convert("RGB"), lossless=True)


def _as_maps(data: bytes, steps: int, blocks: int, grid: int) -> np.ndarray:
    levels = np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float32)
    tokens = levels.shape[0] // (blocks * grid)
    squares = levels.reshape(blocks, tokens, grid, steps, grid).transpose(3, 0, 1, 2, 4)
    return np.asarray((squares / LEVELS) ** 2)


def _smaller(picture: bytes, name: str) -> bytes:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return _webp(image, quality=QUALITY) if name.startswith("clean_") else _webp(image, lossless=True)


def _webp(image: Image.Image, **more: Any) -> bytes:
    kept = io.BytesIO()
    image.save(kept, "WEBP", method=6, **more)
    return kept.getvalue()

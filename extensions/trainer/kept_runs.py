"""What a run has left on the disk, for a page that shows it when its job is long gone: its curve and its samples."""

import base64
import io
import re
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from pydantic import Field, JsonValue

from webui.extension_api import ActionContext, ActionResult, UnusableFileError

from .options import RunOptions
from .run_folders import RunFolder, known_run, read_told

MOST_SAMPLES = 24  # pictures that are answered at once
LARGEST = 512  # pixels of the longer side
_SAMPLE = re.compile(r"(\d+)-(\d+)\.png")


class SamplesOptions(RunOptions):
    """Some samples of a run, by the names that `run` tells."""

    names: tuple[str, ...] = Field((), max_length=2000)


def kept_run(options: RunOptions, context: ActionContext) -> ActionResult:
    """How far it is, its losses up to its last checkpoint, and the names of its samples: `sample_<step>_<prompt>`."""
    folder = known_run(context, options.run)
    told, chosen = folder.told(), folder.options()
    losses, average = _losses(folder)
    _, loss, rate = losses[-1] if losses else (0, 0.0, 0.0)
    data: dict[str, JsonValue] = {
        "training": {
            "run": folder.name, "state": told.get("state"), "step": told.get("step", 0), "steps": told.get("steps", 0),
            "loss": loss, "average_loss": average, "learning_rate": rate, "method": chosen.method,
            "output": told.get("output", ""), "prompts": [*chosen.prompts],
        },
        "losses": [[*point] for point in losses],
        "samples": [*_samples(folder)],
    }  # fmt: skip
    return ActionResult(data=data)


def kept_samples(options: SamplesOptions, context: ActionContext) -> ActionResult:
    """These samples as JPEG in base64; one that cannot be read any more is left out."""
    there = _samples(known_run(context, options.run))
    made: dict[str, JsonValue] = {}
    for name in options.names[:MOST_SAMPLES]:
        context.progress(len(made), len(options.names), name)
        if name in there:
            try:
                with Image.open(there[name]) as opened:
                    picture = opened.convert("RGB")
            except (OSError, UnidentifiedImageError, ValueError):
                continue
            picture.thumbnail((LARGEST, LARGEST))
            memory = io.BytesIO()
            picture.save(memory, "JPEG", quality=90)
            made[name] = base64.b64encode(memory.getvalue()).decode("ascii")
    return ActionResult(data=made)


def _losses(folder: RunFolder) -> tuple[list[tuple[int, float, float]], float]:
    """Step, loss and learning rate, and the average loss; none before the first checkpoint, or where it is damaged."""
    try:
        curve = read_told(folder).get("curve", {})
    except UnusableFileError:
        return [], 0.0
    points = [(int(step), float(loss), float(rate)) for step, loss, rate in curve.get("points", ())]
    return points, float(curve.get("average") or 0.0)


def _samples(folder: RunFolder) -> dict[str, Path]:
    """The files of its samples by the names that recordings of a run have, in the order of their steps."""
    place = folder.path / "samples"
    found = sorted(place.iterdir()) if place.is_dir() else []
    named = [(file, _SAMPLE.fullmatch(file.name)) for file in found]
    return {f"sample_{int(one[1])}_{int(one[2])}": file for file, one in named if one is not None}

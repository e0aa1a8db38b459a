"""The last measurement, kept in the data folder: beside each way its gain, its distance and a small picture."""

import base64
import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import JsonValue, TypeAdapter, ValidationError

from webui.extension_api import unfinished

from .ways import Way

FOLDER, FILE = "speed_dial", "measured.json"
SIDE = 176  # pixels of the longer side of a kept picture


@dataclass(frozen=True)
class Row:
    """What was measured of one way.

    Attributes:
        settings: what the way set then; a way that sets something else today has not been measured.
        picture: a JPEG in base64.
    """

    settings: dict[str, Any]
    gain: float
    distance: float
    picture: str = ""


@dataclass(frozen=True)
class Measurement:
    """One run of the action.

    Attributes:
        day: as 2026-11-29.
        machine: what computed.
        rows: by the names of the ways.
    """

    day: str
    machine: str
    checkpoint: str
    width: int
    height: int
    steps: int
    rows: dict[str, Row] = field(default_factory=dict)

    def of(self, way: Way) -> Row | None:
        """What was measured of a way; None where it was not, or was another one then."""
        row = self.rows.get(way.name)
        return row if row is not None and row.settings == _plain(way.settings) else None


_READ = TypeAdapter(Measurement)


def keep(data_dir: Path, measurement: Measurement) -> None:
    """Write it in the place of the one before."""
    file = data_dir / FOLDER / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    new = unfinished(file)
    new.write_text(json.dumps(asdict(measurement)), encoding="utf-8")
    os.replace(new, file)


def kept(data_dir: Path, machine: str) -> Measurement | None:
    """The last one; None where there is none that can be read, or it was made on another machine."""
    with contextlib.suppress(OSError, ValidationError):
        found = _READ.validate_json((data_dir / FOLDER / FILE).read_bytes())
        return found if found.machine == machine else None
    return None


def row_of(way: Way, gain: float, distance: float, picture: Image.Image | None) -> Row:
    """What is kept of a way."""
    return Row(_plain(way.settings), round(gain, 3), round(distance, 5), "" if picture is None else small(picture))


def small(picture: Image.Image) -> str:
    """A picture as a small JPEG in base64."""
    shown = picture.convert("RGB")
    shown.thumbnail((SIDE, SIDE))
    held = BytesIO()
    shown.save(held, "JPEG", quality=85)
    return base64.b64encode(held.getvalue()).decode("ascii")


def told(way: Way, found: Measurement | None) -> dict[str, JsonValue]:
    """A way as the page is told of it; gain and distance are None where it was not measured."""
    row = None if found is None else found.of(way)
    measured: Mapping[str, JsonValue] = {
        "gain": row.gain if row else None,
        "distance": row.distance if row else None,
        "picture": row.picture if row else "",
    }
    return {"name": way.name, "title": way.title, **way.settings, **measured}


def dial_of(stops: Sequence[Way], others: Sequence[Way], found: Measurement | None, work: tuple[int, int]) -> JsonValue:
    """What the page draws the dial of.

    Args:
        work: how many pictures a measurement makes, and in how many rounds.
    """
    about: JsonValue = None
    if found is not None:
        about = {
            "day": found.day, "machine": found.machine, "checkpoint": found.checkpoint,
            "width": found.width, "height": found.height, "steps": found.steps,
        }  # fmt: skip
    return {
        "stops": [told(way, found) for way in stops],
        "alone": [told(way, found) for way in others],
        "measured": about,
        "pictures": work[0],
        "rounds": work[1],
    }


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As it is read back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain

"""Further folders with model files, beside the models folder. They are read and never written to."""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator


def at_home(path: Path) -> Path:
    """The path with `~` filled in; as it is where there is no such user."""
    return Path(os.path.expanduser(path))


class ModelFolder(BaseModel):
    """One kind of model file and where more of it lies. Also written as `lora=/data/loras`.

    Attributes:
        kind: as the model library names it: checkpoint, vae, lora, embedding, ...
        path: a folder, or a single file. It need not exist.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    path: Path

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        kind, sign, path = value.partition("=")
        if not sign or not kind.strip() or not path.strip():
            raise ValueError(f"{value!r}: write the kind and the folder, as in lora=/data/loras")
        return {"kind": kind.strip(), "path": path.strip()}

    @field_validator("path")
    @classmethod
    def _filled_in(cls, value: Path) -> Path:
        return at_home(value)

"""A run on the disk: `training/<name>` in the data folder, with its settings, its last checkpoint and what was cached.

A checkpoint of a run is one safetensors file, with weights and optimizer as tensors and the rest as JSON in its header.
It is written under another name and renamed, so after a kill at any moment the last whole one is there.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import JsonValue, ValidationError

from webui.extension_api import ActionContext, BadRequestError, WebuiError, unfinished

from .options import TrainOptions

if TYPE_CHECKING:
    from torch import Tensor

ROOT = "training"
State = Literal["caching", "training", "sampling", "saving", "paused", "done"]
_NAME = re.compile(r"[^\W_][\w .()+-]{0,99}")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of a run."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def state_file(self) -> Path:
        """The last checkpoint."""
        return self.path / "state.safetensors"

    @property
    def is_there(self) -> bool:
        return (self.path / "run.json").is_file()

    def begin(self, options: TrainOptions, steps: int, pictures: str) -> None:
        """Note the settings of a new run, and the digest of its pictures."""
        self.path.mkdir(parents=True, exist_ok=True)
        told = options.model_dump(mode="json", exclude_defaults=True)
        self._write("run.json", {"options": told, "steps": steps, "pictures": pictures, "state": "training"})

    def note(self, state: State, **more: JsonValue) -> None:
        """Note how far it is."""
        self._write("run.json", {**self.told(), "state": state, **more})

    def told(self) -> dict[str, Any]:
        """What is noted: options, step, steps, state. Raises WebuiError where it cannot be read."""
        try:
            found = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WebuiError(f"{self.path / 'run.json'}: cannot be read ({error}); remove the run's folder") from None
        return found if isinstance(found, dict) else {}

    def options(self) -> TrainOptions:
        """The settings that it began with. Raises WebuiError where this version cannot read them."""
        try:
            return TrainOptions.model_validate(self.told().get("options"))
        except ValidationError as error:
            raise WebuiError(f"{self.name}: its settings are of another version of the program: {error}") from None

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write(self, name: str, value: Mapping[str, Any]) -> None:
        path = self.path / name
        temporary = unfinished(path)
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(temporary, path)


def run_folder(context: ActionContext, name: str) -> RunFolder:
    """The folder of a run of that name, there or not.

    Raises:
        BadRequestError: the name is none that a folder may have.
    """
    if _NAME.fullmatch(name) is None or name.endswith((".", " ")):
        raise BadRequestError("output", f"{name!r}: give a name of letters, digits, blanks and ( ) + - . _")
    return RunFolder(context.data_dir / ROOT / name)


def known_run(context: ActionContext, name: str) -> RunFolder:
    """A run that is there. Raises BadRequestError."""
    there = runs(context)
    found = next((one for one in there if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in there) or "none"
        raise BadRequestError("resume", f"there is no run {name!r}; there are: {names}")
    return found


def runs(context: ActionContext) -> list[RunFolder]:
    """All runs, the latest first."""
    root = context.data_dir / ROOT
    found = [RunFolder(path) for path in root.iterdir()] if root.is_dir() else []
    there = [one for one in found if one.is_there]
    return sorted(there, key=lambda one: (-(one.path / "run.json").stat().st_mtime, one.name))


def save_state(folder: RunFolder, tensors: "Mapping[str, Tensor]", plain: Mapping[str, JsonValue]) -> None:
    """Write a checkpoint of the run in the place of the last one."""
    from webui.extension_api.tensors import TensorEntry

    from .tensor_files import write_tensors

    write_tensors(
        folder.state_file, TensorEntry.all_of(tensors), tensors.__getitem__, {"state": json.dumps(plain)}, replaces=True
    )


def read_state(folder: RunFolder) -> "tuple[dict[str, Tensor], dict[str, Any]] | None":
    """The last checkpoint; None where there is none yet. Raises UnusableFileError where it is damaged."""
    from webui.extension_api.tensors import TensorFile

    if not folder.state_file.is_file():
        return None
    with TensorFile(folder.state_file) as file:
        plain = json.loads(file.header.metadata.get("state", "{}"))
        return {name: file.read(name) for name in file.names()}, plain


def read_told(folder: RunFolder) -> dict[str, Any]:
    """What the last checkpoint holds beside tensors; nothing where there is none. Raises UnusableFileError."""
    from webui.extension_api.tensors import TensorFile

    if not folder.state_file.is_file():
        return {}
    with TensorFile(folder.state_file) as file:
        plain: dict[str, Any] = json.loads(file.header.metadata.get("state", "{}"))
        return plain


def listed_runs(context: ActionContext) -> list[JsonValue]:
    """The runs as a page lists them, the latest first."""
    rows: list[JsonValue] = []
    for one in runs(context):
        told = one.told()
        options = told.get("options", {})
        rows.append(
            {
                "run": one.name, "step": told.get("step", 0), "steps": told.get("steps", 0), "state": told.get("state"),
                "method": options.get("method", "lora"), "base": options.get("base", ""),
                "output": told.get("output", ""),
            }
        )  # fmt: skip
    return rows

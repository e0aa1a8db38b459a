"""The section Batch of img2img and Inpaint: the form's settings for each of many pictures (`static/batch.js`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import utils
from gradio.components import Component
from pydantic import ValidationError

from webui.domain.batch import BatchOptions
from webui.domain.errors import BadRequestError
from webui.engine.batching import SentFiles
from webui.engine.folder_access import Caller
from webui.experiments.picture_batch import BatchFile
from webui.ui import forms
from webui.ui.create.modes import OF_PICTURES
from webui.ui.create.sections import Section
from webui.ui.own import own
from webui.ui.uploads import foreign_file

NAME = "img2img_batch"
FIELDS = (
    ("prompt", "Prompt"),
    ("negative_prompt", "Negative prompt"),
    ("seed", "Seed"),
    ("cfg_scale", "CFG scale"),
    ("sampler", "Sampler"),
    ("steps", "Steps"),
    ("checkpoint", "Checkpoint"),
)


@dataclass(frozen=True, slots=True)
class BatchControls:
    """The section as it was drawn: its switch, and the component that holds which pictures."""

    switch: Component
    pictures: Component

    @property
    def components(self) -> list[Component]:
        """What an event needs as `inputs` for the section to be read."""
        return [self.switch, self.pictures]

    def is_on(self, values: Mapping[Component, Any]) -> bool:
        """Whether Generate begins a batch, where the mode in view has one."""
        return bool(values.get(self.switch))


def draw() -> BatchControls:
    """Draw the section inside the caller's container."""
    section = Section("Batch", NAME, modes=OF_PICTURES)
    with section:
        pictures = own("batch", {}, elem_id=f"{NAME}_pictures", fields=[list(pair) for pair in FIELDS])
    section.line_by("(value) => value?.words ?? ''", [pictures])
    return BatchControls(section.switch, pictures)


def read(value: Any) -> tuple[BatchOptions, SentFiles]:
    """What a component of `batch_pictures.js` holds.

    Args:
        value: as it came, not checked in any way.

    Raises:
        BadRequestError: a file was not uploaded here, or an option is none.
    """
    told = value if isinstance(value, Mapping) else {}
    names = [name for name in BatchOptions.model_fields if name in told]
    try:
        options = BatchOptions.model_validate({name: told[name] for name in names})
    except ValidationError as error:
        raise forms.bad_request(error) from None
    return options, SentFiles(*(_files(told.get(name)) for name in ("pictures", "masks", "infos")))


def caller_of(sender: gr.Request | None) -> Caller:
    """Who has pressed the button."""
    if sender is None or sender.client is None:
        return Caller()
    return Caller(sender.client.host, {name.lower(): value for name, value in sender.headers.items()})


def _files(sent: Any) -> tuple[BatchFile, ...]:
    found = []
    for one in sent if isinstance(sent, Sequence) and not isinstance(sent, str) else ():
        path = one.get("path") if isinstance(one, Mapping) else None
        if not isinstance(path, str) or foreign_file({"path": path}, Path(utils.get_upload_folder())) is not None:
            raise BadRequestError("picture", "was not uploaded here; load it again")
        if not Path(path).is_file():
            raise BadRequestError("picture", "is no longer on the server; load it again")
        found.append(BatchFile(Path(str(one.get("name") or path)).name, Path(path)))
    return tuple(found)

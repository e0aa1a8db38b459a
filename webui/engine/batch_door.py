"""Batches as doors begin them: a template without a picture, options, and who asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from webui.domain.batch import BatchOptions
from webui.domain.images import Picture
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest
from webui.domain.saving import Saving
from webui.engine.batching import BatchJob, SentFiles, batch_work
from webui.engine.engine import Engine
from webui.engine.folder_access import Caller, FolderAccess

STAND_IN = 8  # pixels a side of the picture that a template has


@dataclass(frozen=True, slots=True)
class BatchDoor:
    """What page, API and command line begin batches with.

    Attributes:
        folders: which folders a request may name.
        saving: how files are written now.
    """

    engine: Engine
    folders: FolderAccess
    saving: Callable[[], Saving]

    def start(
        self,
        template: GenerationRequest,
        options: BatchOptions,
        sent: SentFiles,
        caller: Caller,
        *,
        save: bool = True,
        owner: str = "",
    ) -> BatchJob:
        """Begin and return at once.

        Raises:
            BadRequestError: naming the option; there is nothing to do, or the first picture cannot be used.
            NotAllowedError: this caller may not name that folder.
            BusyError: too many batches are on their way, or the program is stopping.
        """
        work = batch_work(template, options, sent, self.folders, caller, save=save, saving=self.saving(), owner=owner)
        return self.engine.batch(work)


def stand_in() -> Picture:
    """A picture that stands in for each of those to come."""
    return Picture.of(Image.new("RGB", (STAND_IN, STAND_IN)))


def templated(fields: Mapping[str, Any]) -> GenerationRequest:
    """The request of fields that name no picture: another one stands in for it.

    Raises:
        ValidationError: they are no request.
    """
    task = {"kind": "img2img", **(fields.get("task") or {})}
    blank = stand_in()
    if task["kind"] == "upscale":
        task = {"images": (blank,), **task}
    else:
        task = {"image": blank, **task}
        if isinstance(inpainting := task.get("inpainting"), Mapping):
            task["inpainting"] = {"mask": Mask.of(Image.new("L", (STAND_IN, STAND_IN), 255)), **inpainting}
    return GenerationRequest.model_validate({**fields, "task": task})

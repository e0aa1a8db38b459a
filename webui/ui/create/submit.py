"""Generate: the form becomes a job, and nothing is waited for. How it goes on is told by the page's event stream."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr
from gradio.components import Component

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.fields import rounded_side
from webui.domain.hires import Hires
from webui.domain.images import Picture, safe_open
from webui.domain.parameters.table import HIRES
from webui.domain.request import GenerationRequest, Txt2Img
from webui.domain.visitor import owner_of
from webui.engine.batch_door import BatchDoor
from webui.engine.folder_access import Caller
from webui.output.parse import parse, read_fields
from webui.ui.create import batch_section, saying
from webui.ui.create.creation import CreateForm, Values
from webui.ui.create.form import validated
from webui.ui.create.plan_start import start_plan

if TYPE_CHECKING:
    from webui.engine.engine import Engine


PLAN = "experiment."  # begins the fields of a plan


@dataclass(frozen=True, slots=True)
class Submission:
    """The handlers of the button Generate and of its menu.

    Attributes:
        plan: a box for the plan of an experiment as JSON; "" in it means a picture of the form.
    """

    engine: "Engine"
    create: CreateForm
    saves: Callable[[], bool]
    plan: Component | None = None
    batches: BatchDoor | None = None

    @property
    def components(self) -> list[Component]:
        """What an event needs as `inputs` for `submit`."""
        return [*self.create.components, *([self.plan] if self.plan is not None else [])]

    async def submit(self, values: Values, sender: gr.Request | None = None) -> str:
        """Queue what the form shows. Returns what is to be said: that it was sent, or what is wrong."""
        owner = owner_of(sender)
        plan = str(values.get(self.plan) or "") if self.plan is not None else ""
        try:
            if self.create.asks_for_batch(values):
                return await asyncio.to_thread(self._begin_batch, values, owner, batch_section.caller_of(sender))
            request = await asyncio.to_thread(self.create.read, values, owner)
            job_id = await asyncio.to_thread(self._start, plan, request, owner)
        except WebuiError as error:
            return self.told(error)
        return saying.sent(job_id)

    def _start(self, plan: str, request: GenerationRequest, owner: str) -> str:
        if plan:
            return start_plan(self.engine, plan, request, save=self.saves(), owner=owner)
        return self.engine.submit(request, save=self.saves(), owner=owner).id

    def _begin_batch(self, values: Values, owner: str, caller: Caller) -> str:
        if self.batches is None or self.create.batch is None:
            raise BadRequestError("batch", "cannot be done here")
        options, sent = batch_section.read(values[self.create.batch.pictures])
        has_masks = bool(options.mask_folder or sent.masks)
        template = self.create.template(values, owner, has_masks=has_masks)
        job = self.batches.start(template, options, sent, caller, save=self.saves(), owner=owner)
        return saying.sent(job.id)

    async def enlarge(self, values: Values, picture: str, text: str, sender: gr.Request | None = None) -> str:
        """Queue hires fix on a picture that is there, with the options that the form shows. Answers as `submit` does.

        Args:
            picture: its id.
            text: its generation parameters, for the seeds.
        """
        owner = owner_of(sender)
        try:
            request = await asyncio.to_thread(self._enlarging, values, picture, text, owner)
            job = await asyncio.to_thread(self.engine.submit, request, save=self.saves(), owner=owner)
        except WebuiError as error:
            return self.told(error)
        return saying.sent(job.id)

    def _enlarging(self, values: Values, picture: str, text: str, owner: str) -> GenerationRequest:
        switch = self.create.form.controls[f"{HIRES}.enabled"]
        request = self.create.read({**values, self.create.mode: "txt2img", switch: True})
        first_pass = _opened(self.create.find_picture(picture, owner))
        made = read_fields(parse(text)).request
        hires = request.task.hires if isinstance(request.task, Txt2Img) else Hires(enabled=True)
        task = Txt2Img(hires=hires, first_pass=first_pass)
        size = {"width": rounded_side(first_pass.width), "height": rounded_side(first_pass.height)}
        one = {"task": task, "seed": made.seed, "subseed": made.subseed, "batch_size": 1, "n_iter": 1}
        return validated({**dict(request), **one, **size})

    def told(self, error: WebuiError) -> str:
        """The error in the words of the page, with the control that it is about."""
        if not isinstance(error, BadRequestError):
            return saying.error(str(error))
        if error.field.startswith(PLAN):
            return saying.error(error.message, error.field.replace(".", "_"))  # cards of axes are named so
        control = self.create.form.controls.get(error.field)
        if control is None:
            where = "" if error.field == "request" else f"{error.field.capitalize()}: "
            return saying.error(where + error.message)
        return saying.error(f"{control.label or error.field}: {error.message}", str(control.elem_id))


def _opened(file: Path | bytes) -> Picture:
    try:
        return Picture.of(safe_open(file))
    except ValueError as error:
        raise BadRequestError("picture", str(error)) from None

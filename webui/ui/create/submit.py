"""Generate: the form becomes a job, and nothing is waited for. How it goes on is told by the page's event stream."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from webui.domain.errors import BadRequestError, WebuiError
from webui.ui.create import saying
from webui.ui.create.creation import CreateForm, Values
from webui.ui.generate import owner_of

if TYPE_CHECKING:
    from webui.engine.engine import Engine


@dataclass(frozen=True, slots=True)
class Submission:
    """The handler of the button Generate."""

    engine: "Engine"
    create: CreateForm
    save_images: bool

    async def submit(self, values: Values, sender: gr.Request | None = None) -> str:
        """Queue what the form shows. Returns what is to be said: that it was sent, or what is wrong."""
        owner = owner_of(sender)
        try:
            request = await asyncio.to_thread(self.create.read, values, owner)
            job = await asyncio.to_thread(self.engine.submit, request, save=self.save_images, owner=owner)
        except WebuiError as error:
            return self.told(error)
        return saying.sent(job.id)

    def told(self, error: WebuiError) -> str:
        """The error in the words of the page, with the control that it is about."""
        if not isinstance(error, BadRequestError):
            return saying.error(str(error))
        control = self.create.form.controls.get(error.field)
        if control is None:
            where = "" if error.field == "request" else f"{error.field.capitalize()}: "
            return saying.error(where + error.message)
        return saying.error(f"{control.label or error.field}: {error.message}", str(control.elem_id))

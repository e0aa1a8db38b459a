"""The page's side of installing: source, plan, confirmation, and a row of buttons for each extension. The decisions are
made in `webui/installing`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.installing.installation import Apply, Installation, InstallJob, InstallWork, PlanInstall, PlanUpdate
from webui.installing.live import InstallDoor
from webui.installing.permission import NotAllowedError
from webui.installing.plans import TRUST
from webui.ui import markup
from webui.ui.events import bind, bind_load, bind_stop

if TYPE_CHECKING:
    from webui.engine.engine import Engine

AFTERWARDS = (
    "A new worker loads it as soon as the job in work has ended; its form is on this page from the next start of the "
    "program."
)

FRAME = 0.2  # least seconds between two updates of a running job

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The controls that handlers change, in this order."""

    plan: gr.HTML
    token: gr.State
    status: gr.HTML
    listed: gr.State
    confirm: gr.Row
    job: gr.State

    @property
    def outputs(self) -> list[Component | gr.Row]:
        return [self.plan, self.token, self.status, self.listed, self.confirm, self.job]


def draw(engine: "Engine", door: InstallDoor) -> gr.HTML:
    """Draw the part of the tab Extensions that changes files, inside the caller's Blocks.

    Returns: where it says what was done; it changes with every change of what is installed.
    """
    panel = _Panel(engine, door)
    accordion = gr.Accordion("Install an extension", open=False, elem_id="extensions_install")
    with accordion, gr.Row(elem_classes="tight"):
        source = gr.Textbox(
            label="Source", placeholder="https address of a git repository, or a zip or folder on this machine",
            elem_id="extensions_source", scale=3,
        )  # fmt: skip
        ref = gr.Textbox(label="Branch, tag or commit", elem_id="extensions_ref", scale=1)
        look = gr.Button("Plan", elem_id="extensions_plan", scale=0, min_width=120)
        stop = gr.Button("Stop", elem_id="extensions_stop", scale=0, min_width=120)
    plan, token, status = gr.HTML(elem_id="extensions_planned"), gr.State(""), gr.HTML(elem_id="extensions_done")
    with gr.Row(elem_classes="tight", visible=False) as confirm:
        name = gr.Textbox(label="Its name, to confirm", elem_id="extensions_confirm", scale=1)
        go = gr.Button("Install", variant="primary", elem_id="extensions_apply", scale=0, min_width=120)
        drop = gr.Button("Discard", elem_id="extensions_discard", scale=0, min_width=120)
    fields = _Fields(plan, token, status, gr.State([]), confirm, gr.State(""))
    bind(look.click, panel.plan, [source, ref], fields.outputs)
    bind(go.click, panel.apply, [fields.token, name], fields.outputs)
    bind_stop(stop, panel.stop, fields.job, plan, "Stopping …")
    bind(drop.click, panel.discard, [fields.token], fields.outputs)
    bind_load(panel.start, [fields.listed, fields.confirm])
    _draw_rows(panel, fields, name)
    return status


def _draw_rows(panel: "_Panel", fields: _Fields, name: gr.Textbox) -> None:
    @gr.render(inputs=[fields.listed], queue=False)  # type: ignore[untyped-decorator]  # Gradio has no types
    def rows(names: Sequence[str]) -> None:
        for one in names:
            with gr.Row(elem_classes="tight", elem_id=f"extension_row_{one}"):
                gr.HTML(markup.installed(one, panel.told(one)), elem_id=f"extension_{one}_installed")
                update = gr.Button("Update", elem_id=f"extension_{one}_update", scale=0, min_width=120)
                back = gr.Button("Roll back", elem_id=f"extension_{one}_rollback", scale=0, min_width=120)
                remove = gr.Button("Remove", elem_id=f"extension_{one}_remove", scale=0, min_width=120)
            bind(update.click, panel.updating(one), None, fields.outputs)
            bind(back.click, panel.rolling_back(one), [name], fields.outputs)
            bind(remove.click, panel.removing(one), [name], fields.outputs)


Answer = tuple[Any, Any, Any, Any, Any, str]  # for `_Fields.outputs`


class _Panel:
    """The handlers. Each returns values for all of `_Fields`, after checking whether the caller may install."""

    def __init__(self, engine: "Engine", door: InstallDoor) -> None:
        self._engine = engine
        self._catalog = engine.extensions
        self._door = door
        self._installer = door.installer
        self._kind = Installation(door.installer)

    def start(self) -> tuple[list[str], dict[str, Any]]:
        """What is installed, and can be updated or removed, when the page is loaded."""
        _, _, _, names, confirm, _ = self._answer()
        return names, confirm

    def _answer(self, plan: str | dict[str, Any] = "", token: str = "", status: str = "") -> Answer:
        """The values for all of `_Fields`. The field for confirming is visible while there is something to confirm."""
        names = self._names()
        return plan, token, status, names, gr.update(visible=bool(token or names)), ""

    def _names(self) -> list[str]:
        try:
            return list(self._installer.records())
        except WebuiError as error:
            log.warning("%s", error)
            return []

    def told(self, name: str) -> str:
        """One line about an installed extension."""
        record = self._installer.records().get(name)
        if record is None or record.now is None:
            return "is gone"
        info: ExtensionInfo | None = self._catalog.get(name)
        now = record.now
        parts = [now.version, f"from {now.source}", now.ref, now.commit[:12], info.state if info else "", record.note]
        return " · ".join(filter(None, parts))

    async def plan(self, source: str, ref: str, request: gr.Request) -> AsyncIterator[Answer]:
        async for answer in self._planned(request, PlanInstall(source or "", (ref or "").strip())):
            yield answer

    def updating(self, name: str) -> Callable[[gr.Request], AsyncIterator[Answer]]:
        async def plan(request: gr.Request) -> AsyncIterator[Answer]:
            async for answer in self._planned(request, PlanUpdate(name)):
                yield answer

        return plan

    async def apply(self, token: str, typed: str, request: gr.Request) -> AsyncIterator[Answer]:
        """After a refusal that leaves the plan as it was, it is still shown."""
        try:
            self._check(request)
            plan = await asyncio.to_thread(self._installer.planned, token)
            _confirm(plan.manifest.name, typed)
            job = await self._started(Apply(token))
            async for answer in self._on_its_way(job):
                yield answer
            await job.wait()
        except (_UnconfirmedError, NotAllowedError) as error:
            yield self._answer(gr.skip(), token, markup.message("error", str(error)))
        except WebuiError as error:
            yield self._answer(status=markup.message("error", str(error)))
        else:
            text = f"{plan.manifest.name} {plan.entry.version} is installed. {AFTERWARDS}"
            yield self._answer(status=markup.message("done", text))

    def stop(self, job_id: str | None) -> str:
        """Stop what is being planned or installed; returns a sentence where there is nothing."""
        job = self._engine.find(job_id, self._kind) if job_id else None
        if job is None or job.ended:
            return markup.message("notice", "Nothing is running.")
        job.cancel()
        return ""

    def discard(self, token: str, request: gr.Request) -> Answer:
        def work() -> str:
            self._installer.discard(token)
            return "Nothing was changed."

        return self._changed(request, work, token)

    def rolling_back(self, name: str) -> Callable[[str, gr.Request], Answer]:
        def back(typed: str, request: gr.Request) -> Answer:
            def work() -> str:
                _confirm(name, typed)
                return f"{name} is at version {self._installer.roll_back(name).version} again. {AFTERWARDS}"

            return self._changed(request, work, "")

        return back

    def removing(self, name: str) -> Callable[[str, gr.Request], Answer]:
        def remove(typed: str, request: gr.Request) -> Answer:
            def work() -> str:
                _confirm(name, typed)
                unneeded = self._installer.remove(name)
                more = f" Packages that were installed for it stay: {', '.join(unneeded)}." if unneeded else ""
                return f"{name} is removed.{more}"

            return self._changed(request, work, "")

        return remove

    async def _planned(self, request: gr.Request, work: InstallWork) -> AsyncIterator[Answer]:
        try:
            self._check(request)
            job = await self._started(work)
            async for answer in self._on_its_way(job):
                yield answer
            plan = (await job.wait()).plan
        except WebuiError as error:
            yield self._answer(status=markup.message("error", str(error)))
            return
        if plan is None:
            yield self._answer(status=markup.message("done", "It is up to date."))
        else:
            shown = markup.plan(plan.rows(), f"{TRUST} To install it, write its name below.")
            yield self._answer(shown, plan.token)

    async def _started(self, work: InstallWork) -> InstallJob:
        return await asyncio.to_thread(self._engine.start, self._kind, work)

    async def _on_its_way(self, job: InstallJob) -> AsyncIterator[Answer]:
        """Show the present step in the place of the plan, until the job has ended."""
        nothing = gr.skip()
        async for now in job.changes(every=FRAME):
            if not now.ended:
                bar = markup.share_bar(0.0, now.progress.text or "…")
                yield bar, nothing, nothing, nothing, nothing, job.id

    def _changed(self, request: gr.Request, work: Callable[[], str], token: str) -> Answer:
        try:
            self._check(request)
            text = work()
        except (_UnconfirmedError, NotAllowedError) as error:
            return self._answer(gr.skip(), token, markup.message("error", str(error)))
        except WebuiError as error:
            return self._answer(status=markup.message("error", str(error)))
        return self._answer(status=markup.message("done", text))

    def _check(self, request: gr.Request) -> None:
        client = request.client.host if request.client else ""
        self._door.permission.check(client, {name.lower(): value for name, value in request.headers.items()})


class _UnconfirmedError(WebuiError):
    """The user has not typed the name."""


def _confirm(name: str, typed: str) -> None:
    if (typed or "").strip() != name:
        raise _UnconfirmedError(f"write the name {name} into the field to confirm")

"""The page's side of installing: source, plan, confirmation, and a row of buttons for each extension. No decisions."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.installing.live import InstallDoor
from webui.installing.permission import NotAllowedError
from webui.installing.plans import TRUST, Plan
from webui.plugins.catalog import Catalog
from webui.ui import markup
from webui.ui.events import bind, bind_load

AFTERWARDS = (
    "A new worker loads it as soon as the job in work has ended; its form is on this page from the next start of the "
    "program."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The controls that handlers write to, in this order."""

    plan: gr.HTML
    token: gr.State
    status: gr.HTML
    listed: gr.State
    confirm: gr.Row

    @property
    def outputs(self) -> list[Component | gr.Row]:
        return [self.plan, self.token, self.status, self.listed, self.confirm]


def draw(catalog: Catalog, door: InstallDoor) -> gr.HTML:
    """Draw the part of the tab Extensions that changes files, inside the caller's Blocks.

    Returns: where it says what was done; it changes with every change of what is installed.
    """
    panel = _Panel(catalog, door)
    accordion = gr.Accordion("Install an extension", open=False, elem_id="extensions_install")
    with accordion, gr.Row(elem_classes="tight"):
        source = gr.Textbox(
            label="Source", placeholder="https address of a git repository, or a zip or folder on this machine",
            elem_id="extensions_source", scale=3,
        )  # fmt: skip
        ref = gr.Textbox(label="Branch, tag or commit", elem_id="extensions_ref", scale=1)
        look = gr.Button("Plan", elem_id="extensions_plan", scale=0, min_width=120)
    plan, token, status = gr.HTML(elem_id="extensions_planned"), gr.State(""), gr.HTML(elem_id="extensions_done")
    with gr.Row(elem_classes="tight", visible=False) as confirm:
        name = gr.Textbox(label="Its name, to confirm", elem_id="extensions_confirm", scale=1)
        go = gr.Button("Install", variant="primary", elem_id="extensions_apply", scale=0, min_width=120)
        drop = gr.Button("Discard", elem_id="extensions_discard", scale=0, min_width=120)
    fields = _Fields(plan, token, status, gr.State([]), confirm)
    # packages are looked up and fetched for minutes, longer than some browsers wait for one answer: through the queue
    bind(look.click, panel.plan, [source, ref], fields.outputs, queue=True)
    bind(go.click, panel.apply, [fields.token, name], fields.outputs, queue=True)
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
            bind(update.click, panel.updating(one), None, fields.outputs, queue=True)
            bind(back.click, panel.rolling_back(one), [name], fields.outputs)
            bind(remove.click, panel.removing(one), [name], fields.outputs)


Answer = tuple[str | dict[str, Any], str, str, list[str], dict[str, Any]]  # for `_Fields.outputs`


class _Panel:
    """The handlers. Each answers for all of `_Fields`; every one looks first whether the caller may."""

    def __init__(self, catalog: Catalog, door: InstallDoor) -> None:
        self._catalog = catalog
        self._door = door
        self._installer = door.installer

    def start(self) -> tuple[list[str], dict[str, Any]]:
        """What is installed, and can be updated or removed, when the page is loaded."""
        *_, names, confirm = self._answer()
        return names, confirm

    def _answer(self, plan: str | dict[str, Any] = "", token: str = "", status: str = "") -> Answer:
        """The field for confirming is there while there is something to confirm."""
        names = self._names()
        return plan, token, status, names, gr.update(visible=bool(token or names))

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

    def plan(self, source: str, ref: str, request: gr.Request) -> Answer:
        return self._planned(request, lambda: self._installer.plan_install(source or "", (ref or "").strip()))

    def updating(self, name: str) -> Callable[[gr.Request], Answer]:
        def plan(request: gr.Request) -> Answer:
            return self._planned(request, lambda: self._installer.plan_update(name))

        return plan

    def apply(self, token: str, typed: str, request: gr.Request) -> Answer:
        def work() -> str:
            plan = self._installer.planned(token)
            _confirm(plan.manifest.name, typed)
            entry = self._installer.apply(token)
            return f"{plan.manifest.name} {entry.version} is installed. {AFTERWARDS}"

        return self._changed(request, work, token)

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

    def _planned(self, request: gr.Request, work: Callable[[], Plan | None]) -> Answer:
        try:
            self._check(request)
            plan = work()
        except WebuiError as error:
            return self._answer(status=markup.message("error", str(error)))
        if plan is None:
            return self._answer(status=markup.message("done", "It is up to date."))
        shown = markup.plan(plan.rows(), f"{TRUST} To install it, write its name below.")
        return self._answer(shown, plan.token)

    def _changed(self, request: gr.Request, work: Callable[[], str], token: str) -> Answer:
        """After a refusal that leaves the plan as it was, it is still shown."""
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
    """The name was not written."""


def _confirm(name: str, typed: str) -> None:
    if (typed or "").strip() != name:
        raise _UnconfirmedError(f"write the name {name} into the field to confirm")

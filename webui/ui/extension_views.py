"""The page's side of extensions: accordions in txt2img, a tab for each action, and the list with its switches."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.domain.extensions import ActionInfo, ActionOutcome, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.installing.live import InstallDoor
from webui.library.files import FOLDERS
from webui.ui import extension_forms, installing, markup
from webui.ui.album import Album
from webui.ui.events import bind, bind_load, bind_stop
from webui.ui.extension_forms import Names, OptionsForm

if TYPE_CHECKING:
    from webui.engine.acting import ActionJob
    from webui.engine.engine import Engine

FRAME = 0.2  # least seconds between two updates of a running action
Updates = dict[Block, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accordion:
    """The options of one extension among the controls of a generation."""

    info: ExtensionInfo
    used: gr.Checkbox
    form: OptionsForm


@dataclass(frozen=True, slots=True)
class Accordions:
    """All accordions. A request names the extensions whose box "Use" is ticked."""

    entries: tuple[Accordion, ...] = ()

    @property
    def components(self) -> list[Component]:
        return [component for one in self.entries for component in (one.used, *one.form.components)]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(one.info.name for one in self.entries)

    def read(self, values: Mapping[Component, Any]) -> dict[str, dict[str, Any]]:
        """Options by extension. Raises BadRequestError naming the field."""
        return {
            one.info.name: one.form.read(values, f"extensions.{one.info.name}")
            for one in self.entries
            if values[one.used]
        }

    def show(self, request: GenerationRequest) -> Updates:
        """Updates that make the accordions show a request."""
        updates: Updates = {}
        for one in self.entries:
            options = request.extensions.get(one.info.name)
            updates[one.used] = options is not None
            updates |= one.form.show(options or {})
        return updates


def draw_accordions(infos: Sequence[ExtensionInfo], prefix: str, names: Names) -> Accordions:
    """Draw one accordion for each extension that takes options; `prefix` ("txt2img") begins the element ids."""
    entries = []
    for info in infos:
        if info.state != "ok" or info.options is None:
            continue
        elem_id = f"{prefix}_{info.name}"
        with gr.Accordion(info.title, open=False, elem_id=elem_id):
            used = gr.Checkbox(False, label="Use", info=info.description, elem_id=f"{elem_id}_use")
            entries.append(Accordion(info, used, extension_forms.draw(info.options, elem_id, names)))
    return Accordions(tuple(entries))


def names_of(engine: "Engine") -> Names:
    """Lists the usable files of a kind; nothing for kinds that are not there."""

    def names(kind: str) -> Sequence[str]:
        known = next((one for one in FOLDERS if one == kind), None)
        return [file.name for file in engine.library.files(known) if file.usable] if known else ()

    return names


def draw_tabs(engine: "Engine", album: Album, door: InstallDoor | None = None) -> None:
    """Draw the list of extensions and a tab for each action that is not light, inside the caller's Tabs."""
    with gr.Tab("Installed", id="extensions_installed"):
        look, shown = _draw_list(engine, door)
        if door is not None:
            done: Any = installing.draw(engine, door)
            bind(done.change, look, None, shown)
    for info in engine.extensions.infos:
        for action in info.actions if info.state == "ok" else ():
            if not action.light:
                with gr.Tab(action.title, id=f"{info.name}_{action.name}", elem_id=f"tab_{info.name}_{action.name}"):
                    _draw_action(engine, album, info, action)


@dataclass(frozen=True, slots=True)
class _ActionTab:
    """The handlers of an action's tab."""

    engine: "Engine"
    album: Album
    info: ExtensionInfo
    action: ActionInfo
    form: OptionsForm
    bar: gr.HTML
    status: gr.HTML
    gallery: gr.Gallery
    job: gr.State

    @property
    def outputs(self) -> list[Component]:
        return [self.bar, self.status, self.gallery, self.job]

    async def run(self, values: Mapping[Component, Any]) -> AsyncIterator[Updates]:
        """Start the action and follow it to its end."""
        try:
            options = self.form.read(values, "")
            job = await asyncio.to_thread(self.engine.act, self.info.name, self.action.name, options)
            yield {self.job: job.id, self.status: ""}
            async for updates in self._follow(job):
                yield updates
            made = await job.wait()
            yield await asyncio.to_thread(self._done, made)
        except WebuiError as error:
            yield {self.bar: "", self.status: markup.message("error", str(error).lstrip("."))}
        except Exception as error:
            log.exception("action %s of %s", self.action.name, self.info.name)
            text = f"{self.info.name}: {type(error).__name__}: {error}"
            yield {self.bar: "", self.status: markup.message("error", text)}

    async def _follow(self, job: "ActionJob") -> AsyncIterator[Updates]:
        last = ""
        async for now in job.changes(every=FRAME):
            if now.ended:
                return
            waits = now.state == "queued"
            bar = (
                markup.queued_bar(now.position) if waits else markup.share_bar(now.progress.fraction, now.progress.text)
            )
            if bar != last:
                yield {self.bar: bar}
            last = bar

    def _done(self, made: ActionOutcome) -> Updates:
        lines = [made.text, *made.files]
        if made.data is not None and not made.text:
            lines.append(json.dumps(made.data, ensure_ascii=False)[:4000])
        text = "\n".join(filter(None, lines)) or "Done."
        files = [str(self.album.add_picture(image)) for image in made.images]
        return {self.bar: "", self.status: markup.message("done", text), self.gallery: gr.update(value=files)}

    def cancel(self, job_id: str | None) -> str:
        """Stop this tab's action; returns a sentence where there is none."""
        job = self.engine.action(job_id) if job_id else None
        if job is None or job.ended:
            return markup.message("notice", "Nothing is running.")
        job.cancel()
        return ""


def _is_on(info: ExtensionInfo) -> bool:
    """Whether it is used, or would be if it could; ticking one that was set aside uses it again."""
    return info.state not in ("disabled", "aside")


def _draw_action(engine: "Engine", album: Album, info: ExtensionInfo, action: ActionInfo) -> None:
    elem_id = f"{info.name}_{action.name}"
    with gr.Row():
        with gr.Column(min_width=320):
            form = extension_forms.draw(action.schema, elem_id, names_of(engine))
            with gr.Row(elem_classes="tight"):
                run = gr.Button(action.title, variant="primary", elem_id=f"{elem_id}_run")
                cancel = gr.Button("Cancel", elem_id=f"{elem_id}_cancel")
        with gr.Column(min_width=320):
            status, bar = gr.HTML(elem_id=f"{elem_id}_status"), gr.HTML(elem_id=f"{elem_id}_progress")
            gallery = gr.Gallery(
                label="Pictures", show_label=False, elem_id=f"{elem_id}_gallery", columns=2, interactive=False,
                object_fit="contain", format="png",
            )  # fmt: skip
    tab = _ActionTab(engine, album, info, action, form, bar, status, gallery, gr.State(""))
    bind(run.click, tab.run, {tab.job, *form.components}, tab.outputs, preprocess=False)
    bind_stop(cancel, tab.cancel, tab.job, status, "Stopping …")


def _draw_list(engine: "Engine", door: InstallDoor | None) -> tuple[Callable[[], tuple[str, Any]], list[Component]]:
    """Draw the list and its switches. Returns the handler that reads the list again, and the components it fills."""
    catalog = engine.extensions
    listed = gr.HTML(elem_id="extensions_list")
    chosen = gr.CheckboxGroup([], label="Switched on", elem_id="extensions_on")
    with gr.Row(elem_classes="tight"):
        save = gr.Button("Save", variant="primary", elem_id="extensions_save", scale=0, min_width=120)
        again = gr.Button("↻ Look again", elem_id="extensions_refresh", scale=0, min_width=170)
    status = gr.HTML(elem_id="extensions_status")

    def look() -> tuple[str, Any]:
        names = [info.name for info in catalog.infos]
        on = [info.name for info in catalog.infos if _is_on(info)]
        return markup.extensions(catalog.infos), gr.update(choices=names, value=on)

    def switch(wanted: list[str] | None) -> str:
        try:
            for info in catalog.infos:
                on = info.name in (wanted or ())
                if on == _is_on(info):
                    continue
                if door is not None:
                    door.live.switch(info.name, on=on)
                else:
                    catalog.switch(info.name, on=on)
        except WebuiError as error:
            return markup.message("error", str(error))
        when = "from the next start of the program" if door is None else "for the jobs after the one in work"
        return markup.message("done", f"Saved. It counts {when}.")

    bind(save.click, switch, [chosen], [status])
    bind(again.click, look, None, [listed, chosen])
    bind_load(look, [listed, chosen])
    return look, [listed, chosen]

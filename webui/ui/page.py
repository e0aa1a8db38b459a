"""The page: `build` draws each part into its place in the frame and connects the parts with one another."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.installing.live import InstallDoor
from webui.prompt.style_file import StyleFile
from webui.ui import (
    cards,
    extension_views,
    extras_tab,
    frame,
    own_size,
    paste,
    quicksettings,
    style_editor,
    tokens,
    txt2img,
)
from webui.ui.album import Album
from webui.ui.create import connecting, dock, keeping, saying, stage, starting
from webui.ui.create.creation import CreateForm
from webui.ui.create.filling import Filling, Updates
from webui.ui.create.settings_pane import Group
from webui.ui.create.submit import Submission
from webui.ui.events import bind
from webui.ui.extension_views import names_of
from webui.ui.generate import Results, Runner
from webui.ui.layout import Pen
from webui.ui.own import own
from webui.ui.uploads import Page

if TYPE_CHECKING:
    from webui.engine.engine import Engine

DAY = 24 * 60 * 60  # seconds


def build(
    engine: "Engine",
    *,
    temp_dir: Path,
    save_images: bool = True,
    embed_parameters: bool = True,
    styles: StyleFile | None = None,
    installing: InstallDoor | None = None,
    quick: Sequence[str] = quicksettings.QUICK,
) -> gr.Blocks:
    """Build the page. Its controls start at the engine's starting values, again on every load.

    Args:
        engine: submits jobs; its library fills the model lists.
        temp_dir: the private folder of the pictures that are shown, inside Gradio's upload folder (see `mount`).
        save_images: whether pictures are saved to the outputs folder.
        embed_parameters: whether pictures that are not saved carry their generation text.
        styles: the saved styles; None: there are none, and none can be saved.
        installing: how extensions are installed; None: not on this page.
        quick: the paths of the fields in the header; the checkpoint is always among them.
    """
    starting_values = own_size.starting(engine)[0]
    pen = Pen(starting_values)
    with Page(title="Stable Diffusion", analytics_enabled=False, fill_width=True, delete_cache=(DAY, DAY)) as page:
        frame.header()
        quick = quicksettings.usable(quick)
        refresh = quicksettings.draw(pen, engine, quick)
        with frame.tabs() as tabs:
            with frame.tab("txt2img"):
                made = _draw_form(pen, styles, engine)
            frame.tab("img2img")
            frame.tab("inpaint")
            form = pen.form()
            filling = Filling(engine, form)
            with frame.tab("extras"):
                upscalers = extras_tab.draw(
                    engine, temp_dir / "shown", save_images=save_images, embed_parameters=embed_parameters
                )
            frame.tab("image_browser")
            frame.tab("modelmerger")
            with frame.tab("pnginfo"), gr.Tabs(elem_classes="subtabs"), gr.Tab("PNG Info", id="png_info"):
                paste.draw_pnginfo(filling, tabs)
            album = Album(temp_dir / "shown", embed_parameters)
            with frame.tab("extensions"), gr.Tabs(elem_classes="subtabs"):
                extension_views.draw_tabs(engine, album, installing)
            with frame.tab("settings"):
                own("settings", elem_id="settings")
        pane, said, tools = made.pane, made.pane.said, made.pane.tools
        kept = keeping.kept(form, [tools.transparency], quick)
        create = CreateForm(form, made.mode, made.canvas, tools.transparency, tools.mask_details)
        submission = Submission(engine, create, save_images)
        generated = connecting.connect(pane, submission, filling, made.dock.generate, kept)
        runner = Runner(engine, made.results, album, save_images)

        async def follow(answer: str) -> AsyncIterator[dict[Component, Any]]:
            async for updates in runner.resume(saying.job_in(answer)):
                yield updates

        bind(generated.then, follow, [said], made.results.all)
        txt2img.connect(pen, made.dock, made.results, runner)
        _connect_prompts(engine, pen, made.dock, styles)
        quicksettings.connect(pen, engine, refresh, said, quick)
        own_size.connect(pen, engine, pane.trained)

        def start() -> Updates:
            return starting.start(engine, form, kept, said, drawn=starting_values)

        saying.tell(bind(page.load, start, None, starting.outputs(form, kept, said)), said)
        bind(page.load, lambda: extras_tab.fresh_lists(engine), None, upscalers)
        bind(page.load, runner.resume, [made.results.job], made.results.all)
    blocks: gr.Blocks = page
    return blocks


@dataclass(frozen=True, slots=True)
class _Made:
    """What was drawn into the panes of the tab where pictures are made."""

    pane: connecting.Drawn
    dock: txt2img.DockButtons
    results: Results
    mode: Component
    canvas: Component


def _draw_form(pen: Pen, styles: StyleFile | None, engine: "Engine") -> _Made:
    """Draw the panes of the form, inside the caller's tab."""

    def sections(group: Group) -> bool:
        if group != "expert":
            return False
        pen.extensions = extension_views.draw_accordions(engine.extensions.infos, pen.tab, names_of(engine))
        return True

    panes = frame.panes(pen.tab)
    with panes.settings:
        pane = connecting.draw(pen, sections)
    with panes.stage:
        results = stage.draw(pen)
        canvas = gr.JSON(None, visible="hidden", elem_id="img2maskimg")
    with panes.dock:
        buttons = dock.draw(pen, styles)
        cards.draw(engine, pen.controls["checkpoint"])
    mode = gr.Textbox("txt2img", visible="hidden", interactive=True, elem_id="create_mode", label="Mode")
    return _Made(pane, buttons, results, mode, canvas)


def _connect_prompts(engine: "Engine", pen: Pen, buttons: txt2img.DockButtons, styles: StyleFile | None) -> None:
    """Connect the token counters and the editor of styles."""
    counting = tokens.Counting(engine, dict if styles is None else styles.read)
    tokens.connect(pen, buttons.counters, counting)
    tokens.connect_load(buttons.counters, counting, engine.starting_values)
    if styles is not None and buttons.styles is not None:
        style_editor.connect([buttons.styles], styles)

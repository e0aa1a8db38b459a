"""The page: `build` draws each part into its place in the frame and connects the parts with one another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr
from gradio.components import Component

from webui.domain.saving import Saving
from webui.engine.batch_door import BatchDoor
from webui.engine.folder_access import FolderAccess
from webui.installing.live import InstallDoor
from webui.installing.permission import Permission
from webui.ui import (
    extensions_tab,
    frame,
    learn_tab,
    library_tab,
    models_tab,
    own_size,
    quicksettings,
    train_tab,
    upscale_tab,
)
from webui.ui.create import canvas, connecting, dock, keeping, saying, stage, starting
from webui.ui.create.creation import CreateForm, FindPicture, no_pictures
from webui.ui.create.dock import Dock
from webui.ui.create.filling import Filling, Updates
from webui.ui.create.submit import Submission
from webui.ui.events import bind
from webui.ui.forms_of_extensions.extension_sections import SectionsDrawing
from webui.ui.gradio_build import built_once
from webui.ui.layout import Pen
from webui.ui.own import own
from webui.ui.uploads import Page

if TYPE_CHECKING:
    from webui.engine.engine import Engine

DAY = 24 * 60 * 60  # seconds


def build(
    engine: "Engine",
    *,
    saves: Callable[[], bool] = lambda: True,
    installing: InstallDoor | None = None,
    find_picture: FindPicture = no_pictures,
    first_run: bool = False,
    batches: BatchDoor | None = None,
) -> gr.Blocks:
    """Build the page. Its controls start at the engine's starting values, again on every load.

    Args:
        engine: submits jobs; its library fills the model lists.
        saves: whether pictures are saved to the outputs folder now.
        installing: how extensions are installed; None: not on this page.
        find_picture: finds a picture by the id that the page has for it, for whoever may see it.
        first_run: whether the stage tells, before the first picture, what can be painted and where models go.
        batches: begins batches of folders; None: no folder of this machine may be named but by who sits at it.
    """
    batches = batches or BatchDoor(engine, FolderAccess(tuple, Permission()), Saving)
    starting_values = own_size.starting(engine)[0]
    pen = Pen(starting_values)
    with (
        built_once(),
        Page(title="Stable Diffusion", analytics_enabled=False, fill_width=True, delete_cache=(DAY, DAY)) as page,
    ):
        frame.header()
        refresh = quicksettings.draw(pen, engine)
        with frame.tabs():
            with frame.tab("txt2img"):
                made = _draw_form(pen, engine, first_run=first_run)
            frame.tab("img2img")
            frame.tab("inpaint")
            form = pen.form()
            filling = Filling(engine, form)
            with frame.tab("extras"):
                upscale_tab.draw(engine, batches, saves=saves)
            with frame.tab("image_browser"):
                library_tab.draw()
            with frame.tab("modelmerger"):
                browser = models_tab.draw(engine)
            with frame.tab("pnginfo"):
                learn_tab.draw()
            with frame.tab("train"):
                train_tab.draw(engine)
            with frame.tab("extensions"):
                extensions_tab.draw(engine, installs=installing is not None)
            with frame.tab("settings"):
                own("settings", elem_id="settings")
        pane, said, tools = made.pane, made.pane.said, made.pane.tools
        kept = keeping.kept(form, [tools.transparency], quicksettings.QUICK)
        create = CreateForm(
            form, made.mode, made.canvas, tools.transparency, tools.mask_details, find_picture, tools.batch
        )
        submission = Submission(engine, create, saves, pane.experiment.plan, batches)
        connecting.connect(pane, submission, filling, made.dock.generate, kept)
        stage.connect(made.strip, pane.experiment.face, made.dock.generate, made.dock.interrupt, made.dock.skip)
        by_card = dock.connect(made.dock, engine, pen.controls["checkpoint"], pen.controls["vae"])
        quicksettings.connect(pen, engine, refresh, said)
        by_name = models_tab.connect(browser, engine, pen.controls["checkpoint"])
        own_size.connect(pen, engine, pane.trained, (by_card.then, by_name.then))

        def start() -> Updates:
            return starting.start(engine, form, kept, said, drawn=starting_values)

        saying.tell(bind(page.load, start, None, starting.outputs(form, kept, said)), said)
    blocks: gr.Blocks = page
    return blocks


@dataclass(frozen=True, slots=True)
class _Made:
    """What was drawn into the panes of the tab where pictures are made."""

    pane: connecting.Drawn
    dock: Dock
    strip: Component
    mode: Component
    canvas: Component


def _draw_form(pen: Pen, engine: "Engine", *, first_run: bool) -> _Made:
    """Draw the panes of the form, inside the caller's tab."""

    sections = SectionsDrawing(engine.extensions.infos, pen.tab)
    panes = frame.panes(pen.tab)
    with panes.settings:
        pane = connecting.draw(pen, sections.draw)
        pen.extensions = sections.sections
    with panes.stage:
        stage.draw(first_run=first_run)
        drawn = canvas.draw()
        stage.draw_sheet()
    with panes.strip:
        strip = stage.draw_strip()
    with panes.dock:
        buttons = dock.draw(pen)
    mode = gr.Textbox("txt2img", visible="hidden", interactive=True, elem_id="create_mode", label="Mode")
    return _Made(pane, buttons, strip, mode, drawn)

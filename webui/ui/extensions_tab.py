"""The tab Extensions: the list with its switches and plans, and the actions that are not about model files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import gradio as gr

from webui.domain.extensions import ExtensionInfo, FrameInfo
from webui.ui.forms_of_extensions.action_forms import draw_action, subtab_id
from webui.ui.forms_of_extensions.drawn_form import drawn_form
from webui.ui.models_tab import heavy_actions, works_on_models
from webui.ui.own import own

if TYPE_CHECKING:
    from webui.engine.engine import Engine


def draw(engine: "Engine", *, installs: bool) -> None:
    """Draw the tab inside the caller's gr.Tab.

    Args:
        installs: whether extensions can be installed from the page.
    """
    infos = [info for info in engine.extensions.infos if info.state == "ok"]
    frames = [(info, frame) for info in infos for frame in info.frames]
    others = [(info, action) for info, action in heavy_actions(engine) if not works_on_models(action)]
    if not others and not frames:
        _draw_list(infos, installs=installs)
        return
    with gr.Tabs(elem_classes="subtabs", elem_id="extensions_tabs", overflow_behavior="wrap"):
        with gr.Tab("Installed", id="installed", elem_id="tab_extensions_installed"):
            _draw_list(infos, installs=installs)
        for info, action in others:
            with gr.Tab(action.title, id=subtab_id(info, action), elem_id=subtab_id(info, action)):
                draw_action(info, action)
        for info, frame in frames:
            place = f"tab_{info.name}_frame_{frame.name}"
            with gr.Tab(frame.title, id=place, elem_id=place):
                _draw_frame(info, frame)


def _draw_list(infos: Sequence[ExtensionInfo], *, installs: bool) -> None:
    forms = {
        info.name: drawn_form(info.settings, extension=info.name, title=info.title, actions=info.actions).as_json()
        for info in infos
        if info.settings is not None
    }
    own("extensions_list", elem_id="extensions", elem_classes="fills", installs=installs, settings=forms)


def _draw_frame(info: ExtensionInfo, frame: FrameInfo) -> None:
    """What an extension draws itself; its script is fetched when its tab is opened."""
    own(
        "extension_frame",
        elem_id=f"{info.name}_{frame.name}",
        elem_classes="fills",
        extension=info.name,
        frame=frame.name,
        title=frame.title,
        owner=info.title,
        actions=[action.name for action in info.actions if action.light],
        sees_prompts=frame.sees_prompts,
    )

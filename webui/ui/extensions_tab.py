"""The tab Extensions: the list with its switches and plans, and the actions that are not about model files."""

from typing import TYPE_CHECKING

import gradio as gr

from webui.ui.forms_of_extensions.action_forms import draw_action, subtab_id
from webui.ui.models_tab import heavy_actions, works_on_models
from webui.ui.own import own

if TYPE_CHECKING:
    from webui.engine.engine import Engine


def draw(engine: "Engine", *, installs: bool) -> None:
    """Draw the tab inside the caller's gr.Tab.

    Args:
        installs: whether extensions can be installed from the page.
    """
    others = [(info, action) for info, action in heavy_actions(engine) if not works_on_models(action)]
    if not others:
        own("extensions_list", elem_id="extensions", elem_classes="fills", installs=installs)
        return
    with gr.Tabs(elem_classes="subtabs", elem_id="extensions_tabs", overflow_behavior="wrap"):
        with gr.Tab("Installed", id="installed", elem_id="tab_extensions_installed"):
            own("extensions_list", elem_id="extensions", elem_classes="fills", installs=installs)
        for info, action in others:
            with gr.Tab(action.title, id=subtab_id(info, action), elem_id=subtab_id(info, action)):
                draw_action(info, action)

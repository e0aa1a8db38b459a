"""The form of an action of an extension, as `action_form.js` draws and runs it by the page's own routes."""

import gradio as gr

from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.ui.forms_of_extensions.drawn_form import DrawnForm, drawn_form
from webui.ui.own import own

LARGE = frozenset({"cards", "bars"})  # controls for which a form gets the width of the page


def form_id(info: ExtensionInfo, action: ActionInfo) -> str:
    """The element id of an action's form."""
    return f"{info.name}_{action.name}"


def subtab_id(info: ExtensionInfo, action: ActionInfo) -> str:
    """The element id of the tab that holds it."""
    return f"tab_{form_id(info, action)}"


def form_of_action(info: ExtensionInfo, action: ActionInfo) -> DrawnForm:
    """The form of an action's options."""
    return drawn_form(action.schema, extension=info.name, title=action.title, actions=info.actions)


def draw_action(info: ExtensionInfo, action: ActionInfo) -> gr.HTML:
    """Draw the form inside the caller's Blocks."""
    form = form_of_action(info, action)
    return own(
        "action_form",
        elem_id=form_id(info, action),
        elem_classes="fills",
        form=form.as_json(),
        place=form_id(info, action),
        action=action.name,
        is_wide=any(field.control in LARGE for field in form.fields),
        tried=list((info.options or {}).get("properties", {})),
        extension_title=info.title,
    )

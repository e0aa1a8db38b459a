"""The tab Models: every model file as a card, and the actions of extensions that work on such files."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.extension_api.hints import KEY
from webui.library.files import FOLDERS
from webui.ui import model_choices
from webui.ui.events import bind
from webui.ui.forms_of_extensions.action_forms import draw_action, form_id, subtab_id
from webui.ui.own import own

if TYPE_CHECKING:
    from webui.engine.engine import Engine

KINDS = (
    ("checkpoint", "Checkpoints"), ("lora", "LoRA"), ("embedding", "Embeddings"), ("vae", "VAE"),
    ("controlnet", "ControlNet"), ("upscaler", "Upscalers"), ("hypernetwork", "Hypernetworks"),
)  # fmt: skip


def draw(engine: "Engine") -> gr.HTML:
    """Draw the tab inside the caller's gr.Tab. Returns the browser, for `connect`."""
    actions = [(info, action) for info, action in heavy_actions(engine) if works_on_models(action)]
    mixing = next(((info, action) for info, action in actions if action.schema.get("form", {}).get("tries")), None)
    mixes = {"tab": subtab_id(*mixing), "form": form_id(*mixing)} if mixing else None
    kinds = [(kind, label, f"models/{FOLDERS[kind][0]}") for kind, label in KINDS]  # type: ignore[index]
    with gr.Tabs(elem_classes="subtabs", elem_id="models_tabs", overflow_behavior="wrap"):
        with gr.Tab("Browse", id="browse", elem_id="tab_models_browse"):
            browser = own(
                "models_browser", {}, elem_id="models_browser", elem_classes="fills", events=["use"], kinds=kinds,
                mixes=mixes,
            )  # fmt: skip
        for info, action in actions:
            with gr.Tab(action.title, id=subtab_id(info, action), elem_id=subtab_id(info, action)):
                draw_action(info, action)
    return browser


def connect(browser: gr.HTML, engine: "Engine", checkpoint: Component) -> Any:
    """Let "Use it" choose a checkpoint, also one that was just made; it is remembered at once.

    Returns:
        The event after which it is chosen.
    """

    def use(value: Any) -> Any:
        library = engine.library
        library.refresh()
        wanted = str(value.get("name", "")) if isinstance(value, Mapping) else ""
        choices = model_choices.checkpoint_choices(library)
        if wanted not in [name for _, name in choices]:
            return gr.skip()
        engine.change_starting_values({"checkpoint": wanted})
        return gr.update(choices=choices, value=wanted)

    chosen: Any = browser
    return bind(chosen.use, use, [browser], [checkpoint])


def heavy_actions(engine: "Engine") -> Iterator[tuple[ExtensionInfo, ActionInfo]]:
    """The actions that have a form here: those that are not light and ask for no tab, of extensions that work."""
    for info in engine.extensions.infos:
        for action in info.actions if info.state == "ok" else ():
            if not action.light and not tab_of(action):
                yield info, action


def tab_of(action: ActionInfo) -> str:
    """The tab that an action asks for; "" for none."""
    return str(action.schema.get(KEY, {}).get("tab", ""))


def works_on_models(action: ActionInfo) -> bool:
    """Whether one of its options names a model file, or it makes one."""
    fields: Mapping[str, Any] = action.schema.get("properties", {})
    return any(isinstance(field.get("model"), str) or name == "loras" for name, field in fields.items())

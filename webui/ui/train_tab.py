"""The tab Train: a place for `static/train.js`, which shows data sets, the form of training, and its runs.

An action belongs here when its form asks for the tab `train` (`form_hint`); what else the tab asks are light actions of
the same extension, by the names in `docs/extending.md`.
"""

from typing import TYPE_CHECKING, Any

from webui.domain.extensions import ActionInfo, ExtensionInfo
from webui.ui.forms_of_extensions.action_forms import form_of_action
from webui.ui.models_tab import tab_of
from webui.ui.own import own

if TYPE_CHECKING:
    from webui.engine.engine import Engine

TAB = "train"
CAPTIONER = "captioner"  # the kind of file that an action names which describes pictures


def draw(engine: "Engine") -> None:
    """Draw the tab inside the caller's gr.Tab."""
    own("train", elem_id="train", elem_classes="fills", **props_of(engine.extensions.infos))


def props_of(infos: tuple[ExtensionInfo, ...]) -> dict[str, Any]:
    """What the script is told: `training` with the form, `describing` with the names of two fields.

    Each is None where no extension has such an action.
    """
    working = [(info, action) for info in infos if info.state == "ok" for action in info.actions if not action.light]
    training = next(((info, action) for info, action in working if tab_of(action) == TAB), None)
    describing = next((told for info, action in working if (told := _describing(info, action))), None)
    return {"training": _training(*training) if training else None, "describing": describing}


def _training(info: ExtensionInfo, action: ActionInfo) -> dict[str, Any]:
    form = form_of_action(info, action).as_json()
    lights = {other.name: list(other.schema.get("properties", {})) for other in info.actions if other.light}
    return {"extension": info.name, "action": action.name, "form": form, "asks": lights}


def _describing(info: ExtensionInfo, action: ActionInfo) -> dict[str, str] | None:
    """An action with a field for a picture and one for the file that describes it; None for another action."""
    fields: dict[str, Any] = dict(action.schema.get("properties", {}))
    model = next((name for name, one in fields.items() if one.get("model") == CAPTIONER), None)
    picture = next((name for name, one in fields.items() if one.get("contentEncoding") == "base64"), None)
    if model is None or picture is None:
        return None
    return {"extension": info.name, "action": action.name, "field": picture, "model": model}

"""The dial from exact to fastest: a place for `static/quality_dial.js`, which shows what was measured on this machine.

An action belongs here when its form names a light action that tells the stops (`form_hint(dial=...)`).
"""

from collections.abc import Iterable
from typing import Any

from webui.domain.extensions import ExtensionInfo
from webui.extension_api.hints import KEY
from webui.ui.own import own


def draw(infos: Iterable[ExtensionInfo]) -> bool:
    """Draw the dial inside the caller's container; False where no extension has one."""
    props = props_of(infos)
    if props is not None:
        own("quality_dial", elem_id="quality_dial", **props)
    return props is not None


def props_of(infos: Iterable[ExtensionInfo]) -> dict[str, Any] | None:
    """What the script is told: the extension, its action that measures, and the one that tells the stops."""
    for info in infos:
        for action in info.actions if info.state == "ok" else ():
            dial = action.schema.get(KEY, {}).get("dial")
            if dial:
                return {"extension": info.name, "action": action.name, "dial": dial}
    return None

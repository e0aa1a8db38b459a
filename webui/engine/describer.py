"""Which extension describes pictures in words: the one with an action `interrogate`.

Its options are `image` (base64) and `model` among others, its data has the text as `caption`.
"""

from webui.domain.extensions import ActionOutcome
from webui.plugins.catalog import Catalog

ACTION = "interrogate"


def describer_of(extensions: Catalog) -> str | None:
    """The name of the first that works; None where there is none."""
    infos = (info for info in extensions.infos if info.state == "ok")
    return next((info.name for info in infos if any(one.name == ACTION for one in info.actions)), None)


def caption_of(made: ActionOutcome) -> str:
    """The description in what the action has made."""
    told = made.data.get("caption") if isinstance(made.data, dict) else None
    return told if isinstance(told, str) else made.text

"""Training: its actions. The other modules do the work."""

from webui.extension_api import Action, hookimpl

from .data_set_actions import data_set_actions


@hookimpl
def actions() -> list[Action]:
    """Everything that the tab Train asks."""
    return [*data_set_actions()]

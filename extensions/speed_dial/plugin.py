"""The action that measures approximations. Needs no torch until it runs."""

from webui.extension_api import Action, ActionContext, ActionResult, hookimpl

from .options import MeasureOptions


@hookimpl
def actions() -> list[Action]:
    """The one action."""
    return [Action("measure", "Measure approximations", MeasureOptions, _measure)]


def _measure(options: MeasureOptions, context: ActionContext) -> ActionResult:
    from .measuring import measure

    return measure(options, context)

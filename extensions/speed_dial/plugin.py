"""The action that measures approximations, and the dial of what it found. Needs no torch until it runs."""

from webui.extension_api import Action, ActionContext, ActionResult, hookimpl

from .options import MeasureOptions, NoOptions


@hookimpl
def actions() -> list[Action]:
    """Measuring, and what the page draws the dial of."""
    return [
        Action("measure", "Measure approximations", MeasureOptions, _measure),
        Action("dial", "The dial of speed and exactness", NoOptions, _dial, light=True),
    ]


def _measure(options: MeasureOptions, context: ActionContext) -> ActionResult:
    from .measuring import measure

    return measure(options, context)


def _dial(options: NoOptions, context: ActionContext) -> ActionResult:
    from .kept_result import dial_of, kept
    from .ways import PREPARING, alone, machine_of, stops, ways

    machine, usual = machine_of(context.device), MeasureOptions()
    found = kept(context.data_dir, machine.name)
    rounds = usual.rounds if context.device.type == "cuda" else 1  # where a picture takes long, once has to do
    pictures = PREPARING + len(ways(usual, machine)) * rounds
    return ActionResult(data=dial_of(stops(machine), tuple(alone(usual, machine)), found, (pictures, rounds)))

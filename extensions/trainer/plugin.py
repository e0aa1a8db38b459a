"""Training, as actions. The other modules do the work; those that load torch are imported when they are needed."""

from webui.extension_api import Action, ActionContext, ActionResult, hookimpl

from .data_set_actions import data_set_actions
from .kept_runs import SamplesOptions, kept_run, kept_samples
from .options import NoOptions, RunOptions, TrainOptions
from .run_folders import known_run


@hookimpl
def actions() -> list[Action]:
    """Training, and what a page lists beside it."""
    return [
        Action("train", "Train", TrainOptions, _train, gives_way=True),
        Action("runs", "Runs of training", NoOptions, _runs, light=True),
        Action("run", "A run as it was left", RunOptions, kept_run, light=True),
        Action("run_samples", "Samples of a run", SamplesOptions, kept_samples, light=True),
        Action("remove_run", "Remove a run", RunOptions, _remove, light=True),
        *data_set_actions(),
    ]


def _train(options: TrainOptions, context: ActionContext) -> ActionResult:
    from .training import train

    return train(options, context)


def _runs(options: NoOptions, context: ActionContext) -> ActionResult:
    from .run_folders import listed_runs

    rows = listed_runs(context)
    return ActionResult(f"{len(rows)} runs", data=rows)


def _remove(options: RunOptions, context: ActionContext) -> ActionResult:
    known_run(context, options.run).remove()
    return ActionResult(f"Removed the run {options.run}.", data=None)

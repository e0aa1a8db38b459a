"""Begins the experiment that a plan of the page describes."""

from typing import TYPE_CHECKING

from webui.domain.request import GenerationRequest
from webui.experiments.plans import started

if TYPE_CHECKING:
    from webui.engine.engine import Engine


def start_plan(engine: "Engine", plan: str, request: GenerationRequest, *, save: bool, owner: str) -> str:
    """Put it into the queue, and give the id of its job.

    Args:
        plan: JSON, as `static/experiment_plan.js` makes it.

    Raises:
        BadRequestError: it cannot be carried out; the field is that of the plan (`experiment.axes.1`).
        WebuiError: too much is on its way.
    """
    experiment = started(plan, request, engine.surroundings(), engine.plots.scripts())
    return engine.experiment(experiment, save=save, owner=owner).id

"""The process that is killed while it makes a plot: it begins one where there is none, and ends with it."""

import json
import time
from pathlib import Path

from tests.crash.server import engine_on
from webui.domain.request import GenerationRequest
from webui.experiments.plans import started
from webui.experiments.script import Surroundings

CELLS = 12
AXES = ({"id": "seed", "values": "1-6"}, {"id": "cfg_scale", "values": "5, 7"})


def main(folder: str, *_: str) -> None:
    """Make the plot."""
    engine = engine_on(Path(folder))
    if not engine.plots.all():
        request = GenerationRequest(prompt="a plot", steps=4, width=64, height=64, checkpoint="tiny")
        plan = json.dumps({"kind": "xyz", "axes": AXES, "legend": False})
        engine.experiment(started(plan, request, Surroundings()), save=True)
    while any(plot.state == "running" for plot in engine.plots.all()):
        for job in engine.queue.jobs():
            if job.state == "held":
                engine.queue.retry(job)
        time.sleep(0.02)
    engine.close()

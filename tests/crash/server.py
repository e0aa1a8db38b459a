"""The process that is killed: the engine on its data folder, with real files, a real database and a real worker.

It sends what of its jobs it has not sent yet, tries again what is held (and writes down that it had to), and ends when
all have ended.
"""

import time
from functools import partial
from pathlib import Path

from tests.engine_bench import Library
from webui.domain.request import GenerationRequest
from webui.domain.saving import Saving
from webui.domain.settings import BackSettings
from webui.engine.engine import Engine
from webui.executors.local import LocalExecutor
from webui.jobs.store import JobStore
from webui.output.store import ImageStore

DATABASE = "webui.sqlite3"
HELD = "held"  # a line for each time that a job was found held: its id, then why
PICTURES = 3  # of each job


def request_of(number: int) -> GenerationRequest:
    """What a job asks for; every second one leaves its seed to chance."""
    seed = 1000 * (number + 1) if number % 2 else -1
    return GenerationRequest(
        prompt=f"job {number}", seed=seed, n_iter=PICTURES, steps=4, width=64, height=64, checkpoint="tiny"
    )


def engine_on(folder: Path) -> Engine:
    """The engine, which takes up what an earlier run left."""
    return Engine(
        partial(LocalExecutor, BackSettings(data_dir=folder), factory="tests.crash.quick_back:build"),
        Library(folder / "models"),  # type: ignore[arg-type]
        JobStore(folder / DATABASE),
        ImageStore(folder / "outputs", Saving(folder_pattern="")),
        data_dir=folder,
        max_queue=1000,
        writes_beside=True,
    )


def main(place: str, jobs: str) -> None:
    """Do all jobs."""
    folder = Path(place)
    engine = engine_on(folder)
    for number in range(int(jobs)):
        if engine.queue.record(f"job-{number}") is None:
            engine.submit(request_of(number), save=True, job_id=f"job-{number}", owner=f"owner {number % 3}")
    while engine.queue.jobs():
        for job in engine.queue.jobs():
            if job.state == "held":
                with (folder / HELD).open("a") as file:
                    file.write(f"{job.id} {job.status.reason}\n")
                engine.queue.retry(job)
        if engine.queue.reason:
            engine.queue.resume()
        time.sleep(0.02)
    engine.close()

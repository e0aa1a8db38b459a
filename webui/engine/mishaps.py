"""What becomes of a job during which a worker, or the whole program, has ended. The one place that decides that."""

from dataclasses import dataclass

from webui.domain.errors import WebuiError, WorkerDiedError
from webui.jobs.job import AnyJob

DEATHS = 2  # so many workers ended during a job that got no further in between, and it is held
DEATHS_WITH_CULPRIT = 4  # the same where an extension is to blame: after its second death the job goes on without it
BREAKS = 5  # so many times the program did, which is seldom the job's doing
DELAYS = (0.5, 3.0)  # seconds before a job is tried again: after a picture was made, and where none was


@dataclass(frozen=True, slots=True)
class TryAgain:
    """It goes on at its first missing picture, after so many seconds; others have their turn meanwhile."""

    after: float


@dataclass(frozen=True, slots=True)
class Hold:
    """It is not begun before somebody says so."""

    reason: str


def after_death(job: AnyJob, error: WebuiError, *, made_before: int) -> TryAgain | Hold:
    """A worker ended while it did this job, and this is counted.

    Args:
        made_before: how many pictures the job had when this worker got it.
    """
    job.deaths += 1
    has_culprit = isinstance(error, WorkerDiedError) and bool(error.culprit)
    if job.deaths >= (DEATHS_WITH_CULPRIT if has_culprit else DEATHS):
        return Hold(
            f"{job.deaths} workers ended during this job without {job.kind.advance}, the last one so: {error} "
            "Try it again, change it, or delete it."
        )
    return TryAgain(DELAYS[0] if len(job.images) > made_before else DELAYS[1])


def after_break(job: AnyJob) -> Hold | None:
    """The program ended while it did this job, and this is counted; None where it just goes on."""
    job.breaks += 1
    if job.breaks < BREAKS:
        return None
    return Hold(
        f"the program ended {job.breaks} times during this job without {job.kind.advance}. "
        "Try it again, change it, or delete it."
    )

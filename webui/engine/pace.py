"""How long a step takes with each checkpoint, judged by the jobs that ended last."""

from collections.abc import Iterable, Mapping
from statistics import median

from webui.engine.generating import GenerationJob

LAST = 20  # jobs of each checkpoint
MEGA = 1e6


def paces_of(jobs: Iterable[GenerationJob]) -> Mapping[str, float]:
    """Seconds for one step of one megapixel, by checkpoint: the median of its last jobs.

    Args:
        jobs: that came to a result, the newest first.
    """
    found: dict[str, list[float]] = {}
    for job in jobs:
        now, effort = job.status, job.kind.effort(job.work)
        if job.work.task.kind == "upscale" or now.worked is None or now.ended_at is None or now.interrupted:
            continue
        own = found.setdefault(job.work.checkpoint, [])
        share = 1 - now.worked_from
        if len(own) < LAST and effort * share > 0:
            own.append((now.ended_at - now.worked) * MEGA / (effort * share))
    return {checkpoint: median(values) for checkpoint, values in found.items() if values}

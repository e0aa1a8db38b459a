"""Jobs as rows of the page's list: what is said of each, and how far it is. Pure functions of a job and its status."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from PIL import Image

from webui.api.page.messages import CellTold, JobProgressed, JobRow, MemoryFacts, RowState, picture_urls
from webui.domain.extensions import ActionCall, ActionProgress
from webui.domain.images import Picture
from webui.domain.memory_state import MemoryState
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import GenerationResult, JobState, Progress
from webui.domain.upscale import Upscale
from webui.engine.batching import BatchResult, BatchWork
from webui.engine.cell_ledger import CellChange
from webui.engine.experimenting import ExperimentWork
from webui.engine.one_by_one import ExperimentProgress
from webui.executors.protocol import BackWork
from webui.experiments.course import Place
from webui.jobs.job import AnyJob, JobStatus

AnyStatus = JobStatus[Any, Any]

LONGEST_TITLE = 300  # characters
LONGEST_REASON = 2000
MOST_NOTICES = 20
_OPTION = re.compile(r"extensions\.(\w+)\.(?:\w+\.(\d+)\.)?[\w.]+: ")  # an extension's option as errors name it
STATES: Mapping[JobState, RowState] = MappingProxyType(
    {
        "queued": "waiting",
        "running": "running",
        "held": "held",
        "done": "done",
        "cancelled": "stopped",
        "failed": "failed",
    }
)


def row_of(job: AnyJob, now: AnyStatus, *, forever: bool, title: str = "") -> JobRow:
    """The row of a job as it stands, not marked as anybody's own.

    Args:
        now: its status at that moment.
        forever: see `JobRow`.
        title: what an action is called.
    """
    if isinstance(job.work, ExperimentWork):
        return _experiment_row(job, job.work, now)
    indices = [image.index for image in now.images] or list(now.forgotten)
    if not indices and now.result is not None:  # an action's pictures have no indices of their own
        indices = list(range(len(job.kind.pictures(now.result))))
    return JobRow(
        id=job.id,
        kind=kind_of(job.work),
        title=(title or _prompt(job.work))[:LONGEST_TITLE],
        facts=_facts(job.work),
        state="stopped" if now.interrupted else STATES[now.state],
        mine=False,
        position=now.position if now.state == "queued" else None,
        reason=_reason(now)[:LONGEST_REASON],
        pictures=_done(job.work, now, len(indices)),
        expected=_expected(job.work, now.progress),
        thumb=_thumb(job, indices),
        created=job.created,
        forever=forever,
        notices=_notices(now),
        extras=len(extras_of(now)),
    )


def _experiment_row(job: AnyJob, work: ExperimentWork, now: AnyStatus) -> JobRow:
    """The row of an experiment; its pictures are those of the jobs that are parts of it."""
    progress: ExperimentProgress = now.progress
    origin = work.experiment.origin
    prompt = _prompt(origin.request) if origin is not None else ""
    latest = next((one for one in reversed(progress.changes) if one.state == "there"), None)
    return JobRow(
        id=job.id, kind="experiment", title=(prompt or work.experiment.title)[:LONGEST_TITLE],
        facts=f"{work.experiment.title} · {work.experiment.count}",
        state="stopped" if now.interrupted else STATES[now.state], mine=False, position=None,
        reason=_reason(now)[:LONGEST_REASON], pictures=progress.done, expected=progress.count,
        thumb=picture_of_cell(work, latest)["thumb"] if latest is not None else None,
        created=job.created, forever=False, notices=_notices(now), plot=work.plot or None,
    )  # fmt: skip


def cell_told(job_id: str, work: ExperimentWork, change: CellChange) -> CellTold:
    """What has become of a cell, for the stream."""
    return CellTold(
        job=job_id, plot=work.plot or None, at=change.at, state=change.state,
        infotext=change.infotext, error=change.error[:LONGEST_REASON], **picture_of_cell(work, change),
    )  # fmt: skip


def picture_of_cell(work: ExperimentWork, change: CellChange) -> dict[str, str | None]:
    """The addresses of a cell's picture, as fields of `CellTold`."""
    if change.state != "there":
        return {"picture": None, "thumb": None}
    if work.plot and not work.experiment.saves_cells:
        return kept_cell_urls(work.plot, change.at)
    urls = picture_urls(change.job, change.position)
    return {"picture": urls["url"], "thumb": urls["thumb"]}


def kept_cell_urls(plot_id: str, at: Place) -> dict[str, str | None]:
    """The addresses of the picture of a cell that only its plot keeps."""
    url = f"internal/page/plots/{plot_id}/cells/{'/'.join(map(str, at))}"
    return {"picture": url, "thumb": f"{url}/thumb"}


def _notices(now: AnyStatus) -> tuple[str, ...]:
    return tuple(f"{notice.source}: {notice.text}"[:LONGEST_REASON] for notice in now.notices[:MOST_NOTICES])


def plain_reason(reason: str, title_of: Callable[[str], str]) -> str:
    """A job's error for people: an option of an extension is called by the extension's title, a unit by its number.

    Args:
        title_of: the title of an extension by its name.
    """
    found = _OPTION.match(reason)
    if found is None:
        return reason
    name, unit = found.groups()
    place = title_of(name) if unit is None else f"{title_of(name)}, unit {int(unit) + 1}"
    return f"{place}: {reason[found.end() :]}"


def extras_of(now: AnyStatus) -> Sequence[Image.Image]:
    """Pictures that extensions made beside those of a job."""
    return now.result.extras if isinstance(now.result, GenerationResult) else ()


def progress_of(job: AnyJob, now: AnyStatus, preview: str | None) -> JobProgressed:
    """How far a running job is; `preview` is the address of its latest estimate."""
    left, progress = job.eta(), now.progress
    if isinstance(progress, ActionProgress):
        return JobProgressed(
            id=job.id, fraction=progress.fraction, step=progress.done, steps=progress.total,
            phase=progress.text[:LONGEST_TITLE], image=0, images=0, seconds_left=left, preview=preview,
        )  # fmt: skip
    if isinstance(progress, ExperimentProgress):
        return JobProgressed(
            id=job.id, fraction=progress.fraction, step=progress.cell.step, steps=progress.cell.steps,
            phase=progress.cell.phase, image=min(progress.count, progress.done + 1), images=progress.count,
            seconds_left=left, preview=None if isinstance(job.work, BatchWork) else preview,
        )  # fmt: skip
    at = progress if isinstance(progress, Progress) else Progress()
    images = _expected(job.work, at)
    size = job.work.batch_size if isinstance(job.work, GenerationRequest) else 1
    return JobProgressed(
        id=job.id, fraction=at.fraction, step=at.step, steps=at.steps, phase=at.phase,
        image=min(images, at.batch * size + 1), images=images, seconds_left=left, preview=preview,
        memory=None if at.memory is None else memory_facts(at.memory), network=at.network,
    )  # fmt: skip


def memory_facts(state: MemoryState) -> MemoryFacts:
    """What the page shows of the memory of a device."""
    there = tuple(one.name for one in state.networks if one.loaded)
    return MemoryFacts(
        device=state.device,
        used=state.used,
        budget=state.budget,
        needs=state.needs,
        moved=state.moved,
        networks=there,
    )


def kind_of(work: object) -> str:
    """The word for a kind of work; see `JobRow`."""
    if isinstance(work, ExperimentWork):
        return "experiment"
    if isinstance(work, ActionCall):
        return work.action
    if isinstance(work, BatchWork):
        return "batch"
    if not isinstance(work, GenerationRequest):
        return ""
    if isinstance(work.task, Upscale):
        return "extras"
    if isinstance(work.task, Img2Img) and (work.task.inpainting or work.task.outpainting):
        return "inpaint"
    return work.task.kind


def source_of(work: object) -> Picture | None:
    """The picture that a piece of work starts from; None where it starts from none."""
    match getattr(work, "task", None):
        case Img2Img(image=picture):
            return picture
        case Upscale(images=pictures):
            return pictures[0]
        case Txt2Img(first_pass=picture):
            return picture
    return None


def source_url(job_id: str) -> str:
    """The address of the picture that a job starts from, made small."""
    return f"internal/page/jobs/{job_id}/source/thumb"


def _prompt(work: object) -> str:
    if isinstance(work, BatchWork):
        return work.title
    if isinstance(work, BackWork):
        return work.describe()
    return " ".join(work.prompt.split()) if isinstance(work, GenerationRequest) else ""


def _facts(work: object) -> str:
    if not isinstance(work, GenerationRequest):
        return ""
    if isinstance(work.task, Upscale):
        task, first = work.task, work.task.images[0]
        return f"{first.width} × {first.height} · {f'×{task.scale:g}' if task.mode == 'by' else task.upscaler}"
    return f"{work.width} × {work.height} · {work.steps} steps"


def _done(work: object, now: AnyStatus, pictures: int) -> int:
    """How many pictures a job has, or of how many a batch has seen to it that they are done."""
    if not isinstance(work, BatchWork):
        return pictures
    if isinstance(now.result, BatchResult):
        return now.result.made
    return now.progress.done if isinstance(now.progress, ExperimentProgress) else 0


def _expected(work: object, progress: object) -> int:
    """How many pictures a job makes: an extension may plan others than its request says."""
    if isinstance(work, BatchWork):
        return len(work.pictures)
    if not isinstance(work, GenerationRequest):
        return 0
    if isinstance(progress, Progress) and progress.images:
        return progress.images
    return len(work.task.images) if isinstance(work.task, Upscale) else work.images


def _reason(now: AnyStatus) -> str:
    return now.error_text if now.state == "failed" or not now.ended else ""


def _thumb(job: AnyJob, indices: list[int]) -> str | None:
    if indices:
        thumb: str = picture_urls(job.id, indices[-1])["thumb"]
        return thumb
    return source_url(job.id) if source_of(job.work) is not None else None

"""The kind of job that does an action of an extension: it ends with the program, and its files are found at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from PIL import Image

from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress
from webui.domain.result import Notice
from webui.jobs.job import Job
from webui.jobs.kind import JobKind, Worked

ActionJob = Job[ActionCall, ActionProgress, ActionOutcome]


class ActionOfExtension(JobKind[ActionCall, ActionProgress, ActionOutcome]):
    """Light, or giving way to others, where the extension says so."""

    name = "action"
    kept = 30
    progress_type = ActionProgress
    result_type = ActionOutcome

    def __init__(self, look_again: Callable[[], None]) -> None:
        """`look_again` reads the model folders anew, after files were made there."""
        self._look_again = look_again

    def title(self, work: ActionCall) -> str:
        return f"{work.action} of {work.extension}"

    def is_light(self, work: ActionCall) -> bool:
        return work.light

    def gives_way(self, work: ActionCall) -> bool:
        return work.gives_way

    def rest(self, work: ActionCall, result: ActionOutcome) -> ActionCall | None:
        return None if result.again is None else replace(work, options=result.again)

    def finish(self, job: Worked[ActionCall], result: ActionOutcome) -> ActionOutcome:
        if result.files:
            self._look_again()
        return result

    def with_notices(self, result: ActionOutcome, notices: tuple[Notice, ...]) -> ActionOutcome:
        return replace(result, notices=notices)

    def pictures(self, result: ActionOutcome) -> Sequence[Image.Image]:
        return result.images

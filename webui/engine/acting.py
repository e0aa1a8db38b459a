"""The kind of job that does an action of an extension.

It ends with the worker or the program, unless the action has said how it goes on; its files are found at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from PIL import Image
from pydantic import JsonValue, TypeAdapter, ValidationError

from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress
from webui.domain.result import Notice
from webui.jobs.job import Job
from webui.jobs.kind import JobKind, Worked

ActionJob = Job[ActionCall, ActionProgress, ActionOutcome]


_CALLS = TypeAdapter(ActionCall)


class ActionOfExtension(JobKind[ActionCall, ActionProgress, ActionOutcome]):
    """Light, or giving way to others, where the extension says so."""

    name = "action"
    kept = 30
    stored = True
    waited_for = False
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

    def is_stored(self, work: ActionCall) -> bool:
        return work.place is not None

    def is_repeatable(self, work: ActionCall) -> bool:
        return work.place is not None

    def reached(self, work: ActionCall, options: Mapping[str, JsonValue], place: int) -> ActionCall | None:
        return replace(work, options=dict(options), place=place)

    def write(self, work: ActionCall) -> str:
        return _CALLS.dump_json(work).decode()

    def read(self, text: str) -> ActionCall | None:
        try:
            return _CALLS.validate_json(text)
        except ValidationError:
            return None

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

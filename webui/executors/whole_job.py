"""A job that one lane of a pool does from its beginning to its end: an action, or what has no batches."""

from dataclasses import dataclass, replace

from webui.domain.request import GenerationRequest
from webui.executors.protocol import Continuation, JobEvent, Work, is_light


@dataclass(slots=True)
class WholeJob:
    """A job in work.

    Attributes:
        name, lane: how the lane that has it calls it, and its number; "" and -1 while nobody has it.
        finishing: whether it is to end after its first batch.
    """

    id: str
    work: Work
    name: str = ""
    lane: int = -1
    finishing: bool = False

    @property
    def is_light(self) -> bool:
        """Whether it waits for nobody."""
        return is_light(self.work)

    @property
    def is_unsent(self) -> bool:
        """Whether no lane has it."""
        return not self.name

    @property
    def has_lane(self) -> bool:
        return not self.is_unsent

    @property
    def checkpoint(self) -> str:
        """What it needs to be loaded; "" where nobody knows."""
        request = self.work.request if isinstance(self.work, Continuation) else self.work
        return request.checkpoint if isinstance(request, GenerationRequest) else ""

    def batch_for(self, lane: int, others: int) -> int | None:
        """A number where it waits for a lane, as `SplitJob.batch_for`."""
        return 0 if self.is_unsent else None

    def sent(self, name: str, lane: int) -> None:
        """A lane has got it, under this name."""
        self.name, self.lane = name, lane

    def unsent(self) -> None:
        """The lane has given it back unbegun."""
        self.name, self.lane = "", -1

    def own(self, event: JobEvent) -> JobEvent:
        """What the lane tells, as an event of the job."""
        return replace(event, job_id=self.id)

"""What the caller of the pipeline hands in: how it hears of progress and stops the work, and its share of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from webui.domain.planned_image import SettledPlan
from webui.domain.recording import RecordedPart
from webui.domain.result import GeneratedImage, Progress


class Reporter(Protocol):
    """Gets progress, images and what extensions record, and says whether to stop.

    `stopped` is called between steps. "" means go on, "skip" end this batch, "interrupt" end the job. `finishing` is
    asked between batches: whether no further one is to be begun.
    """

    def progress(self, progress: Progress) -> None: ...
    def image(self, image: GeneratedImage) -> None: ...
    def recorded(self, part: RecordedPart) -> None: ...
    def stopped(self) -> str: ...
    def finishing(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a job that one call makes where several devices make it: its first batch that is not there yet.

    Attributes:
        plan: what another process has drawn for the whole job; None: this call draws it.
        tell: is given what was drawn, before the work on the batch begins.
    """

    plan: SettledPlan | None
    tell: Callable[[SettledPlan], None]

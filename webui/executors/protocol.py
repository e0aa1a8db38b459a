"""The one door between the front (engine, no torch) and a back that makes images, in this process or another.

Only plain data crosses it. An executor runs jobs in the order it gets them, one at a time, and reports through
events; control messages (cancel, skip) are heard while a job runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Progress
from webui.executors.config import WorkerConfig


@dataclass(frozen=True, slots=True)
class Ready:
    """A new back is there and has these extensions, those that could not be loaded among them."""

    extensions: tuple[ExtensionInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The job's turn has come."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the job is: `Progress` of a generation, `ActionProgress` of an action."""

    job_id: str
    progress: Progress | ActionProgress


@dataclass(frozen=True, slots=True)
class ImageMade:
    """Sent as soon as an image is decoded, so that it is saved whatever happens later."""

    job_id: str
    image: GeneratedImage


@dataclass(frozen=True, slots=True)
class Finished:
    """The job ended well (or was interrupted with images to show); the images of a `GenerationResult` are complete."""

    job_id: str
    outcome: GenerationResult | ActionOutcome


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended without images. `error` is a WebuiError for expected failures; its text is for users."""

    job_id: str
    error: Exception
    traceback: str = ""


JobEvent = Started | Progressed | ImageMade | Finished | Failed
Event = Ready | JobEvent
OnEvent = Callable[[Event], None]
Work = GenerationRequest | ActionCall  # what a job does


class Executor(Protocol):
    """Runs jobs elsewhere. Thread-safe; `on_event` (given at construction) is called from the executor's thread."""

    def submit(self, job_id: str, work: Work) -> None:
        """Take a job. Returns at once. Light actions do not wait for the jobs before them."""

    def cancel(self, job_id: str) -> None:
        """Stop this job within a step; unknown or finished jobs are ignored."""

    def skip(self, job_id: str) -> None:
        """End the batch in work and go on with the next."""

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) ahead of the next job and wait for it; raises WebuiError."""

    def renew(self, config: WorkerConfig) -> None:
        """Go on with a new back of these settings once the job in work has ended; those that wait go to it."""

    def close(self) -> None:
        """End the back; jobs not finished fail. Safe to call twice."""

"""What a back is asked beside pictures: the noise levels of a schedule, what its network says of added noise, and what
a job would need of memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from webui.domain.errors import WebuiError
from webui.domain.extensions import ActionProgress
from webui.domain.memory_outlook import MemoryOutlook
from webui.domain.noise_levels import NoiseLevels
from webui.domain.noised_picture import NoisedPicture
from webui.domain.request import GenerationRequest
from webui.executors.protocol import BackWork
from webui.jobs.kind import JobProgress


@runtime_checkable
class Studied(Protocol):
    """A back that can be asked."""

    def noise_levels(self, request: GenerationRequest) -> NoiseLevels:
        """The levels of the first pass; called beside other work. Raises WebuiError."""

    def memory_outlook(self, request: GenerationRequest) -> MemoryOutlook:
        """What a job would need of memory; called beside other work. Raises WebuiError."""

    def noised(
        self, request: GenerationRequest, report: Callable[[ActionProgress], None], stopped: Callable[[], bool]
    ) -> NoisedPicture:
        """What the network says of noise in the picture of an img2img request. Raises Cancelled, WebuiError."""


def studied(back: object) -> Studied:
    """The back as one that can be asked. Raises WebuiError."""
    if not isinstance(back, Studied):
        raise WebuiError("this back can be asked about neither noise nor memory")
    return back


@dataclass(frozen=True, slots=True)
class LevelsWork(BackWork):
    """Asks for the noise levels of a request."""

    request: GenerationRequest

    @property
    def light(self) -> bool:
        return True

    def describe(self) -> str:
        return "computing noise levels"

    def perform(self, back: object, report: Callable[[JobProgress], None], stopped: Callable[[], bool]) -> NoiseLevels:
        return studied(back).noise_levels(self.request)


@dataclass(frozen=True, slots=True)
class OutlookWork(BackWork):
    """Asks what a job of a request would need of memory."""

    request: GenerationRequest

    @property
    def light(self) -> bool:
        return True

    def describe(self) -> str:
        return "estimating memory"

    def perform(
        self, back: object, report: Callable[[JobProgress], None], stopped: Callable[[], bool]
    ) -> MemoryOutlook:
        return studied(back).memory_outlook(self.request)


@dataclass(frozen=True, slots=True)
class NoisingWork(BackWork):
    """Adds noise to the picture of an img2img request at several levels, and asks the network what was added."""

    request: GenerationRequest

    def describe(self) -> str:
        return "noising a picture"

    def perform(
        self, back: object, report: Callable[[JobProgress], None], stopped: Callable[[], bool]
    ) -> NoisedPicture:
        return studied(back).noised(self.request, report, stopped)

"""What a back is asked that is no picture: the noise levels of a schedule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from webui.domain.errors import WebuiError
from webui.domain.noise_levels import NoiseLevels
from webui.domain.request import GenerationRequest
from webui.executors.protocol import BackWork
from webui.jobs.kind import JobProgress


@runtime_checkable
class Studied(Protocol):
    """A back that can be asked."""

    def noise_levels(self, request: GenerationRequest) -> NoiseLevels:
        """The levels of the first pass; called beside other work. Raises WebuiError."""


def studied(back: object) -> Studied:
    """The back as one that can be asked. Raises WebuiError."""
    if not isinstance(back, Studied):
        raise WebuiError("this back cannot be asked for noise levels")
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

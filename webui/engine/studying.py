"""Kinds of jobs that ask a back something and make no pictures to be kept."""

from dataclasses import dataclass, replace

from webui.domain.noise_levels import NoiseLevels
from webui.domain.result import Notice
from webui.executors.studies import LevelsWork
from webui.jobs.kind import JobKind


@dataclass(frozen=True, slots=True)
class NotBegun:
    """The progress of what is answered at once."""

    fraction: float = 0.0
    preview: bytes | None = None


class LevelsOfRequest(JobKind[LevelsWork, NotBegun, NoiseLevels]):
    """Light: what a schedule comes to is answered beside other work."""

    name = "noise levels"
    kept = 4
    progress_type = NotBegun
    result_type = NoiseLevels

    def title(self, work: LevelsWork) -> str:
        return work.describe()

    def is_light(self, work: LevelsWork) -> bool:
        return work.light

    def with_notices(self, result: NoiseLevels, notices: tuple[Notice, ...]) -> NoiseLevels:
        return replace(result, notices=notices)

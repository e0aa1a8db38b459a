"""Kinds of jobs that ask a back something and make no pictures to be kept."""

from dataclasses import dataclass, replace

from webui.domain.extensions import ActionProgress
from webui.domain.memory_outlook import MemoryOutlook
from webui.domain.noise_levels import NoiseLevels
from webui.domain.noised_picture import NoisedPicture
from webui.domain.result import Notice
from webui.executors.studies import LevelsWork, NoisingWork, OutlookWork
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


class OutlookOfRequest(JobKind[OutlookWork, NotBegun, MemoryOutlook]):
    """Light: what a job would need of memory is answered beside the job in work."""

    name = "memory outlook"
    kept = 4
    progress_type = NotBegun
    result_type = MemoryOutlook

    def title(self, work: OutlookWork) -> str:
        return work.describe()

    def is_light(self, work: OutlookWork) -> bool:
        return work.light

    def with_notices(self, result: MemoryOutlook, notices: tuple[Notice, ...]) -> MemoryOutlook:
        return replace(result, notices=notices)


class NoisingOfPicture(JobKind[NoisingWork, ActionProgress, NoisedPicture]):
    """Takes its turn among the jobs, as it uses the network; it ends with the program."""

    name = "noising"
    kept = 2
    progress_type = ActionProgress
    result_type = NoisedPicture

    def title(self, work: NoisingWork) -> str:
        return work.describe()

    def models(self, work: NoisingWork) -> str:
        return work.request.checkpoint

    def with_notices(self, result: NoisedPicture, notices: tuple[Notice, ...]) -> NoisedPicture:
        return replace(result, notices=notices)

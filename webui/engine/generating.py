"""The kind of job that makes pictures of a request: stored, its pictures saved as soon as they are made."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from pydantic import ValidationError

from webui.domain.request import GenerationRequest, Txt2Img
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.engine.keeping import PictureKeeper
from webui.engine.records import JobRecords
from webui.executors.protocol import Continuation
from webui.jobs.job import Job
from webui.jobs.kind import JobKind, Worked

SEEDS_END = 4294967294  # A1111 draws below this

GenerationJob = Job[GenerationRequest, Progress, GenerationResult]


class Generation(JobKind[GenerationRequest, Progress, GenerationResult]):
    """Images are in files and in the database before anybody is told of them, so what was shown outlives a crash."""

    name = "generation"
    kept = 100
    stored = True
    advance = "making a picture in between"
    goes_on_at = "its first missing picture"
    progress_type = Progress
    result_type = GenerationResult

    def __init__(
        self,
        keeper: PictureKeeper,
        records: JobRecords,
        check: Callable[[GenerationRequest], object],
        note_timings: Callable[[Mapping[str, float]], None] = lambda timings: None,
    ) -> None:
        """
        Args:
            check: raises WebuiError where a request cannot be carried out now.
            note_timings: is told what each finished job has taken, in seconds by phase and by `extension: hook`.
        """
        self._note_timings = note_timings
        self._keeper = keeper
        self._records = records
        self._check = check

    def title(self, work: GenerationRequest) -> str:
        return work.task.kind

    def is_repeatable(self, work: GenerationRequest) -> bool:
        return True

    def fixed(self, work: GenerationRequest) -> GenerationRequest:
        """The request with its seeds drawn, so that a job that is broken off goes on with the same."""
        drawn = {name: random.randrange(SEEDS_END) for name in ("seed", "subseed") if getattr(work, name) < 0}
        return work.with_(**drawn) if drawn and work.task.kind != "upscale" else work

    def is_same(self, asked: GenerationRequest, known: GenerationRequest) -> bool:
        if asked.task.kind == "upscale":
            return asked == known
        drawn = {name: getattr(known, name) for name in ("seed", "subseed") if getattr(asked, name) < 0}
        return (asked.with_(**drawn) if drawn else asked) == known

    def handed(self, work: GenerationRequest, made: frozenset[int]) -> object:
        return Continuation(work, made) if made else work

    def is_working(self, progress: Progress) -> bool:
        return progress.phase not in ("waiting", "loading")

    def effort(self, work: GenerationRequest) -> float:
        """Pixels times steps, of all pictures."""
        if work.task.kind == "upscale":
            return float(sum(picture.width * picture.height for picture in work.task.images))
        pixels = work.width * work.height * work.steps
        if isinstance(work.task, Txt2Img):
            pixels += work.task.hires.work(work.width, work.height, work.steps)
        return float(pixels * work.images)

    def models(self, work: GenerationRequest) -> str:
        return "" if work.task.kind == "upscale" else f"{work.checkpoint}|{work.vae}"

    def write(self, work: GenerationRequest) -> str:
        return work.model_dump_json()

    def read(self, text: str) -> GenerationRequest | None:
        try:
            return GenerationRequest.model_validate_json(text)
        except ValidationError:
            return None

    def check(self, work: GenerationRequest) -> None:
        self._check(work)

    def keep_image(self, job: Worked[GenerationRequest], image: GeneratedImage) -> GeneratedImage:
        """The image with the path of its file, where it is to be saved."""
        if job.save:
            return self._keeper.keep(job, image)
        self._records.add_image(job, image, "unsaved")
        return image

    def finish(self, job: Worked[GenerationRequest], result: GenerationResult) -> GenerationResult:
        """The result with all images of the job and the paths of their files.

        Those that were made before the job went on are put in their places; those that were not told of on the way are
        saved now.
        """
        self._note_timings(result.timings)
        known = {image.index: image for image in job.images}
        for image in result.images:
            told = known.get(image.index)
            kept = replace(image, path=told.path) if told is not None else self.keep_image(job, image)
            known[image.index] = kept
        return replace(result, images=tuple(known[index] for index in sorted(known)))

    def with_notices(self, result: GenerationResult, notices: tuple[Notice, ...]) -> GenerationResult:
        return replace(result, notices=notices)

    def images(self, result: GenerationResult) -> tuple[GeneratedImage, ...]:
        return result.images

"""A kind of job whose work is a word and which makes pictures, and jobs of it."""

from dataclasses import dataclass, field, replace

from PIL import Image

from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Notice, Progress
from webui.jobs.job import Job
from webui.jobs.kind import JobKind

REQUEST = GenerationRequest()


class Toy(JobKind[str, Progress, GenerationResult]):
    """Light where the work is the word "light"."""

    name = "toy"
    kept = 100
    progress_type = Progress
    result_type = GenerationResult

    def __init__(self, kept: int = 100) -> None:
        self.kept = kept  # type: ignore[misc]  # a class attribute elsewhere

    def title(self, work: str) -> str:
        return work

    def is_light(self, work: str) -> bool:
        return work == "light"

    def with_notices(self, result: GenerationResult, notices: tuple[Notice, ...]) -> GenerationResult:
        return replace(result, notices=notices)

    def images(self, result: GenerationResult) -> tuple[GeneratedImage, ...]:
        return result.images


TOY = Toy()
ToyJob = Job[str, Progress, GenerationResult]


@dataclass
class Control:
    """Remembers what was asked of it."""

    asked: list[str] = field(default_factory=list)

    def cancel(self, job_id: str) -> None:
        self.asked.append(f"cancel {job_id}")

    def skip(self, job_id: str) -> None:
        self.asked.append(f"skip {job_id}")

    def finish(self, job_id: str) -> None:
        self.asked.append(f"finish {job_id}")


def a_job(name: str = "a", work: str = "", kind: Toy = TOY) -> ToyJob:
    return Job(name, kind, work, Control())


def image(index: int = 0, side: int = 8, path: str = "") -> GeneratedImage:
    return GeneratedImage(Image.new("RGB", (side, side)), REQUEST, "", index, 0, path)


def result(*images: GeneratedImage) -> GenerationResult:
    return GenerationResult(REQUEST, images, ModelFacts("fake", ""))

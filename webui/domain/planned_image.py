"""What the images of a job are made of, before any work: extensions may plan others (hook `plan_images`)."""

from dataclasses import dataclass

from webui.domain.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image of a job.

    Attributes:
        prompt, negative_prompt: with their tags such as `<lora:name:1>`.
        seed, subseed: its own, drawn already; 0 to 2**64 - 1.
    """

    prompt: str
    negative_prompt: str
    seed: int
    subseed: int


@dataclass(frozen=True, slots=True)
class SettledPlan:
    """All that was drawn for a job before its first batch, so that several processes make the batches of one job.

    Attributes:
        request: as extensions left it, with its seeds drawn.
        images: every image of the job, in order.
        sizes: how many images each batch has, in the order of the batches.
    """

    request: GenerationRequest
    images: tuple[PlannedImage, ...]
    sizes: tuple[int, ...]

    def indices(self, batch: int) -> range:
        """The places in the job of the images of a batch."""
        first = sum(self.sizes[:batch])
        return range(first, first + self.sizes[batch])

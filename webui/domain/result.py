"""What comes back: images with the request that remakes each, notices, timings, and progress on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from webui.domain.memory_state import MemoryState
from webui.domain.request import GenerationRequest

JobState = Literal["queued", "running", "held", "done", "failed", "cancelled"]
ENDED: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})
Phase = Literal["waiting", "loading", "encoding", "sampling", "upscaling", "decoding", "saving"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know beside the picture; `source` is an extension's name or a room ("prompt")."""

    source: str
    text: str


STOPPED = "stopped"  # the source of notices about pictures that the user stopped on their way


def stopped_notice(index: int, step: int, steps: int) -> Notice:
    """Says of the picture at a place of its job that it was stopped after so many steps."""
    return Notice(STOPPED, f"picture {index + 1}: stopped at step {step} of {steps}")


def where_stopped(notices: Iterable[Notice], index: int) -> str:
    """What a notice says of where that picture was stopped; "" where it was made to its end."""
    start = f"picture {index + 1}: "
    told = (one.text for one in notices if one.source == STOPPED and one.text.startswith(start))
    return next(told, "").removeprefix(start)


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """One picture.

    Attributes:
        image: RGB, 8 bit.
        request: what makes this one image again (its own seed and prompt, batch of one).
        infotext: the generation parameters in A1111's form.
        index: position in the job, batch by batch.
        subseed: the variation seed of this image, also where its strength is 0.
        attachments: pictures that were asked for beside this one (an inpainting mask); not saved.
        words: what extensions add to the pattern of its file's name, by the names of the tokens.
    """

    image: Image.Image
    request: GenerationRequest
    infotext: str
    index: int
    subseed: int
    path: str = ""  # where it was saved; "" where it was not
    attachments: tuple[Image.Image, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What infotexts and API answers say of the models used."""

    checkpoint: str  # file name without folder and extension
    checkpoint_hash: str  # first 10 hex digits of sha256
    vae: str = ""  # file name with extension; "" for the baked one
    vae_hash: str = ""
    inpainting: bool = False


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """All images of a job, in order; `extras` are pictures of extensions (a detected map), shown after them."""

    request: GenerationRequest  # with everything filled in: seeds drawn, checkpoint named
    images: tuple[GeneratedImage, ...]
    model: ModelFacts
    notices: tuple[Notice, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)  # seconds by phase, and by `extension: hook`
    interrupted: bool = False
    extras: tuple[Image.Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands; sent often, so small.

    Attributes:
        step: sampling steps done in this batch; `steps` how many there are.
        batch: index of the batch now made, of `batches`.
        preview: JPEG bytes of the current estimate, or None where nothing new is to be seen.
        images: how many pictures the job makes, where it is planned already; 0: as many as its request says.
        memory: what lies on the device; None where networks do not leave it.
        network: how the network was called last ("captured 512x512", "eager: weights stream"); "" where nothing is
            done for its speed.
        beside: how much of other batches was done, out of their order, by further devices; in batches.
    """

    phase: Phase = "waiting"
    step: int = 0
    steps: int = 0
    batch: int = 0
    batches: int = 1
    preview: bytes | None = None
    images: int = 0
    memory: MemoryState | None = None
    beside: float = 0.0
    network: str = ""

    @property
    def fraction(self) -> float:
        """Share of the work done, 0..1."""
        inside = self.step / self.steps if self.steps else 0.0
        return min(1.0, max(0.0, (self.batch + inside + self.beside) / max(1, self.batches)))

"""The film of a job's steps: options and hooks. Frames are made in `frames.py`, drawn in `strip.py`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PIL import Image
from pydantic import ConfigDict, Field

from webui.extension_api import Dialect, JobContext, Options, Word, form_hint, hint, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from webui.extension_api.tensors import Step

    from .frames import Frame

KEPT = 400  # most frames of one run; DPM adaptive may make thousands of steps
FILMS = 8  # most films of one job; further batches are not filmed


class FilmOptions(Options):
    """A film is made where a request names this extension."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="{columns} steps of {side} px"))

    enabled: bool = Field(
        True,
        description="show the steps of the first image of each batch as a film",
        json_schema_extra=hint(control="master"),
    )
    side: int = Field(
        96, ge=32, le=256, description="of one small picture, in pixels", json_schema_extra=hint(unit="px")
    )
    columns: int = Field(
        20, ge=2, le=60, description="steps shown at most, spread evenly", json_schema_extra=hint(label="Steps shown")
    )


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return FilmOptions


@hookimpl
def dialect() -> Dialect:
    """The keys of infotexts."""
    return Dialect(
        infotext=(
            Word(name="Step film", asks=True, option="enabled", codec="boolean"),
            Word(name="Step film side", option="side", codec="integer"),
            Word(name="Step film columns", option="columns", codec="integer"),
        )
    )


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request asks for a film."""
    options = job.options
    if not isinstance(options, FilmOptions) or not options.enabled:
        return None
    return Filming(options, job)


class Run:
    """The frames and levels of one run of the sampler, which is one pass over one batch."""

    def __init__(self, batch: int, hires: bool) -> None:
        self.batch = batch
        self.hires = hires
        self.frames: list[Frame] = []
        self.levels: list[float] = []
        self.end = 0.0

    @property
    def place(self) -> tuple[int, bool]:
        return self.batch, self.hires

    def title(self, sampler: str) -> str:
        return f"{sampler}, batch {self.batch + 1}{', second pass' if self.hires else ''}"


class Filming:
    """Films one job."""

    def __init__(self, options: FilmOptions, job: JobContext) -> None:
        self._options = options
        self._job = job
        self._noisy: Tensor | None = None
        self._runs: list[Run] = []

    @hookimpl
    def pre_step(self, step: "Step", latents: "Tensor") -> None:
        """Remember the latents (B, C, h, w) from which the step starts."""
        place = (step.place.batch, step.place.hires)
        if not self._runs or self._runs[-1].place != place:
            self._begin(Run(*place))
        self._noisy = latents[0]

    @hookimpl
    def post_step(self, step: "Step", latents: "Tensor", denoised: "Tensor") -> None:
        """Make the step's frame of the first image."""
        run = self._runs[-1]
        if self._noisy is None or len(self._runs) > FILMS or len(run.frames) >= KEPT:
            return
        from .frames import frame  # loads torch

        form = self._job.model.latents
        run.frames.append(frame(step, self._noisy, denoised[0], form, self._options.side))
        run.levels.append(float(step.sigma))
        run.end = float(step.sigma_next)

    @hookimpl
    def image_fields(self) -> Mapping[str, str]:
        """That a film was made, which leaves the picture as it is."""
        usual, options = FilmOptions(), self._options
        sizes = {"Step film side": (options.side, usual.side), "Step film columns": (options.columns, usual.columns)}
        return {"Step film": "True"} | {key: str(own) for key, (own, plain) in sizes.items() if own != plain}

    @hookimpl
    def extra_images(self) -> Sequence[Image.Image]:
        """A strip for each run."""
        from .strip import strip

        sampler = self._job.request.sampler
        return [
            strip(_spread(run.frames, self._options.columns), [*run.levels, run.end], run.title(sampler))
            for run in self._runs[:FILMS]
            if run.frames
        ]

    def _begin(self, run: Run) -> None:
        if len(self._runs) == FILMS:
            self._job.notice(f"only the first {FILMS} runs of the sampler are shown")
        self._runs.append(run)


def _spread(frames: Sequence["Frame"], most: int) -> list["Frame"]:
    """At most `most` of the frames, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(place * (len(frames) - 1) / (most - 1))] for place in range(most)]

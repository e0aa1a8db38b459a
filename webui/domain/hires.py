"""Hires fix as a user asks for it: a second pass over the enlarged picture. Counts sizes, draws nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field, field_validator, model_validator

from webui.domain.catalog import find_schedule, may_be_sampler
from webui.domain.fields import LEAST_FIXED_STRENGTH, MAX_SIDE, SIZE_STEP, Frozen, Name, Number, Prompt

RefinerPass = Literal["first pass", "second pass", "both passes"]


@dataclass(frozen=True, slots=True)
class LatentUpscale:
    """How latents are stretched: the mode of torch's `interpolate`, and whether it filters."""

    mode: Literal["bilinear", "bicubic", "nearest", "nearest-exact"]
    antialias: bool = False


LATENT_UPSCALERS: Mapping[str, LatentUpscale] = MappingProxyType(
    {
        "Latent": LatentUpscale("bilinear"),
        "Latent (antialiased)": LatentUpscale("bilinear", antialias=True),
        "Latent (bicubic)": LatentUpscale("bicubic"),
        "Latent (bicubic antialiased)": LatentUpscale("bicubic", antialias=True),
        "Latent (nearest)": LatentUpscale("nearest"),
        "Latent (nearest-exact)": LatentUpscale("nearest-exact"),
    }
)


@dataclass(frozen=True, slots=True)
class Target:
    """The size of a second pass.

    Attributes:
        width, height: what the picture is enlarged to, in pixels.
        crop_x, crop_y: latent cells that are then cut off, half on each side.
        cell: pixels along one side of a latent cell.
    """

    width: int
    height: int
    crop_x: int = 0
    crop_y: int = 0
    cell: int = SIZE_STEP

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finished picture in pixels: whole cells, what is cut off left out."""
        cell = self.cell
        return (self.width // cell - self.crop_x) * cell, (self.height // cell - self.crop_y) * cell


class Hires(Frozen):
    """Options of the second pass. "" and 0 mean "as in the first pass"."""

    enabled: bool = False
    upscaler: Name = Field("Latent", description="a way to stretch latents, Lanczos, Nearest, or an upscaler model")
    scale: Number = Field(2.0, ge=0.05, le=16, description="factor on both sides, where no size is given below")
    resize_width: int = Field(0, ge=0, le=MAX_SIDE, description="0 with a height: the picture's own proportions")
    resize_height: int = Field(0, ge=0, le=MAX_SIDE)
    steps: int = Field(0, ge=0, le=150)
    denoising_strength: Number = Field(0.7, ge=0, le=1, description="share of the schedule that is run again")
    sampler: Name = ""
    scheduler: Name = ""
    checkpoint: Name = ""
    prompt: Prompt = ""
    negative_prompt: Prompt = ""
    cfg_scale: Number | None = Field(None, ge=0, le=100)
    extra_noise: Number = Field(0.0, ge=0, le=1, description="noise added to the start beyond the schedule's")
    refiner_pass: RefinerPass = Field("second pass", description="in which pass the refiner takes over")

    @field_validator("sampler")
    @classmethod
    def _sampler_may_exist(cls, name: str) -> str:
        if name and not may_be_sampler(name):
            raise ValueError(f"there is no sampler {name!r}; see the list of samplers")
        return name

    @field_validator("scheduler")
    @classmethod
    def _schedule_exists(cls, name: str) -> str:
        found = find_schedule(name) if name else None
        if name and found is None:
            raise ValueError(f"there is no schedule {name!r}; see the list of schedules")
        return found.label if found else ""

    @model_validator(mode="after")
    def _strong_enough(self) -> "Hires":
        if 0 < self.denoising_strength < LEAST_FIXED_STRENGTH:
            raise ValueError(f"denoising_strength must be 0 or at least {LEAST_FIXED_STRENGTH}")
        return self

    def target(self, width: int, height: int, cell: int = SIZE_STEP) -> Target:
        """The size of the second pass after a first one of width x height.

        One side given keeps the proportions; two sides are covered, and what stands out is cut off afterwards.

        Args:
            cell: pixels along one side of a latent cell of the checkpoint's family; before the checkpoint is known, the
                step that all sizes have.
        """
        wide, high = self.resize_width, self.resize_height
        if not wide and not high:
            return Target(int(width * self.scale), int(height * self.scale), cell=cell)
        if not high:
            return Target(wide, wide * height // width, cell=cell)
        if not wide:
            return Target(high * width // height, high, cell=cell)
        if width / height < wide / high:
            cover = Target(wide, wide * height // width)
        else:
            cover = Target(high * width // height, high)
        return Target(cover.width, cover.height, (cover.width - wide) // cell, (cover.height - high) // cell, cell)

    def work(self, width: int, height: int, steps: int) -> int:
        """Pixels x steps of the second pass of one image; 0 where it is off."""
        target = self.target(width, height)
        return target.width * target.height * (self.steps or steps) if self.enabled else 0

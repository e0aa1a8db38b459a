"""What an infotext is about: the request of one image, and the facts that are known of it beside the request."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from webui.domain.catalog import SCHEDULES, SamplerInfo, sampler_facts, shown_schedule
from webui.domain.hires import Hires
from webui.domain.inpainting import Inpainting
from webui.domain.request import GenerationRequest, Img2Img, Txt2Img
from webui.domain.result import ModelFacts

_BRACKETS = re.compile(r"[(\[]")
_NO_EXTRA: Mapping[str, str | dict[str, Any]] = MappingProxyType({})
_DDIM_ETA = ("DDIM", "DDIM CFG++")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoFacts:
    """What the text says beside the request.

    Attributes:
        model: names and hashes of the checkpoint and the VAE.
        subseed: the variation seed of this image.
        refiner: title of the second checkpoint, `tiny-sd1-b [fc376701cf]`; "" writes the name in the request.
        hires_checkpoint: title of the second pass's checkpoint; "" writes the name in the request.
        lora_hashes: `name: 12 hex, name2: 12 hex`; "" where no network was used. `ti_hashes`: the same for embeddings.
        extra: keys of extensions, in order; a key that is also one of the core's replaces its value in place.
            "" takes it out. Characters that keys cannot have become `_`.
        version: version of this program; "" writes no version.
        padded: whether padding changed any conditioning; only then the request's padding is written.
        blank_mask: only the masked area was to be worked on, and there was none.
    """

    model: ModelFacts
    subseed: int = 0
    refiner: str = ""
    hires_checkpoint: str = ""
    lora_hashes: str = ""
    ti_hashes: str = ""
    extra: Mapping[str, str | dict[str, Any]] = field(default_factory=lambda: _NO_EXTRA)
    version: str = ""
    padded: bool = True
    blank_mask: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """One image, as the rows of the table ask for it."""

    request: GenerationRequest
    facts: InfoFacts

    @property
    def sampler(self) -> SamplerInfo:
        """What the list of samplers says of the first pass's."""
        return sampler_facts(self.request.sampler)

    @property
    def schedule(self) -> str:
        """Label of the first pass's schedule, Automatic resolved."""
        return shown_schedule(self.request.sampler, self.request.scheduler)

    @property
    def chooses_sigmas(self) -> bool:
        """Whether the sampler follows a noise schedule that can be chosen."""
        return self.sampler.space == "sigma"

    @property
    def default_rho(self) -> float:
        """The schedule's own rho; below 0 where it has none."""
        return SCHEDULES[self.schedule].default_rho

    @property
    def eta_key(self) -> str:
        """The key of the sampler's eta."""
        return eta_key(self.sampler)

    @property
    def eta(self) -> float:
        """The eta in force."""
        noise = self.request.noise
        if noise.eta is not None:
            return noise.eta
        return noise.eta_ddim if self.eta_key == "Eta DDIM" else noise.eta_ancestral

    @property
    def hires(self) -> Hires | None:
        """The second pass, None where there is none."""
        task = self.request.task
        return task.hires if isinstance(task, Txt2Img) and task.hires.enabled else None

    @property
    def hires_sampler(self) -> str:
        """The second pass's sampler; the first's where it names none."""
        return (self.hires.sampler if self.hires else "") or self.request.sampler

    @property
    def hires_schedule(self) -> str:
        """Label of the second pass's schedule, Automatic resolved."""
        own = self.hires.scheduler if self.hires else ""
        return shown_schedule(self.hires_sampler, own or self.request.scheduler)

    @property
    def picture(self) -> Img2Img | None:
        """The task of img2img, None where it is another."""
        return self.request.task if isinstance(self.request.task, Img2Img) else None

    @property
    def inpainting(self) -> Inpainting | None:
        """What is inpainted, None where nothing is."""
        return self.picture.inpainting if self.picture else None

    @property
    def prompts(self) -> str:
        """Both prompts of the first pass."""
        return self.request.prompt + self.request.negative_prompt

    @property
    def every_prompt(self) -> str:
        """The prompts of all passes."""
        return self.prompts + (self.hires.prompt + self.hires.negative_prompt if self.hires else "")

    @property
    def emphasises(self) -> bool:
        """Whether the prompts of the first pass have brackets."""
        return bool(_BRACKETS.search(self.prompts))


def eta_key(info: SamplerInfo) -> str:
    """`Eta` for ancestral and SDE samplers, `Eta DDIM` for DDIM, "" for samplers without eta."""
    if info.label in _DDIM_ETA:
        return "Eta DDIM"
    return "Eta" if info.uses_ensd or info.brownian else ""

"""The samplers of all extensions, each step called as any of their code is, with its answer checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from webui.domain.errors import Cancelled, MemoryShortError
from webui.domain.request import GenerationRequest
from webui.extension_api.sampler import Sampler
from webui.plugins.answers import check_tensor
from webui.plugins.calling import Calls, ExtensionError, said
from webui.plugins.loader import Loaded
from webui.plugins.network_calls import Outside
from webui.plugins.sampler_check import check_samplers
from webui.sampling.stepping import PlannedSampler, SamplerOptions, along
from webui.sampling.steps import Denoiser, Moved, Past, Step, StepNoise
from webui.weights.build import is_finite
from webui.weights.recovery import is_out_of_memory


class HostedSamplers:
    """What the pipeline asks for samplers that the program lacks."""

    def __init__(self, loaded: Loaded, calls: Calls) -> None:
        owners: dict[str, PlannedSampler] = {}
        for extension in sorted(loaded.extensions):
            for name, sampler in loaded.extensions[extension].samplers.items():
                owners.setdefault(name, along(_Hosted(extension, sampler, calls), sampler.memory))
        self._owners: Mapping[str, PlannedSampler] = MappingProxyType(owners)

    def planned(self, label: str) -> PlannedSampler | None:
        """The sampler of that label; None for those that the program has itself."""
        return self._owners.get(label)

    def check(self, request: GenerationRequest) -> None:
        """Raises BadRequestError, naming the field, where there is no such sampler."""
        check_samplers(request, self._owners)


@dataclass(frozen=True, slots=True)
class _Hosted:
    """A sampler's step with the checks around it; implements `stepping.SamplerStep`."""

    extension: str
    sampler: Sampler
    calls: Calls

    def __call__(
        self,
        denoise: Denoiser,
        latents: Tensor,
        step: Step,
        past: Sequence[Past],
        noise: StepNoise,
        options: SamplerOptions,
    ) -> Moved:
        network = Outside(denoise, self.calls)
        asking = _Asking(network, latents)
        try:
            with self.calls.inside(self.extension, f"sampler {self.sampler.name}"):
                moved = self.sampler.move(asking, latents.clone(), step, past, noise, options)
                _check(moved, latents, asking.estimates)
        except (Cancelled, MemoryShortError):
            raise
        except Exception as error:
            if error is network.error or is_out_of_memory(error):
                raise
            text = str(error) if isinstance(error, ExtensionError) else said(error)
            where = f"extension {self.extension}, sampler {self.sampler.name}, step {step.index + 1}"
            raise ExtensionError(f"{where}: {text}") from error
        return moved


class _Asking:
    """Asks for estimates, with what it is asked checked; implements `Denoiser`.

    Attributes:
        estimates: what it answered in this step.
    """

    def __init__(self, denoise: Denoiser, latents: Tensor) -> None:
        self._denoise = denoise
        self._latents = latents
        self.estimates: list[Tensor] = []

    def __call__(self, latents: Tensor, sigma: Tensor) -> Tensor:
        check_tensor(latents, self._latents)
        if not isinstance(sigma, Tensor) or sigma.ndim or not 0 < float(sigma) < math.inf:
            raise ExtensionError(f"asked at the noise level {sigma!r}, expected a 0-dimensional tensor above 0")
        self.estimates.append(self._denoise(latents.clone(), sigma))
        return self.estimates[-1].clone()


def _check(moved: object, latents: Tensor, estimates: Sequence[Tensor]) -> None:
    """Raises ExtensionError unless it is the result of a step from these latents; NaN that the network gave is not the
    sampler's.
    """
    if not isinstance(moved, Moved):
        raise ExtensionError(f"returned {type(moved).__name__}, expected Moved")
    whole = next((one for one in (*estimates, latents) if not is_finite(one)), latents)
    check_tensor(moved.latents, whole)
    check_tensor(moved.denoised, whole)
    for value in (moved.derivative, moved.uncond):
        if value is not None:
            check_tensor(value, whole)

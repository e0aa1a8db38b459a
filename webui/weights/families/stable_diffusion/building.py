"""The torch half of Stable Diffusion: builds its networks and chooses their parameterisation."""

from dataclasses import dataclass, replace

import torch

from webui.domain.catalog import SamplerInfo
from webui.domain.request import Schedule
from webui.library.family import ModelSpec
from webui.prompt.ports import TextStack
from webui.sampling.parameterisation import Consistency, Parameterisation, VarianceExploding
from webui.sampling.schedules import SigmaTable
from webui.weights.build import build_unet
from webui.weights.families.contract import Built
from webui.weights.families.stable_diffusion.noise_table import TIMESTEPS, standard_table
from webui.weights.families.stable_diffusion.towers import build_towers
from webui.weights.midas import build_midas
from webui.weights.speed import FormatKernels, speed_up
from webui.weights.tensors import TensorSource
from webui.weights.text_encoders import TensorReader
from webui.weights.unet import UnetWrapper

LCM = "LCM"  # this sampler takes epsilon for the output of a consistency model
_SD2_CONTEXT = 1024  # the test below is known to work for the real SD2 only
_V_THRESHOLD = -1.0  # mean(output - sample) at the last timestep is below it for v models, about 0 for others
_PROBE_SIDE = 8  # cells


@dataclass(frozen=True, slots=True)
class StableDiffusion:
    """The torch half of SD1, SD2, SDXL and its refiner. It has no state."""

    def build(
        self, source: TensorSource, spec: ModelSpec, device: torch.device, dtype: torch.dtype, *, fast_cpu: bool
    ) -> Built:
        module = build_unet(source, spec.unet, spec.heads, device, dtype)
        text_dtype = torch.float32 if device.type == "cpu" else dtype  # they are small, and every step depends on them
        text = self.build_text(source, spec, device, text_dtype)
        depth = build_midas(source, spec.depth, device) if spec.depth else None
        if (fast_cpu and device.type == "cpu") or device.type == "cuda":
            speed_up(module, FormatKernels(channels_last=True))
        unet = UnetWrapper(module, spec.unet)
        if needs_probe(spec):
            spec = replace(spec, prediction="v" if answers_v(unet, spec) else "epsilon")
        return Built(spec, unet, text, depth)

    def build_text(self, source: TensorReader, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> TextStack:
        return build_towers(source, spec.family, spec.sidecar, device, dtype)

    def levels(self, spec: ModelSpec, options: Schedule) -> SigmaTable:
        return standard_table(
            downcast=options.downcast_alphas,
            zero_terminal_snr=options.zero_terminal_snr or spec.zero_terminal_snr,
        )

    def asked(self, spec: ModelSpec, levels: SigmaTable, sampler: SamplerInfo, *, quantize: bool) -> Parameterisation:
        """The parameterisation of a run: with the sampler LCM an epsilon model counts as a consistency model."""
        if sampler.label == LCM and spec.prediction == "epsilon":
            return Consistency(levels)
        return VarianceExploding(levels, velocity=spec.prediction == "v", quantize=quantize)


STABLE_DIFFUSION = StableDiffusion()


def needs_probe(spec: ModelSpec) -> bool:
    """Whether the weights must tell epsilon from v: SD2 exists as both (at 512 and 768 pixels) with equal shapes, and
    nothing in this file says which it is.
    """
    is_plain = spec.shown_channels == 0 and spec.unet.vector_width is None
    is_sd2 = spec.family.name == "sd2" and spec.unet.context_width == _SD2_CONTEXT
    return is_sd2 and is_plain and spec.prediction_source == "default"


@torch.no_grad()
def answers_v(unet: UnetWrapper, spec: ModelSpec) -> bool:
    """Whether a UNet outputs v. At the last timestep, given a constant latent of 0.5, an epsilon model returns that
    latent, a v model the negative of the clean image (arXiv:2202.00512). Test and threshold are A1111's.
    """
    shape = (1, spec.latents.channels, _PROBE_SIDE, _PROBE_SIDE)
    sample = torch.full(shape, 0.5, device=unet.device, dtype=unet.dtype)
    context = torch.full((1, 2, spec.unet.context_width), 0.5, device=unet.device, dtype=unet.dtype)
    timestep = torch.full((1,), TIMESTEPS - 1.0, device=unet.device)
    answer = unet.module(sample, timestep, context, return_dict=False)[0]
    return bool((answer - sample).float().mean() < _V_THRESHOLD)

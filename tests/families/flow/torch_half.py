"""The torch half of the family: how it is noised and asked, its levels, and what builds it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.families.flow.transformer import WIDTH, TinyText, TinyTransformer
from webui.domain.catalog import SamplerInfo
from webui.domain.request import Schedule
from webui.library.family import ModelSpec
from webui.prompt.ports import TextStack
from webui.sampling.attending import AttentionLayer
from webui.sampling.parameterisation import Parameterisation
from webui.sampling.schedules import SigmaTable
from webui.sampling.steps import ModelCall, Residuals
from webui.weights.families.contract import Built
from webui.weights.tensors import TensorSource
from webui.weights.text_encoders import TensorReader

TIMES = 1000
SHIFT = 3.0
LAST = 1 - 1e-4  # as near to pure noise as levels still bear


def share(sigma: Tensor) -> Tensor:
    """s, the share of noise in x = (1 - s) clean + s noise, of a noise level."""
    return sigma / (1 + sigma)


@dataclass(frozen=True, slots=True)
class FlowMatching:
    """Rectified flow (arXiv:2209.03003): the network sees x = (1 - s) clean + s noise and answers noise - clean."""

    def noised(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        return clean + noise * sigma

    def spread(self, sigma: Tensor) -> Tensor:
        """1 / (1 - s)."""
        return 1 + sigma

    def timestep(self, sigma: Tensor) -> Tensor:
        return share(sigma) * TIMES

    def clean(self, output: Tensor, latents: Tensor, sigma: Tensor, timestep: Tensor) -> Tensor:
        return self.of_output(output, latents, sigma)

    def output(self, clean: Tensor, latents: Tensor, sigma: Tensor) -> Tensor:
        return (latents / self.spread(sigma) - clean) / share(sigma)

    def of_output(self, output: Tensor, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents / self.spread(sigma) - share(sigma) * output

    def epsilon(self, output: Tensor, latents: Tensor, alpha: Tensor) -> Tensor:
        raise NotImplementedError("this family has no timesteps")


class FlowDoor:
    """The transformer at its door."""

    def __init__(self, module: TinyTransformer) -> None:
        self.module = module

    @property
    def device(self) -> torch.device:
        return self.module.constant.device

    @property
    def dtype(self) -> torch.dtype:
        return self.module.constant.dtype

    @property
    def layers(self) -> Mapping[str, AttentionLayer]:
        """None: extensions cannot take part in its attention."""
        return {}

    @torch.no_grad()
    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        if residuals is not None:
            raise ValueError("this network takes no residuals")
        answer: Tensor = self.module(call.sample.to(self.dtype), call.timestep / TIMES, call.context.to(self.dtype))
        return answer.float()


class Flow:
    """Implements `webui.weights.families.contract.Networks`."""

    def build(
        self, source: TensorSource, spec: ModelSpec, device: torch.device, dtype: torch.dtype, *, fast_cpu: bool
    ) -> Built:
        module = TinyTransformer(spec.latents.channels)
        fill(module, source, "flow.network.", source.names())
        module.to(device, dtype).eval()
        return Built(spec, FlowDoor(module), self.build_text(source, spec, device, torch.float32))

    def build_text(self, source: TensorReader, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> TextStack:
        encoder = TinyText(spec.family.text.window)
        fill(encoder.module, source, "flow.text.", source.names())
        return TextStack(spec.family.text, (encoder,))

    def levels(self, spec: ModelSpec, options: Schedule) -> SigmaTable:
        times = torch.linspace(0, 1, TIMES + 1, dtype=torch.float64)[1:]
        noise = (SHIFT * times / (1 + (SHIFT - 1) * times)).clamp(max=LAST)
        sigmas = noise / (1 - noise)
        return SigmaTable.of(1 / (1 + sigmas**2))

    def asked(self, spec: ModelSpec, levels: SigmaTable, sampler: SamplerInfo, *, quantize: bool) -> Parameterisation:
        return FlowMatching()


FLOW_NETWORKS = Flow()


def fill(module: nn.Module, source: TensorReader, prefix: str, names: Iterable[str]) -> None:
    state = {
        name.removeprefix(prefix): source.read_as(name, torch.float32) for name in names if name.startswith(prefix)
    }
    module.load_state_dict(state)


def checkpoint(constant: Tensor, gate: float, vae: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a checkpoint.

    Args:
        constant: (C,), the clean estimate of a network whose gate is 0.
        gate: how much the transformer adds to it.
        vae: tensors of its VAE in LDM naming.
    """
    torch.manual_seed(11)
    network, text = TinyTransformer(len(constant)), TinyText(24)
    with torch.no_grad():
        network.constant.copy_(constant)
        network.gate.fill_(gate)
    tensors = {f"flow.network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"flow.text.{name}": value for name, value in text.module.state_dict().items()}
    assert text.width == WIDTH
    return tensors | {f"first_stage_model.{name}": value for name, value in vae.items()}

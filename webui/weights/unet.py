"""The wrapper around diffusers' UNet, which casts its inputs and returns float32. Prediction types and guidance are
handled in `webui/sampling`.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch.nn import functional

from webui.library.shapes import UnetShape
from webui.sampling.attending import AttentionLayer
from webui.sampling.steps import ModelCall, Residuals
from webui.weights.attention_layers import attention_layers, opened
from webui.weights.estimates import unet_activations
from webui.weights.fast.fast_calls import FastCalls, is_plain
from webui.weights.fast.network_inputs import NetworkInputs
from webui.weights.recovery import Rung
from webui.weights.resident import Resident

_FREQUENCIES = 10_000.0  # between the fastest and the slowest wave of the embedding
_UNIT = 1000.0  # the guidance is multiplied by it, so that it is as large as a timestep


def guidance_embedding(w: float, width: int) -> Tensor:
    """(1, width) sines and cosines of the guidance w (arXiv:2310.04378, section 4.2; Imagen's form).

    Args:
        w: guidance as (1 + w) x prompt - w x nothing, so it is the guidance scale less one.
    """
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(_FREQUENCIES) / max(1, half - 1)))
    angles = w * _UNIT * rates
    waves = torch.cat([angles.sin(), angles.cos()])
    return functional.pad(waves, (0, width - 2 * half))[None]


class UnetWrapper:
    """Implements `webui.sampling.steps.Network` around diffusers' module.

    Attributes:
        module: the network; patches (LoRA and the like) act on it.
        shape: its sizes, with the names of its layers (`shape.layout`).
        resident: the network as what may leave the device.
        fast: how its calls are computed.
    """

    def __init__(self, module: UNet2DConditionModel, shape: UnetShape) -> None:
        self.module = module
        self.shape = shape
        self.resident = Resident("UNet", module)
        self.fast = FastCalls(module, self.resident, None)

    @property
    def dtype(self) -> torch.dtype:
        return self.module.conv_in.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.resident.device or self.module.conv_in.weight.device

    @cached_property
    def layers(self) -> Mapping[str, AttentionLayer]:
        """Its attention layers by their names, in the order of execution."""
        return attention_layers(self.module)

    @torch.no_grad()
    def __call__(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        """(rows, C_in, h, w) -> (rows, C, h, w) float32, on the device of the sample.

        Where memory runs out, or is expected to, the rows are computed in parts, and at last the weights stream.

        Raises:
            ValueError: residuals do not fit the skip connections, or the vector is missing (SDXL).
            MemoryShortError: not even a single row has room.
        """
        rows, _, height, width = call.sample.shape
        needed = unet_activations(call.sample, self.shape.levels[0].channels, self.dtype)
        taking_part = call.taking_part
        least = 1 if taking_part else rows  # those who take part in the attention are asked about all rows at once

        def attempt() -> Tensor:
            if not taking_part:
                return self._in_parts(call, residuals)
            with opened(self.module, self.layers, call, taking_part):
                return self._answer(call, residuals)

        while not self.resident.fits(needed // self.resident.parts) and self._divide(least):
            pass
        return self.resident.run(
            attempt,
            work=f"sampling {rows} {'row' if rows == 1 else 'rows'} of {width} x {height} latent cells",
            lower="lower width and height or the batch size, or start with --vram low",
            activations=needed // self.resident.parts,
            rungs=(
                Rung("prompt and negative prompt were computed one after the other", lambda: self._divide(least, 2)),
                Rung("every row was computed alone", lambda: self._divide(least)),
            ),
        )

    def _divide(self, rows: int, most: int | None = None) -> bool:
        """Compute rows in twice as many parts from now on, up to `most` (None: each alone). False where it cannot be.

        What extensions put inside the network may be made for all rows of a call at once; then they stay together.
        """
        parts = min(self.resident.parts * 2, most) if most else rows
        if parts <= self.resident.parts or parts > rows or not is_plain(self.module):
            return False
        self.resident.parts = parts
        return True

    def _in_parts(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        rows, parts = len(call.sample), self.resident.parts
        if parts == 1 or rows == 1:
            return self._answer(call, residuals)
        size = -(-rows // parts)
        made = []
        for first in range(0, rows, size):
            part = slice(first, first + size)
            own = None if residuals is None else _residuals_of(residuals, rows, part)
            made.append(self._answer(_rows_of(call, part), own))
        return torch.cat(made)

    def _answer(self, call: ModelCall, residuals: Residuals | None) -> Tensor:
        device, dtype = self.device, self.dtype
        down, mid = self._residuals(residuals)
        inputs = NetworkInputs(
            call.sample.to(device, dtype),
            call.timestep.to(device, torch.float32),  # it may be fractional, and bf16 could not tell 999 from 1000
            call.context.to(device, dtype),
            self._vector(call),
            self._guidance(call),
            down,
            mid,
            self._levels(residuals),
        )
        return self.fast.answer(call, inputs, self._computed).to(call.sample.device, torch.float32)

    def _computed(self, inputs: NetworkInputs) -> Tensor:
        answer: Tensor = self.module(
            inputs.sample,
            inputs.timestep,
            inputs.context,
            class_labels=inputs.vector,
            timestep_cond=inputs.guidance,
            down_block_additional_residuals=inputs.down,
            mid_block_additional_residual=inputs.mid,
            # a list, since diffusers removes them one by one
            down_intrablock_additional_residuals=None if inputs.levels is None else list(inputs.levels),
            return_dict=False,
        )[0]
        return answer

    def _vector(self, call: ModelCall) -> Tensor | None:
        if self.shape.vector_width is None:
            return None
        if call.vector is None:  # unCLIP without an image: zeros, as A1111 does
            return torch.zeros(call.sample.shape[0], self.shape.vector_width, device=self.device, dtype=self.dtype)
        if call.vector.shape[-1] != self.shape.vector_width:
            raise ValueError(f"vector has {call.vector.shape[-1]} channels, the UNet expects {self.shape.vector_width}")
        return call.vector.to(self.device, self.dtype)

    def _guidance(self, call: ModelCall) -> Tensor | None:
        """The guidance scale as the network is told it; None where it is not."""
        if self.shape.guidance_width is None:
            return None
        embedded = guidance_embedding(call.cfg_scale - 1, self.shape.guidance_width)
        return embedded.expand(call.sample.shape[0], -1).to(self.device, self.dtype)

    def _levels(self, residuals: Residuals | None) -> tuple[Tensor, ...] | None:
        """The tensors added after each level."""
        if residuals is None or not residuals.levels:
            return None
        return tuple(r.to(self.device, self.dtype) for r in residuals.levels)

    def _residuals(self, residuals: Residuals | None) -> tuple[tuple[Tensor, ...] | None, Tensor | None]:
        """Residuals for the skip connections and the middle block, filled up with zeros: diffusers needs both or none,
        and silently drops skip connections when there are fewer residuals.
        """
        if residuals is None or (not residuals.down and residuals.mid is None):
            return None, None
        if residuals.down and len(residuals.down) != self.shape.skips:
            raise ValueError(f"{len(residuals.down)} residuals for {self.shape.skips} skip connections of this UNet")
        nothing = torch.zeros((), device=self.device, dtype=self.dtype)
        down = tuple(r.to(self.device, self.dtype) for r in residuals.down) or (nothing,) * self.shape.skips
        mid = nothing if residuals.mid is None else residuals.mid.to(self.device, self.dtype)
        return down, mid


def _rows_of(call: ModelCall, part: slice) -> ModelCall:
    return replace(
        call,
        sample=call.sample[part],
        timestep=call.timestep[part],
        context=call.context[part],
        positive=call.positive[part],
        vector=None if call.vector is None else call.vector[part],
    )


def _residuals_of(residuals: Residuals, rows: int, part: slice) -> Residuals:
    def own(tensor: Tensor) -> Tensor:
        return tensor[part] if len(tensor) == rows else tensor

    return Residuals(
        tuple(map(own, residuals.down)),
        None if residuals.mid is None else own(residuals.mid),
        tuple(map(own, residuals.levels)),
    )

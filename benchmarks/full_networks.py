"""UNets of full size with random numbers, as the program wraps them, and one call of each."""

from types import MappingProxyType

import torch
from torch import Tensor

from benchmarks.memory_plan import sd15_unet, sdxl_unet
from webui.library.shapes import unet_shape
from webui.sampling.steps import ModelCall, Step
from webui.weights.unet import UnetWrapper

TIMESTEP = 500.0
_MAKES = MappingProxyType({"sd15": sd15_unet, "sdxl": sdxl_unet})
NAMES = tuple(_MAKES)
_SIDES = MappingProxyType({"sd15": 512, "sdxl": 1024})  # pixels


def network_of(name: str, device: torch.device, dtype: torch.dtype) -> UnetWrapper:
    """A UNet of that family, in `NAMES`."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            module = _MAKES[name]().eval()
    finally:
        torch.set_default_dtype(before)
    shape = unet_shape({key: tuple(value.shape) for key, value in module.state_dict().items()})
    if shape is None:
        raise ValueError(f"{name}: its tensors are not those of a UNet")
    return UnetWrapper(module.requires_grad_(False), shape)


def ask_of(name: str, device: torch.device, side: int = 0) -> ModelCall:
    """A call with prompt and negative prompt at the size that the family is trained for; `side` is another one."""
    level = torch.tensor(1.0)
    cells = (side or _SIDES[name]) // 8
    width, vector = (768, None) if name == "sd15" else (2048, torch.randn(2, 2816, device=device))
    return ModelCall(
        Step(0, 1, level, level),
        torch.randn(2, 4, cells, cells, device=device),
        torch.full((2,), TIMESTEP, device=device),
        torch.randn(2, 77, width, device=device),
        torch.tensor([True, False]),
        vector,
    )


def bare_call(unet: UnetWrapper, call: ModelCall) -> Tensor:
    """What diffusers' module answers by itself."""
    dtype = unet.dtype
    answer: Tensor = unet.module(
        call.sample.to(dtype), call.timestep, call.context.to(dtype), return_dict=False,
        class_labels=None if call.vector is None else call.vector.to(dtype),
    )[0]  # fmt: skip
    return answer

"""Gated units that are computed in halves give the same numbers."""

import pytest
import torch
from diffusers.models.activations import GEGLU
from torch import nn

from webui.weights.gated_units import HalvedGEGLU, halve


def pair(dtype: torch.dtype = torch.float32) -> tuple[GEGLU, HalvedGEGLU]:
    plain, halved = (GEGLU(16, 24).to(dtype) for _ in range(2))
    halved.load_state_dict(plain.state_dict())
    halve(halved)
    assert isinstance(halved, HalvedGEGLU)
    return plain, halved


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_the_answers_are_the_same(dtype: torch.dtype, error: float) -> None:
    plain, halved = pair(dtype)
    given = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1)).to(dtype)
    with torch.inference_mode():
        torch.testing.assert_close(halved(given), plain(given), rtol=0, atol=error)


def test_who_acts_inside_is_asked_as_before() -> None:
    plain, halved = pair()
    given = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        for one in (plain, halved):
            one.proj.register_forward_hook(lambda layer, inputs, answer: answer * 2)
        assert torch.equal(halved(given), plain(given))
    plain, halved = pair()
    given.requires_grad_()
    halved(given).sum().backward()
    assert given.grad is not None
    assert isinstance(halved.proj, nn.Linear)

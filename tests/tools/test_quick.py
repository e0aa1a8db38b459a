"""The quick form of a network learns what the plain form learns: every gradient is there, and nearly the same."""

import copy
from collections.abc import Callable

import pytest
import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from tests.narrowing import known, untyped
from tools.train_mini.quick import channels_last, quick, spell_out_enlarging


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 32, 3, padding=1)
        self.larger = Upsample2D(32, use_conv=True)

    def forward(self, latents: Tensor) -> Tensor:
        made: Tensor = self.larger(self.first(latents))
        return made


def test_what_lies_before_an_enlargement_learns() -> None:
    torch.manual_seed(0)
    plain = Small()
    fast = untyped(copy.deepcopy(plain)).to(memory_format=torch.channels_last)
    spell_out_enlarging(fast)
    latents, wanted = torch.randn(2, 4, 4, 4), torch.randn(2, 32, 8, 8)
    forms: dict[str, Callable[[Tensor], Tensor]] = {"plain": plain, "fast": quick(fast.__call__, torch.device("cpu"))}
    losses = {name: (form(channels_last(latents)).float() - wanted).square().mean() for name, form in forms.items()}
    for loss in losses.values():
        untyped(loss).backward()
    assert losses["fast"].item() == pytest.approx(losses["plain"].item(), rel=0.02)
    for (name, one), (_, other) in zip(plain.named_parameters(), fast.named_parameters(), strict=True):
        assert float((known(one.grad) - known(other.grad)).norm() / known(one.grad).norm()) < 0.1, name

"""The number format of each kind of card."""

import pytest
import torch

from webui.domain.devices import devices_of, one_device
from webui.weights.card_formats import Card

GIB = 2**30
HALF, BRAIN, FULL = torch.float16, torch.bfloat16, torch.float32


@pytest.mark.parametrize(
    ("card", "network", "vae", "wider"),
    [
        (Card("cuda", "NVIDIA GeForce RTX 3060", (8, 6), 12 * GIB), HALF, BRAIN, BRAIN),
        (Card("cuda", "NVIDIA GeForce RTX 2080", (7, 5), 8 * GIB), HALF, HALF, FULL),
        (Card("cuda", "NVIDIA GeForce GTX 1660 Ti", (7, 5), 6 * GIB), FULL, FULL, None),
        (Card("cuda", "Tesla V100", (7, 0), 16 * GIB), HALF, HALF, FULL),
        (Card("cuda", "NVIDIA GeForce GTX 1080 Ti", (6, 1), 11 * GIB), FULL, FULL, None),
        (Card("cuda", "NVIDIA GeForce GTX 1060", (6, 1), 6 * GIB), HALF, HALF, FULL),
        (Card("cuda", "Tesla P100", (6, 0), 16 * GIB), HALF, HALF, FULL),
        (Card("cuda", "AMD Radeon RX 7900", (11, 0), 24 * GIB, "gfx1100"), HALF, BRAIN, BRAIN),
        (Card("cuda", "AMD Radeon RX 6800", (10, 3), 16 * GIB, "gfx1030"), HALF, HALF, FULL),
        (Card("mps"), HALF, HALF, FULL),
        (Card("xpu"), HALF, BRAIN, BRAIN),
    ],
)
def test_formats(card: Card, network: torch.dtype, vae: torch.dtype, wider: torch.dtype | None) -> None:
    assert card.network_format == network
    assert card.vae_format(network) == vae
    assert card.wider(network) == wider
    assert card.wider(FULL) is None
    assert card.vae_format(FULL) == FULL


def test_devices_are_named_alone_or_together() -> None:
    assert devices_of("cuda:0, CUDA:1") == ("cuda:0", "cuda:1")
    assert [one_device(name) for name in ("", "auto", "xpu:1", "mps")] == ["auto", "auto", "xpu:1", "mps"]
    for name in ("gpu", "cuda:x", "auto,cpu", "cuda;0"):
        with pytest.raises(ValueError, match="names no device"):
            devices_of(name)
    for name in ("all", "cpu,cpu"):
        with pytest.raises(ValueError, match="several devices"):
            one_device(name)

"""Faces on the pretended devices: what the program does around a restorer is the same there."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from extensions.face_restore.restorer_networks import FaceNetwork
from tests.gpu.pretended import pretended
from webui.extension_api import NotFiniteError


class Restorer(nn.Module):
    """A network that answers as restorers do: the picture, and something else."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)
        for numbers in self.layer.parameters():
            nn.init.constant_(numbers, 0.2)

    def forward(self, face: Tensor, **settings: Any) -> tuple[Tensor, None]:
        return self.layer(face), None


def restorer(family: str, device: torch.device) -> FaceNetwork:
    described = SimpleNamespace(model=Restorer().to(device), architecture=SimpleNamespace(id=family))
    return FaceNetwork(described, "small.pth", device)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
@pytest.mark.parametrize("family", ["CodeFormer", "GFPGAN", "RestoreFormer"])
def test_a_face_is_the_same_on_a_device(kind: str, family: str) -> None:
    pixels = np.random.default_rng(1).random((64, 64, 3), np.float32)
    wanted = restorer(family, torch.device("cpu")).restore(pixels)
    with pretended(kind) as mode:
        network = restorer(family, mode.device)
        assert np.allclose(network.restore(pixels), wanted, atol=1e-6)
        with torch.no_grad():
            network._model.layer.bias.fill_(torch.nan)
        with pytest.raises(NotFiniteError, match=r"small\.pth"):
            network.restore(pixels)

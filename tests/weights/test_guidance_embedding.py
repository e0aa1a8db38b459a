"""LCM checkpoints are told the guidance scale in an embedding (arXiv:2310.04378)."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_text2img import (
    LatentConsistencyModelPipeline,
)

from tests.narrowing import untyped
from tests.weights.sources import Memory
from webui.library.layout import unet_layout
from webui.library.shapes import unet_shape
from webui.sampling.steps import ModelCall, Step
from webui.weights.build import build_unet
from webui.weights.unet import UnetWrapper, guidance_embedding

CPU = torch.device("cpu")
WIDTH = 32  # of the embedding
LEVEL = torch.tensor(1.0)


def reference(w: float, width: int) -> torch.Tensor:
    """The same embedding as diffusers makes it."""
    made = untyped(LatentConsistencyModelPipeline).get_guidance_scale_embedding(None, torch.tensor([w]), width)
    assert isinstance(made, torch.Tensor)
    return made


@pytest.mark.parametrize("width", [2, 7, 32, 256])
@pytest.mark.parametrize("w", [0.0, 0.5, 7.5, 14.0])
def test_the_embedding_is_that_of_the_networks_training(w: float, width: int) -> None:
    if width > 3:
        torch.testing.assert_close(guidance_embedding(w, width), reference(w, width), rtol=0, atol=2e-3)
    assert guidance_embedding(w, width).shape == (1, width)


@pytest.mark.parametrize("naming", ["ldm", "diffusers"])
def test_the_network_is_told_the_scale_less_one(naming: str) -> None:
    torch.manual_seed(2)
    original = untyped(UNet2DConditionModel)(
        block_out_channels=(32, 64), layers_per_block=2, cross_attention_dim=64, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        time_cond_proj_dim=WIDTH,
    ).eval()  # fmt: skip
    layout = unet_layout([2, 2], [True, False])
    tensors = {
        f"model.diffusion_model.{layout.to_ldm(name)}" if naming == "ldm" else name: tensor
        for name, tensor in original.state_dict().items()
    }
    shape = unet_shape({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    assert shape is not None
    assert shape.guidance_width == WIDTH
    door = UnetWrapper(build_unet(Memory(tensors), shape, (8, 8), CPU, torch.float32), shape)
    sample, times, context = torch.randn(2, 4, 8, 8), torch.tensor([500.0, 500.0]), torch.randn(2, 77, 64)
    step = Step(0, 1, LEVEL, LEVEL)

    def asked(cfg_scale: float) -> torch.Tensor:
        call = ModelCall(step, sample, times, context, torch.tensor([True, True]), cfg_scale=cfg_scale)
        return door(call, None)

    for cfg_scale in (1.0, 8.5):
        with torch.no_grad():
            told = guidance_embedding(cfg_scale - 1, WIDTH).expand(2, -1)
            expected = original(sample, times, context, timestep_cond=told, return_dict=False)[0]
        torch.testing.assert_close(asked(cfg_scale), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(asked(1.0), asked(8.5), atol=1e-4)

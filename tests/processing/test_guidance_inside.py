"""A whole job with an LCM checkpoint that is told the guidance scale, and what the user is told of a checkpoint."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.exact_back import exact_back
from tests.library.small import small_checkpoint
from tests.processing.reporters import Silent
from tests.tiny_models import attentive, steady
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.processing.back import Back


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    folder = tmp_path_factory.mktemp("lcm")
    checkpoints = folder / "models" / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    tensors = steady(attentive(small_checkpoint(7, complete=True)), "first_stage_model.")
    tensors["model.diffusion_model.time_embed.cond_proj.weight"] = torch.randn(32, 256).half()
    save_file(tensors, checkpoints / "lcm.safetensors")
    plain = {name: tensor for name, tensor in tensors.items() if "cond_proj" not in name} | {"odd": torch.ones(1)}
    save_file(plain, checkpoints / "told.safetensors", {"modelspec.prediction_type": "v"})
    yaml = "model:\n  params:\n    parameterization: eps\n    unet_config:\n      params: {num_heads: 8}\n"
    (checkpoints / "told.yaml").write_text(yaml)
    made = exact_back(models_dir=folder / "models", data_dir=folder, preview_every=0)
    yield made
    made.close()


def run(back: Back, checkpoint: str, **changes: object) -> GenerationResult:
    request = GenerationRequest(
        prompt="a red circle", checkpoint=checkpoint, sampler="LCM", steps=2, seed=1, width=64, height=64
    )
    return back.run(request.with_(**changes), Silent())


def pixels(result: GenerationResult) -> np.ndarray:
    return np.asarray(result.images[0].image).astype(int)


def test_the_guidance_scale_counts_and_the_negative_prompt_does_not(back: Back) -> None:
    strong, weak = run(back, "lcm", cfg_scale=8.0), run(back, "lcm", cfg_scale=2.0)
    assert (pixels(strong) != pixels(weak)).any()
    against = run(back, "lcm", cfg_scale=8.0, negative_prompt="a blue square")
    assert (pixels(strong) == pixels(against)).all()
    assert strong.notices == ()
    (notice,) = against.notices
    assert "negative prompt has no effect" in notice.text


def test_a_job_tells_what_is_odd_about_its_checkpoint_once(back: Back) -> None:
    disagreement, unread = run(back, "told", n_iter=2).notices
    assert "the yaml beside it says that its prediction type is epsilon" in disagreement.text
    assert "modelspec.prediction_type" in disagreement.text
    assert "odd" in unread.text

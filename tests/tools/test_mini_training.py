"""The training of the miniature: an interrupted run ends as an uninterrupted one, and files are what loaders expect."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tools.train_mini import export
from tools.train_mini.control import edges, ldm_control
from tools.train_mini.course import Averaged, Course, Rates
from tools.train_mini.drawing import draw
from tools.train_mini.inpainting import grown, random_mask
from tools.train_mini.inversion import PLACEHOLDER, VECTORS, Word
from tools.train_mini.lora import Additions
from tools.train_mini.networks import TOKENS, alphas_cumprod, new_text_encoder, new_unet, new_vae
from tools.train_mini.scenes import SIZE, random_scene
from tools.train_mini.text import tokenize
from tools.train_mini.unet import Painter, random_timesteps
from tools.train_mini.upscaler import Upscaler
from tools.train_mini.vae import standardise, to_picture, to_tensor
from webui.library.library import ModelLibrary
from webui.prompt.tokenize import END, START, ClipTokenizer
from webui.weights.families.registry import FAMILIES


@pytest.fixture(scope="module")
def painter() -> Painter:
    torch.manual_seed(0)
    return Painter(new_text_encoder(), new_unet()).eval()


def line(folder: Path) -> tuple[Course, Callable[[np.random.Generator], Tensor]]:
    torch.manual_seed(1)
    layer = nn.Linear(3, 1)
    course = Course("line", layer, folder, Rates(1e-2, warmup=5), average=0.9)

    def loss(generator: np.random.Generator) -> Tensor:
        x = torch.from_numpy(generator.standard_normal((16, 3))).float()
        wanted = x @ torch.tensor([[1.0], [-2.0], [0.5]])
        missed: Tensor = layer(x) - wanted
        return missed.square().mean()

    return course, loss


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, loss = line(tmp_path / "whole")
    whole.run(60, loss, seed=3)

    class Stopped(Exception):
        pass

    first, loss = line(tmp_path / "parts")
    calls = iter(range(25))

    def until_stopped(generator: np.random.Generator) -> Tensor:
        if next(calls, None) is None:
            raise Stopped
        return loss(generator)

    with pytest.raises(Stopped):
        first.run(60, until_stopped, seed=3)
    first.save()
    second, loss = line(tmp_path / "parts")
    assert second.step == 25
    second.run(60, loss, seed=3)
    for name, value in whole.averaged().items():
        torch.testing.assert_close(second.averaged()[name], value, rtol=0, atol=0)


def test_training_learns_and_the_average_is_only_lent(tmp_path: Path) -> None:
    course, loss = line(tmp_path)
    before = float(loss(np.random.default_rng(0)).detach())
    course.run(400, loss, seed=3)
    assert float(loss(np.random.default_rng(0)).detach()) < 0.1 * before
    kept = [value.detach().clone() for value in course.module.parameters()]
    with Averaged(course):
        assert all(torch.equal(value, course.averaged()[name]) for name, value in course.module.named_parameters())
    assert all(torch.equal(one, other) for one, other in zip(kept, course.module.parameters(), strict=True))


def test_rates_rise_stay_and_fall() -> None:
    rates = Rates(1.0, warmup=10, fall=0.5)
    values = [rates.at(step, 100) for step in range(101)]
    assert values[0] == pytest.approx(0.1)
    assert values[9:50] == [1.0] * 41
    assert values[75] == pytest.approx(0.5)
    assert values[100] == 0.0


def test_the_schedule_is_sds() -> None:
    alphas = alphas_cumprod()
    assert float(alphas[0]) == pytest.approx(1 - 0.00085)
    assert float(((1 - alphas[-1]) / alphas[-1]).sqrt()) == pytest.approx(14.6146, abs=1e-3)
    timesteps = random_timesteps(np.random.default_rng(0), 4000)
    assert int(timesteps.min()) >= 0
    assert int(timesteps.max()) <= 999


def test_captions_become_the_tokens_of_sd1() -> None:
    rows = tokenize(ClipTokenizer(), ["a red circle", ""])
    assert rows.shape == (2, TOKENS)
    assert rows[0, 0] == START
    assert (rows[0, 4:] == END).all()
    assert (rows[1, 1:] == END).all()


def test_latents_are_brought_to_unit_variance_and_the_picture_stays() -> None:
    torch.manual_seed(0)
    vae = new_vae().eval().requires_grad_(False)
    picture = to_tensor(draw(random_scene(np.random.default_rng(0))))[None]
    before = vae.decode(vae.encode(picture).latent_dist.mean).sample
    standardise(vae, 32)
    latents = vae.encode(picture).latent_dist.mean
    torch.testing.assert_close(vae.decode(latents).sample, before, rtol=1e-3, atol=1e-3)
    assert torch.isfinite(latents).all()


def test_pictures_and_tensors_are_each_others_reverse() -> None:
    picture = draw(random_scene(np.random.default_rng(4)))
    assert to_picture(to_tensor(picture)).tobytes() == picture.tobytes()


def test_an_exported_checkpoint_is_recognised(painter: Painter, tmp_path: Path) -> None:
    tensors = export.checkpoint(painter.text, painter.unet, new_vae())
    export.write(tmp_path / "Stable-diffusion" / "made.safetensors", tensors, {"title": "x"})
    library = ModelLibrary(tmp_path, tmp_path / "cache", FAMILIES)
    spec = library.spec(library.checkpoint("made"))
    assert (spec.family.name, spec.prediction, spec.in_channels) == ("sd1", "epsilon", 4)
    assert spec.heads == (8, 8, 8)


def test_a_weight_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="big"):
        export.write(tmp_path / "x.safetensors", {"big": torch.tensor([1e30])}, {})
    assert not list(tmp_path.iterdir())


def test_the_grown_network_starts_as_the_base(painter: Painter) -> None:
    wider = grown(painter.unet).eval()
    latents, rest = torch.randn(2, 4, 16, 16), torch.randn(2, 5, 16, 16)
    context, time = torch.randn(2, TOKENS, 64), torch.tensor([10, 900])
    with torch.no_grad():
        wide = wider(torch.cat([latents, rest], dim=1), time, context).sample
        torch.testing.assert_close(wide, painter.unet(latents, time, context).sample)


def test_masks_are_zero_or_one_and_on_the_grid_of_latents() -> None:
    for seed in range(40):
        mask = random_mask(np.random.default_rng(seed))
        assert mask.shape == (SIZE, SIZE)
        cells = mask.reshape(SIZE // 8, 8, SIZE // 8, 8)
        assert (cells == cells[:, :1, :, :1]).all()
        assert mask.any()


def test_additions_start_at_nothing_and_carry_kohyas_names(painter: Painter) -> None:
    tokens = painter.context(["a red circle"]).detach()
    fresh = Painter(new_text_encoder(), new_unet()).eval()
    fresh.load_state_dict(painter.state_dict())
    additions = Additions(fresh)
    torch.testing.assert_close(fresh.context(["a red circle"]), tokens)
    names = set(additions.tensors(dict(additions.named_parameters())))
    assert "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight" in names
    assert "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k.alpha" in names
    assert "lora_unet_down_blocks_1_attentions_0_proj_in.lora_up.weight" in names


def test_a_word_takes_the_place_of_its_tokens(painter: Painter) -> None:
    fresh = Painter(new_text_encoder(), new_unet()).eval()
    before = fresh.context(["a red circle"])
    word = Word(fresh)
    torch.testing.assert_close(fresh.context(["a red circle"]), before)
    made = fresh.context([PLACEHOLDER])
    with torch.no_grad():
        word.vectors.add_(1.0)
    assert not torch.allclose(fresh.context([PLACEHOLDER]), made)
    assert word.vectors.shape == (VECTORS, 64)


def test_edges_lie_where_objects_end() -> None:
    scene = random_scene(np.random.default_rng(8))
    lines = np.asarray(edges(scene))[:, :, 0] > 0
    assert 0 < lines.mean() < 0.2
    assert not lines[: SIZE // 32].any()


def test_every_tensor_of_a_controlnet_has_a_name_in_ldm(painter: Painter) -> None:
    from diffusers.models.controlnets.controlnet import ControlNetModel

    control = ControlNetModel.from_unet(painter.unet, conditioning_embedding_out_channels=(16, 32, 96, 256))
    named = ldm_control(control.state_dict())
    assert len(named) == len(control.state_dict())
    assert named["control_model.input_hint_block.14.weight"].shape == (96, 256, 3, 3)
    assert "control_model.zero_convs.5.0.weight" in named


def test_an_untrained_upscaler_doubles_the_size() -> None:
    assert Upscaler()(torch.rand(1, 3, 12, 20)).shape == (1, 3, 24, 40)

"""Recognising models by names and shapes: full-size layouts of every family, variants, and files that are no model."""

import functools
from collections.abc import Callable, Mapping

import pytest
import torch

from tests.library import full_size
from tests.library.small_midas import small_midas
from tests.narrowing import known
from webui.domain.errors import UnusableFileError
from webui.library.detect import detect
from webui.library.family import ModelSpec
from webui.library.headers import Header, TensorInfo
from webui.library.layout import unet_layout, vae_layout
from webui.library.shapes import unet_shape, vae_shape
from webui.weights.families.registry import FAMILIES

Shapes = Mapping[str, tuple[int, ...]]
SD1_TEXT = {"cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768)}
SD2_TEXT = {"cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight": (3072, 1024)}
SDXL_TEXT = {
    "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
    "conditioner.embedders.1.model.ln_final.weight": (1280,),
}
REFINER_TEXT = {"conditioner.embedders.0.model.ln_final.weight": (1280,)}
TURBO_TEXT = {"conditioner.embedders.0.model.ln_final.weight": (1024,)}
SD_LEVELS = (True, True, True, False)
XL_LEVELS = (False, True, True)


def header(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> Header:
    return Header({name: TensorInfo("F16", shape, 0, 0) for name, shape in shapes.items()}, metadata or {})


def spec_of(shapes: Shapes, metadata: Mapping[str, str] | None = None, sidecar: Mapping[str, object] = {}) -> ModelSpec:
    return detect("x.safetensors", header(shapes, metadata), sidecar, FAMILIES)


@functools.cache
def sd2() -> Shapes:
    return full_size.checkpoint(full_size.sd2_unet(), SD_LEVELS, SD2_TEXT)


@functools.cache
def sdxl() -> Shapes:
    return full_size.checkpoint(full_size.sdxl_unet(), XL_LEVELS, SDXL_TEXT)


@pytest.mark.parametrize(
    ("make", "family", "heads", "context", "vector", "scale"),
    [
        (lambda: full_size.checkpoint(full_size.sd1_unet(), SD_LEVELS, SD1_TEXT),
         "sd1", (8, 8, 8, 8), 768, None, 0.18215),
        (sd2, "sd2", (5, 10, 20, 20), 1024, None, 0.18215),
        (lambda: full_size.checkpoint(full_size.sd2_unet(), SD_LEVELS, TURBO_TEXT),
         "sd2", (5, 10, 20, 20), 1024, None, 0.18215),
        (sdxl, "sdxl", (5, 10, 20), 2048, 2816, 0.13025),
        (lambda: full_size.checkpoint(full_size.refiner_unet(), (False, True, True, False), REFINER_TEXT),
         "sdxl_refiner", (6, 12, 24, 24), 1280, 2560, 0.13025),
        (lambda: full_size.checkpoint(full_size.ssd1b_unet(), XL_LEVELS, SDXL_TEXT),
         "sdxl", (5, 10, 20), 2048, 2816, 0.13025),
    ],
    ids=["sd1", "sd2", "sd2-turbo", "sdxl", "refiner", "ssd-1b"],
)  # fmt: skip
def test_full_size_models_are_recognised(
    make: Callable[[], Shapes], family: str, heads: tuple[int, ...], context: int, vector: int | None, scale: float
) -> None:
    spec = spec_of(make())
    assert (spec.family.name, spec.heads, spec.latents.scale) == (family, heads, scale)
    assert (spec.unet.context_width, spec.unet.vector_width) == (context, vector)
    assert (spec.prediction, spec.prediction_source) == ("epsilon", "default")
    assert spec.vae is not None
    assert spec.vae.levels == ((128, 2, 3), (256, 2, 3), (512, 2, 3), (512, 2, 3))
    assert spec.vae.downscale == 8


def test_depths_are_read_level_by_level() -> None:
    shape = spec_of(full_size.checkpoint(full_size.ssd1b_unet(), XL_LEVELS, SDXL_TEXT)).unet
    assert [level.encoder for level in shape.levels] == [(0, 0), (2, 2), (4, 4)]
    assert [level.decoder for level in shape.levels] == [(0, 0, 0), (2, 1, 1), (4, 4, 10)]
    assert shape.middle_depth == 0
    assert spec_of(sdxl()).unet.middle_depth == 10


def test_skips_are_counted() -> None:
    assert spec_of(full_size.checkpoint(full_size.sd1_unet(), SD_LEVELS, SD1_TEXT)).unet.skips == 12
    assert spec_of(sdxl()).unet.skips == 9


@pytest.mark.parametrize(("channels", "inpaints", "edits"), [(9, True, False), (8, False, True), (4, False, False)])
def test_extra_channels(channels: int, inpaints: bool, edits: bool) -> None:
    spec = spec_of(full_size.checkpoint(full_size.sd1_unet(channels), SD_LEVELS, SD1_TEXT))
    assert (spec.in_channels, spec.inpaints, spec.edits) == (channels, inpaints, edits)


def test_sdxl_inpainting() -> None:
    assert spec_of(full_size.checkpoint(full_size.sdxl_unet(9), XL_LEVELS, SDXL_TEXT)).inpaints


V_YAML = {"model": {"params": {"unet_config": {}, "parameterization": "v"}}}
SGM_V_YAML = {"model": {"params": {"denoiser_config": {"params": {"scaling_config": {"target": "a.b.VScaling"}}}}}}


@pytest.mark.parametrize(
    ("metadata", "sidecar", "marker", "prediction", "source"),
    [
        ({"modelspec.prediction_type": "v"}, {}, None, "v", "metadata"),
        ({"modelspec.prediction_type": "epsilon"}, V_YAML, "v_pred", "v", "sidecar"),
        ({"modelspec.prediction_type": "epsilon"}, {}, "v_pred", "epsilon", "metadata"),
        ({"modelspec.prediction_type": "v"}, {"model": {"params": {"unet_config": {}}}}, None, "v", "metadata"),
        ({"ss_v_parameterization": "True"}, {}, None, "v", "metadata"),
        ({}, V_YAML, None, "v", "sidecar"),
        ({}, SGM_V_YAML, None, "v", "sidecar"),
        ({}, {"model": {"params": {"unet_config": {}}}}, "v_pred", "epsilon", "sidecar"),
        ({}, {}, "v_pred", "v", "marker"),
        ({}, {}, None, "epsilon", "default"),
    ],
)
def test_prediction_is_taken_from_the_first_that_states_it(
    metadata: Mapping[str, str], sidecar: Mapping[str, object], marker: str | None, prediction: str, source: str
) -> None:
    shapes = {**sdxl(), **({marker: (0,)} if marker else {})}
    spec = spec_of(shapes, metadata, sidecar)
    assert (spec.prediction, spec.prediction_source) == (prediction, source)


@pytest.mark.parametrize(
    ("metadata", "sidecar", "marker", "told"),
    [
        ({"modelspec.prediction_type": "v"}, V_YAML, "v_pred", ()),
        ({"modelspec.prediction_type": "eps"}, V_YAML, None, ("the yaml", "modelspec.prediction_type", "v is used")),
        ({"prediction_type": "epsilon"}, {}, "v_pred", ("(prediction_type)", "marker v_pred", "epsilon is used")),
        (
            {"modelspec.prediction_type": "epsilon", "ss_v_parameterization": "True"},
            {},
            None,
            ("modelspec.prediction_type", "ss_v_parameterization", "epsilon is used"),
        ),
        ({"modelspec.prediction_type": "sample"}, V_YAML, None, ("the yaml", "sample", "v is used")),
    ],
)
def test_a_disagreement_about_the_prediction_is_told_once(
    metadata: Mapping[str, str], sidecar: Mapping[str, object], marker: str | None, told: tuple[str, ...]
) -> None:
    notices = spec_of({**sdxl(), **({marker: (0,)} if marker else {})}, metadata, sidecar).notices
    assert len(notices) == bool(told)
    assert all(part in notices[0] for part in told)


@pytest.mark.parametrize(
    ("metadata", "sidecar"),
    [
        ({"modelspec.prediction_type": "sample"}, {}),
        ({}, {"model": {"params": {"unet_config": {}, "parameterization": "x0"}}}),
    ],
)
def test_a_prediction_that_cannot_be_run_is_refused(metadata: Mapping[str, str], sidecar: Mapping[str, object]) -> None:
    with pytest.raises(UnusableFileError, match=r"prediction type '(sample|x0)'"):
        spec_of(sdxl(), metadata, sidecar)


def test_zero_terminal_snr_marker() -> None:
    assert spec_of({**sdxl(), "ztsnr": (0,)}).zero_terminal_snr
    assert not spec_of(sdxl()).zero_terminal_snr


def test_the_sidecar_states_heads_and_scale() -> None:
    yaml = {"model": {"params": {"scale_factor": 0.5, "unet_config": {"params": {"num_head_channels": 32}}}}}
    spec = spec_of(sd2(), sidecar=yaml)
    assert (spec.heads, spec.latents.scale) == ((10, 20, 40, 40), 0.5)
    yaml = {"model": {"params": {"unet_config": {"params": {"num_heads": 4, "num_head_channels": -1}}}}}
    assert spec_of(sd2(), sidecar=yaml).heads == (4, 4, 4, 4)


@pytest.mark.parametrize("make", [full_size.sd1_unet, full_size.sdxl_unet, full_size.refiner_unet])
def test_diffusers_naming_gives_the_same_shape(make: Callable[[], torch.nn.Module]) -> None:
    module = make()
    plain = unet_shape(full_size.shapes_of(module))
    assert plain is not None
    assert plain.naming == "diffusers"
    attends = [any(level.decoder) for level in plain.levels]
    layout = unet_layout([2] * len(attends), attends)
    ldm = unet_shape(full_size.as_ldm(full_size.shapes_of(module), layout, ""))
    assert ldm is not None
    assert ldm.levels == plain.levels
    assert ldm.keys.keys() == plain.keys.keys()


def test_bare_vaes_in_both_namings() -> None:
    shapes = full_size.shapes_of(full_size.vae())
    plain = vae_shape(shapes)
    ldm = vae_shape({**full_size.as_ldm(shapes, vae_layout([2] * 4, [3] * 4), ""), "loss.logvar": ()})
    assert plain is not None
    assert ldm is not None
    assert plain.levels == ldm.levels
    assert (plain.naming, ldm.naming) == ("diffusers", "ldm")
    old = {name.replace("to_q", "query").replace("to_out.0", "proj_attn"): shape for name, shape in shapes.items()}
    assert vae_shape(old) is not None
    assert known(vae_shape(old)).keys.keys() == plain.keys.keys()


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"lora_unet_x.lora_up.weight": (4, 4)}, "LoRA"),
        ({"decoder.conv_in.weight": (4, 4, 3, 3)}, "VAE"),
        ({"emb_params": (2, 768)}, "embedding"),
        ({"control_model.input_blocks.0.0.weight": (3, 3)}, "ControlNet"),
        ({"model.diffusion_model.x_embedder.proj.weight": (3, 3)}, "Stable Diffusion 3"),
        ({"double_blocks.0.img_attn.qkv.weight": (3, 3)}, "Flux"),
        ({"something": (1,)}, "no UNet"),
        ({}, "no UNet"),
    ],
)
def test_files_that_are_no_checkpoint_say_what_they_are(shapes: Shapes, words: str) -> None:
    with pytest.raises(UnusableFileError, match=words):
        spec_of(shapes)


def test_a_unet_alone_is_no_checkpoint() -> None:
    with pytest.raises(UnusableFileError, match="without text encoder"):
        spec_of(full_size.shapes_of(full_size.sd1_unet()))


def test_a_missing_tensor_is_named() -> None:
    shapes = dict(full_size.checkpoint(full_size.sd1_unet(), SD_LEVELS, SD1_TEXT))
    del shapes["model.diffusion_model.output_blocks.5.0.in_layers.2.weight"]
    with pytest.raises(UnusableFileError, match=r"output_blocks\.5\.0\.in_layers\.2\.weight"):
        spec_of(shapes)


def test_other_channels_are_refused() -> None:
    with pytest.raises(UnusableFileError, match="6 channels"):
        spec_of(full_size.checkpoint(full_size.sd1_unet(6), SD_LEVELS, SD1_TEXT))


def test_a_depth_checkpoint_holds_its_depth_network() -> None:
    unet = full_size.checkpoint(full_size.sd1_unet(5), SD_LEVELS, SD1_TEXT)
    midas = {name: tuple(one.shape) for name, one in small_midas().items()}
    spec = spec_of({**unet, **midas})
    assert spec.depth is not None
    assert (spec.depth.stages, spec.depth.layers, spec.depth.grid) == (((128, 1), (256, 1), (384, 2)), 4, 2)
    with pytest.raises(UnusableFileError, match=r"x\.safetensors: .*depth_model\.model\.pretrained\.\*.* are missing"):
        spec_of(unet)
    del midas["depth_model.model.scratch.layer1_rn.weight"]
    with pytest.raises(UnusableFileError, match=r"depth_model\.model\.scratch\.layer1_rn\.weight is missing"):
        spec_of({**unet, **midas})

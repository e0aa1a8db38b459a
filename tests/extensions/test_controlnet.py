"""ControlNet's options, maps, weights and actions, without a checkpoint."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from extensions.controlnet import plugin
from extensions.controlnet.actions import ACTIONS, DetectOptions, detect
from extensions.controlnet.injection import adapter_weights, is_within, layer_weights, level_sizes, weighted
from extensions.controlnet.latents import Correction, Prediction, averaged, latent_mask, noised
from extensions.controlnet.maps import fitted, pixel_perfect_resolution, resized, resized_for, thinned
from extensions.controlnet.modules import BUILT_IN, CONTROL_TYPES, MODULES, find_module, modules_of
from extensions.controlnet.options import ControlOptions, Unit
from extensions.controlnet.preprocessors import PREPROCESSORS, Settings
from extensions.controlnet.units import fields_of, prepare
from tests.narrowing import untyped
from webui.domain.errors import BadRequestError, UnknownModelError
from webui.domain.images import Picture
from webui.domain.inpainting import Inpainting
from webui.domain.masks import Mask
from webui.domain.request import GenerationRequest, Img2Img
from webui.extension_api import NO_TOOLS
from webui.plugins.models import LibraryModels

RANDOM = np.random.RandomState(0)
NOISE = RANDOM.randint(0, 256, (60, 90, 3)).astype(np.uint8)
PICTURE = Picture.of(Image.fromarray(NOISE))
BASE64 = PICTURE.to_base64()
REQUEST = GenerationRequest(prompt="a cat", seed=3, width=64, height=64)


# options


@settings(max_examples=50, deadline=None)
@given(
    units=st.lists(
        st.fixed_dictionaries(
            {
                "enabled": st.booleans(),
                "module": st.sampled_from(sorted(MODULES)),
                "model": st.sampled_from(["None", "a [0123abcd]"]),
                "weight": st.floats(0, 2),
                "resize_mode": st.sampled_from(["Just Resize", 1, "Envelope (Outer Fit)"]),
                "control_mode": st.sampled_from([0, 1, "ControlNet is more important"]),
                "guidance_start": st.floats(0, 0.4),
                "guidance_end": st.floats(0.5, 1),
                "image": st.sampled_from([None, BASE64, {"image": BASE64, "mask": BASE64}, [BASE64, BASE64]]),
                "advanced_weighting": st.sampled_from([None, [1.0] * 13]),
            }
        ),
        max_size=3,
    )
)
def test_options_that_are_written_are_read_as_the_same(units: list[dict[str, Any]]) -> None:
    options = ControlOptions.model_validate({"units": units})
    assert ControlOptions.model_validate(options.model_dump(mode="json")) == options


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"input_image": BASE64}, "image", PICTURE),
        ({"image": [{"image": BASE64, "mask": BASE64}]}, "mask", PICTURE),
        ({"image": BASE64, "mask_image": BASE64}, "mask", PICTURE),
        ({"lowvram": True}, "low_vram", True),
        ({"guidance": 0.5}, "guidance_end", 0.5),
        ({"resize_mode": 2}, "resize_mode", "Resize and Fill"),
        ({"resize_mode": "Scale to Fit (Inner Fit)"}, "resize_mode", "Crop and Resize"),
        ({"control_mode": 1}, "control_mode", "My prompt is more important"),
        ({"model": None, "module": None}, "model", "None"),
        ({"something": "new"}, "enabled", False),
    ],
)
def test_it_reads_what_clients_of_a1111_send(given: dict[str, Any], field: str, value: object) -> None:
    assert getattr(Unit.model_validate(given), field) == value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"guidance_start": 0.6, "guidance_end": 0.2}, "comes after"),
        ({"weight": 2.1}, "weight"),
        ({"mask": BASE64, "mask_image": BASE64}, "send one"),
        ({"image": [{"image": BASE64}, {"image": BASE64}]}, "one picture a unit"),
    ],
)
def test_it_refuses_in_words(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Unit.model_validate(given)


class NoModels(LibraryModels):
    """A models folder without anything in it."""

    def __init__(self) -> None: ...

    def names(self, kind: str) -> tuple[str, ...]:
        return ()

    def find(self, kind: str, name: str) -> Path:
        raise UnknownModelError(f"{kind}: no {name!r}")


NO_MODELS, CPU = NoModels(), torch.device("cpu")


def enabled(**given: Any) -> ControlOptions:
    return ControlOptions(units=(Unit.model_validate({"enabled": True, **given}),))


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        (enabled(model="m"), "units.0.image", "no picture"),
        (enabled(image=BASE64, module="canny"), "units.0.model", "needs a model"),
        (
            enabled(image=BASE64, module="depth_midas", model="m"),
            "units.0.module",
            "ControlNetPreprocessor/depth_midas",
        ),
        (enabled(image=BASE64, module="depth_leres", model="m"), "units.0.module", "LeReS has no maintained library"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(options: ControlOptions, field: str, said: str) -> None:
    with pytest.raises(BadRequestError, match=said) as caught:
        prepare(options, REQUEST, NO_MODELS, CPU)
    assert caught.value.field == f"extensions.controlnet.{field}"


def test_the_infotext_is_a1111s() -> None:
    options = enabled(image=BASE64, module="canny", model="tiny", processor_res=256, threshold_a=40)
    fields = fields_of(options.enabled)
    assert fields == {
        "ControlNet 0": "Module: canny, Model: tiny, Weight: 1.0, Resize Mode: Crop and Resize, Processor Res: 256, "
        "Threshold A: 40.0, Threshold B: 200, Guidance Start: 0.0, Guidance End: 1.0, Pixel Perfect: False, "
        "Control Mode: Balanced"
    }
    odd = enabled(image=BASE64, module="canny", model="a, b")
    assert fields_of(odd.enabled) == {"ControlNet 0": ""}


def test_every_module_of_the_lists_is_known_and_the_built_in_ones_run() -> None:
    assert set(PREPROCESSORS) == set(BUILT_IN)
    assert find_module("inpaint") is MODULES["inpaint_global_harmonious"]
    for kind, (preferred, _) in CONTROL_TYPES.items():
        assert preferred in {one.name for one in modules_of(kind)}, kind


# pictures and maps


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "tile_resample"])
def test_a_preprocessor_draws_three_channels_of_the_same_proportions(name: str) -> None:
    module = MODULES[name]
    drawn = PREPROCESSORS[name](NOISE, Settings(64, module.threshold(0, -1), module.threshold(1, -1), seed=4))
    assert drawn.dtype == np.uint8
    assert drawn.ndim == 3
    assert drawn.shape[2] == 3
    assert abs(drawn.shape[1] / drawn.shape[0] - 1.5) < 0.02


def test_preprocessors_do_what_they_say() -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 255
    edges = PREPROCESSORS["canny"](halves, Settings(64, 100, 200))
    assert set(np.unique(edges)) == {0, 255}
    assert np.flatnonzero(edges[..., 0].any(axis=0)).tolist() in ([31], [32])
    assert np.array_equal(PREPROCESSORS["invert"](halves, Settings(64)), 255 - halves)
    assert np.array_equal(PREPROCESSORS["threshold"](halves, Settings(64, 127)), halves)
    assert PREPROCESSORS["tile_resample"](NOISE, Settings(64, 2.0)).shape == (30, 45, 3)
    shuffled = PREPROCESSORS["shuffle"](halves, Settings(64, seed=1))
    assert np.array_equal(shuffled, PREPROCESSORS["shuffle"](halves, Settings(64, seed=1)))
    assert not np.array_equal(shuffled, PREPROCESSORS["shuffle"](halves, Settings(64, seed=2)))
    blurred = PREPROCESSORS["blur_gaussian"](halves, Settings(64, 3.0))
    assert 0 < blurred[10, 31, 0] < blurred[10, 32, 0] < 255


@pytest.mark.parametrize("fit", ["Just Resize", "Crop and Resize", "Resize and Fill"])
@pytest.mark.parametrize("size", [(64, 64), (32, 96), (200, 120)])
def test_a_map_has_exactly_the_size_asked_for(fit: Any, size: tuple[int, int]) -> None:
    for channels in (3, 4):
        drawn = np.concatenate([NOISE, NOISE[:, :, :1]], axis=2)[:, :, :channels]
        assert fitted(drawn, *size, fit).shape == (*size, channels)


def test_filling_takes_the_colour_of_the_border() -> None:
    drawn = np.full((10, 40, 3), 7, np.uint8)
    drawn[3:6, 5:20] = 200
    assert (fitted(drawn, 40, 40, "Resize and Fill")[:10] == 7).all()


def test_colours_of_a_segmentation_are_not_mixed() -> None:
    colours = np.array([[0, 0, 0], [10, 200, 30], [90, 20, 60], [255, 0, 128]], np.uint8)
    drawn = colours[RANDOM.randint(0, 4, (40, 40))]
    assert len(np.unique(resized(drawn, 64, 64).reshape(-1, 3), axis=0)) <= 4


def test_lines_stay_lines_when_they_grow() -> None:
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[20, 5:60] = 255
    large = resized(drawn, 192, 192)[..., 0]
    assert set(np.unique(large)) == {0, 255}
    assert (large[:, 60:120] == 255).sum(axis=0).max() == 1
    assert np.array_equal(thinned(large, prune=False), large)


def test_pixel_perfect_needs_no_scaling_afterwards() -> None:
    picture = np.zeros((152, 200, 3), np.uint8)
    assert pixel_perfect_resolution(picture, 128, 128, "Crop and Resize") == 128
    assert pixel_perfect_resolution(picture, 128, 128, "Resize and Fill") == 97
    padded, inner = resized_for(picture, 128)
    assert padded.shape[:2] == (128, 192)
    assert inner == (128, 168)


def test_img2img_lends_its_picture_its_fit_and_its_mask() -> None:
    mask = Image.new("L", (90, 60))
    mask.paste(255, (30, 20, 60, 40))
    painting = Inpainting(mask=Mask.of(mask), mask_blur_x=0, mask_blur_y=0)
    task = Img2Img(image=PICTURE, resize_mode="fill", inpainting=painting)
    [unit] = prepare(enabled(module="inpaint_only", model="m"), REQUEST.with_(task=task), NO_MODELS, CPU)
    assert unit.unit.resize_mode == "Resize and Fill"
    assert unit.module.name == "inpaint_global_harmonious"  # the task masks already
    assert unit.mask is not None
    assert (unit.mask[20:40, 30:60] == 255).all()
    assert unit.mask.sum() == 255 * 600
    assert float(unit.hint(64, 64).min()) == -1


def test_only_masked_crops_what_a_unit_sees_unless_it_is_told_not_to() -> None:
    mask = Image.new("L", (90, 60))
    mask.paste(255, (0, 0, 20, 20))
    painting = Inpainting(mask=Mask.of(mask), mask_blur_x=0, mask_blur_y=0, area="masked", padding=0)
    request = REQUEST.with_(task=Img2Img(image=PICTURE, inpainting=painting))
    [cropped] = prepare(enabled(module="none", model="m"), request, NO_MODELS, CPU)
    assert cropped.picture.shape == (64, 64, 3)
    corner = Image.fromarray(NOISE[:20, :20]).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.array_equal(cropped.picture, np.asarray(corner))
    [whole] = prepare(enabled(module="none", model="m", inpaint_crop_input_image=False), request, NO_MODELS, CPU)
    assert whole.picture.shape == (60, 90, 3)


# weights, windows and corrections


def test_soft_weights_fade_towards_the_shallow_layers() -> None:
    unit = Unit(weight=2.0, control_mode="My prompt is more important")
    assert layer_weights(unit, 13, soft=False) == (2.0,) * 13
    soft = layer_weights(unit, 13, soft=True)
    assert soft[-1] == 2.0
    assert soft[0] == pytest.approx(2 * 0.825**12)
    assert layer_weights(unit, 10, soft=True) == soft[:10]  # SDXL
    assert adapter_weights(unit, 4, soft=True) == (0.5, 1.24, 1.65, 2.0)
    assert layer_weights(unit.model_copy(update={"advanced_weighting": (0.5,) * 13}), 13, soft=True) == (0.5,) * 13


def test_no_weight_is_no_control_and_rows_and_regions_are_kept_to() -> None:
    residual = torch.randn(2, 4, 8, 8)
    assert not weighted([residual], [0.0])[0].any()
    rows = weighted([residual], [1.0], rows=torch.tensor([True, False]))[0]
    assert torch.equal(rows[0], residual[0])
    assert not rows[1].any()
    region = torch.zeros(1, 1, 64, 64)
    region[..., 32:] = 1
    inside = weighted([residual], [1.0], region=region)[0]
    assert not inside[..., :3].any()
    assert torch.equal(inside[..., 5:], residual[..., 5:])
    mean = weighted([residual], [1.0], averaged=True)[0]
    torch.testing.assert_close(mean, residual.mean((2, 3), keepdim=True).expand_as(residual))


@pytest.mark.parametrize(
    ("unit", "hires", "steps"),
    [
        (Unit(guidance_end=0.5), False, range(11)),
        (Unit(guidance_start=0.5), False, range(10, 20)),
        (Unit(hr_option="Low res only"), True, range(0)),
        (Unit(hr_option="High res only"), True, range(20)),
        (Unit(hr_option="High res only"), False, range(0)),
    ],
)
def test_a_unit_acts_in_its_window(unit: Unit, hires: bool, steps: range) -> None:
    assert [step for step in range(20) if is_within(unit, step, 20, hires=hires)] == list(steps)


def test_feature_maps_halve_upwards() -> None:
    assert level_sizes((19, 16), (0, 1, 2, 3)) == [(19, 16), (10, 8), (5, 4), (3, 2)]


@pytest.mark.parametrize("is_v", [False, True])
def test_corrections_of_the_clean_estimate(is_v: bool) -> None:
    torch.manual_seed(0)
    clean, noise, source = torch.randn(3, 1, 4, 8, 8)
    time, positive = torch.tensor([400.0]), torch.tensor([True])
    prediction, sample = Prediction(is_v), noised(clean, time, noise)
    output = prediction.output(sample, time, clean)
    torch.testing.assert_close(prediction.clean(sample, time, output), clean, atol=1e-4, rtol=1e-4)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 32:] = 1
    kept = Correction(source, 1.0, mask=latent_mask(mask, 8))(prediction, sample, time, positive, output)
    after = prediction.clean(sample, time, kept)
    torch.testing.assert_close(after[..., :3], source[..., :3], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(after[..., 4:], clean[..., 4:], atol=1e-4, rtol=1e-4)
    tinted = Correction(source, 1.0, radius=8)(prediction, sample, time, positive, output)
    mean = averaged(prediction.clean(sample, time, tinted), 8) - averaged(clean - averaged(clean, 8), 8)
    torch.testing.assert_close(mean, averaged(averaged(source, 8), 8), atol=1e-4, rtol=1e-4)
    unchanged = Correction(source, 0.0, radius=8)(prediction, sample, time, positive, output)
    torch.testing.assert_close(unchanged, output)


# the extension


class Context:
    """As much of an action's context as these actions ask for."""

    def __init__(self, folder: Path) -> None:
        self.models = self
        self.device = CPU
        self.tools = NO_TOOLS
        self.folder = folder

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self.folder.iterdir()))

    def find(self, kind: str, name: str) -> Path:
        return self.folder / name

    def refresh(self) -> None: ...
    def progress(self, done: int, total: int, text: str) -> None: ...


def answer(route: str, folder: Path, **given: Any) -> Any:
    action = next(one for one in ACTIONS if route in one.routes)
    return action.run(action.options.model_validate(given), untyped(Context(folder))).data


def test_the_routes_answer_as_a1111s(tmp_path: Path) -> None:
    (tmp_path / "control_canny.safetensors").write_bytes(b"\0" * (1 << 20) + b"x" * 100)
    assert answer("GET /controlnet/version", tmp_path) == {"version": 3}
    assert answer("GET /controlnet/settings", tmp_path) == {"control_net_unit_count": 3}
    [title] = answer("GET /controlnet/model_list", tmp_path, update=True)["model_list"]
    assert title.startswith("control_canny [")
    assert len(title) == len("control_canny [01234567]")
    modules = answer("GET /controlnet/module_list", tmp_path)
    assert modules["module_list"][0] == "none"
    assert modules["module_detail"]["canny"]["sliders"][1]["value"] == 100
    assert modules["module_detail"]["reference_only"]["model_free"]
    assert not modules["module_detail"]["depth_midas"]["available"]
    types = answer("GET /controlnet/control_types", tmp_path)["control_types"]
    assert types["Canny"]["default_model"] == title
    assert types["Depth"]["model_list"] == ["None"]


@pytest.mark.parametrize("prefix", ["controlnet_", ""])
def test_a_preprocessor_can_be_seen_before_generating(prefix: str, tmp_path: Path) -> None:
    given = {f"{prefix}module": "canny", f"{prefix or ''}processor_res": 64, f"{prefix}threshold_a": 10}
    given |= {"controlnet_input_images": [BASE64]} if prefix else {"image": BASE64}
    data = answer("POST /controlnet/detect", tmp_path, **given)
    [encoded] = data["images"]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))
    assert np.array_equal(shown, PREPROCESSORS["canny"](NOISE, Settings(64, 10, 200)))


@pytest.mark.parametrize(
    ("given", "said"),
    [({"module": "canny"}, "No image selected"), ({"module": "depth_leres", "image": BASE64}, "not built in")],
)
def test_detect_refuses_in_words(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match=said):
        detect(DetectOptions.model_validate(given), Context(tmp_path))  # type: ignore[arg-type]


def test_it_stays_out_of_jobs_that_do_not_ask_for_it() -> None:
    class Job:
        options: ControlOptions | None = None

    assert plugin.join_job(Job()) is None  # type: ignore[arg-type]
    Job.options = ControlOptions(units=(Unit(),))
    assert plugin.join_job(Job()) is None  # type: ignore[arg-type]

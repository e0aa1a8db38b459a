"""Preprocessors with networks of the user's: found by folder, read as data, their maps, and what is refused."""

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from extensions.controlnet.actions import ACTIONS
from extensions.controlnet.depth import depth_map, normal_map
from extensions.controlnet.network_preprocessors import load, network_preprocessor
from extensions.controlnet.options import ControlOptions, Unit
from extensions.controlnet.preprocessors import Settings
from extensions.controlnet.segmentation import colours
from extensions.controlnet.units import prepare
from tests.extensions.map_models import models_of, write
from webui.domain.errors import BadRequestError, UnusableFileError
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.extension_api.action import ActionContext
from webui.weights.depth import DepthNetwork
from webui.weights.inputs import Input

CPU = torch.device("cpu")
NOISE = np.random.RandomState(0).randint(0, 256, (64, 96, 3)).astype(np.uint8)
PICTURE = Picture.of(Image.fromarray(NOISE))
SETTINGS = Settings(64)
KINDS = {
    "depth_midas": "hybrid",
    "depth_anything": "depth_anything",
    "depth_anything_v2": "depth_anything",
    "depth_zoe": "zoedepth",
    "seg_ufade20k": "upernet",
    "seg_ofade20k": "segformer",
}
Folder = Callable[[str], Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("written")
    for kind in {*KINDS.values(), "dpt"}:
        write(kind, root / kind)
    return root


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Folder:
    """Puts a network of a kind into the folder of `depth_midas`, or of the module that it is for."""

    def put(kind: str) -> Path:
        name = next((one for one, its in KINDS.items() if its == kind), "depth_midas")
        place = tmp_path / "ControlNetPreprocessor" / name
        shutil.copytree(written / kind, place)
        return place

    return put


def run(route: str, models_dir: Path, **given: Any) -> Any:
    action = next(one for one in ACTIONS if route in one.routes)
    context = ActionContext(models_of(models_dir), lambda *told: None, lambda: False, CPU, torch.float32)
    return action.run(action.options.model_validate(given), context).data


@pytest.mark.parametrize("kind", ["hybrid", "dpt", "depth_anything", "zoedepth"])
def test_a_map_has_the_size_of_the_picture_and_the_whole_range(kind: str, folder: Folder, tmp_path: Path) -> None:
    name, models = folder(kind).name, models_of(tmp_path)
    draw = network_preprocessor(name, models, CPU)
    drawn = draw(NOISE, SETTINGS)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (64, 96, 3)
    assert (drawn == drawn[:, :, :1]).all()
    padded = draw(np.tile(NOISE, (2, 2, 1))[:70, :70], Settings(128))
    assert padded.shape == (128, 128, 3)
    assert (padded.min(), padded.max()) == (0, 255)
    assert (draw(NOISE, SETTINGS) == drawn).all()
    assert (network_preprocessor(name, models_of(tmp_path), CPU)(NOISE, SETTINGS) == drawn).all()


@pytest.mark.parametrize("kind", ["upernet", "segformer"])
def test_segmentation_is_drawn_in_the_colours_of_ade20k(kind: str, folder: Folder, tmp_path: Path) -> None:
    name, models = folder(kind).name, models_of(tmp_path)
    drawn = network_preprocessor(name, models, CPU)(NOISE, SETTINGS)
    assert drawn.shape == (64, 96, 3)
    known = {tuple(colour) for colour in colours().tolist()}
    seen = {tuple(colour) for colour in np.unique(drawn.reshape(-1, 3), axis=0).tolist()}
    assert seen <= known
    assert (network_preprocessor(name, models_of(tmp_path), CPU)(NOISE, SETTINGS) == drawn).all()
    assert run("GET /controlnet/module_list", tmp_path)["module_detail"][name]["available"]


def test_the_palette_is_that_of_the_benchmark() -> None:
    palette = colours()
    assert palette.shape == (150, 3)
    assert palette[:3].tolist() == [[120, 120, 120], [180, 120, 120], [6, 230, 230]]  # wall, building, sky
    assert palette[-1].tolist() == [92, 0, 255]  # flag
    assert len({tuple(colour) for colour in palette.tolist()}) == 149  # road and skyscraper share theirs


@pytest.mark.parametrize("kind", ["hybrid", "dpt"])
def test_a_square_picture_is_answered_as_transformers_answers(kind: str, folder: Folder, tmp_path: Path) -> None:
    place = folder(kind)
    network = load(place.name, place / "model.safetensors", models_of(tmp_path), CPU)
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = network.module((pixels - 0.5) / 0.5).predicted_depth[:, None]
    torch.testing.assert_close(network(pixels, resized=False), expected, rtol=1e-5, atol=1e-5)


def test_a_network_is_kept_for_further_jobs(folder: Folder, tmp_path: Path) -> None:
    place, models = folder("hybrid"), models_of(tmp_path)
    weights = place / "model.safetensors"
    assert load(place.name, weights, models, CPU) is load(place.name, weights, models, CPU)


class Ramp(DepthNetwork):
    """Answers with the red of what it is shown."""

    def __init__(self, *, is_distance: bool) -> None:
        super().__init__(torch.nn.Identity(), Input(64, 64, 32, "least"), takes_any=True, is_distance=is_distance)

    def __call__(self, pixels: torch.Tensor, *, resized: bool = True) -> torch.Tensor:
        return pixels[:, :1] * 7 + 2


def test_near_is_bright() -> None:
    ramp = np.repeat(np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 4, 64, 0), 3, 2)
    near, far = (depth_map(Ramp(is_distance=one), ramp, SETTINGS) for one in (False, True))
    assert (near[0, 0, 0], near[0, -1, 0]) == (0, 255)
    assert (far[0, 0, 0], far[0, -1, 0]) == (255, 0)
    assert (np.diff(far[0, :, 0].astype(int)) <= 0).all()
    assert far[0, 55, 0] == 0  # the farthest 15 of a hundred are cut off
    assert (depth_map(Ramp(is_distance=False), np.full_like(ramp, 90), SETTINGS) == 0).all()


def test_normals_follow_the_slope_of_depth() -> None:
    ramp = np.repeat(np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 4, 64, 0), 3, 2)
    drawn = normal_map(Ramp(is_distance=False), ramp, Settings(64, threshold_a=0.4)).astype(int)
    slope = 8 * 4 / 255 * 7  # of Sobel's filter on a ramp of that step
    length = np.hypot(slope, 2 * np.pi)
    steep = [2 * np.pi / length, 0, slope / length]
    np.testing.assert_allclose(drawn[32, 50], np.array(steep) * 127.5 + 127.5, atol=1)
    assert drawn[32, 10].tolist() == [255, 127, 127]  # far away


def test_normals_are_drawn_by_the_network_of_depth(folder: Folder, tmp_path: Path) -> None:
    folder("hybrid")
    assert run("GET /controlnet/module_list", tmp_path)["module_detail"]["normal_midas"]["available"]
    drawn = network_preprocessor("normal_midas", models_of(tmp_path), CPU)(NOISE, Settings(64, threshold_a=0.0))
    assert drawn.shape == (64, 96, 3)
    assert drawn[:, :, 0].min() >= 127


def test_the_list_says_what_is_there_and_what_belongs_where(folder: Folder, tmp_path: Path) -> None:
    details = run("GET /controlnet/module_list", tmp_path)["module_detail"]
    for name in KINDS:
        assert not details[name]["available"]
        assert f"models/ControlNetPreprocessor/{name}" in details[name]["needs"]
    assert "Intel/dpt-hybrid-midas" in details["depth_midas"]["needs"]
    assert "not built in" in details["depth_leres"]["needs"]
    assert details["depth_leres"]["instead"] == ["depth_anything", "depth_midas"]
    assert "research only" in details["openpose_full"]["note"]
    folder("hybrid")
    details = run("GET /controlnet/module_list", tmp_path)["module_detail"]
    assert details["depth_midas"]["available"]
    assert not details["depth_zoe"]["available"]


def test_a_map_can_be_seen_before_generating_and_serves_a_unit(folder: Folder, tmp_path: Path) -> None:
    folder("hybrid")
    encoded = PICTURE.to_base64()
    data = run("POST /controlnet/detect", tmp_path, module="depth", image=encoded, processor_res=64)
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["images"][0]))))
    unit = Unit.model_validate({"enabled": True, "module": "depth_midas", "model": "m", "image": encoded,
                                "processor_res": 64})  # fmt: skip
    request = GenerationRequest(prompt="a cat", seed=1, width=96, height=64)
    [prepared] = prepare(ControlOptions(units=(unit,)), request, models_of(tmp_path), CPU)
    assert (prepared.map_for(64, 96) == seen).all()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda place: shutil.rmtree(place), "Intel/dpt-hybrid-midas in models/ControlNetPreprocessor/depth_midas"),
        (lambda place: (place / "model.safetensors").rename(place / "pytorch_model.bin"),
         "holds pytorch_model.bin, which is not read here; put model.safetensors"),
        (lambda place: (place / "config.json").unlink(), "depth_midas/config.json: cannot be read"),
        (lambda place: (place / "model.safetensors").write_bytes((place / "model.safetensors").read_bytes()[:-9]),
         "truncated"),
        (lambda place: (place / "config.json").write_text(" " * 70000), "longer than"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_before_the_work(
    spoil: Callable[[Path], object], said: str, folder: Folder, tmp_path: Path
) -> None:
    spoil(folder("hybrid"))
    with pytest.raises(BadRequestError, match=said) as caught:
        run("POST /controlnet/detect", tmp_path, module="depth_midas", image=PICTURE.to_base64(), processor_res=64)
    assert caught.value.field == "module"
    assert not run("GET /controlnet/module_list", tmp_path)["module_detail"]["depth_midas"]["available"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"num_hidden_layers": 100000}, "beyond the limits"),
        ({"hidden_size": 10**12}, "beyond the limits"),
        ({"intermediate_size": 65536}, "but model.safetensors holds"),
        ({"hidden_act": "../../x"}, "beyond the limits"),
        ({"backbone": "facebook/x"}, "names a backbone to fetch"),
        ({"backbone_config": {"model_type": "timm_backbone", "backbone": "x"}}, "the backbone 'timm_backbone'"),
        ({"num_attention_heads": 3}, "config.json"),
        ({"num_hidden_layers": 3}, "is missing"),
        ({"fusion_hidden_size": 8}, "does not fit its config.json"),
    ],
)
def test_a_configuration_is_data_within_limits(
    changes: dict[str, Any], said: str, folder: Folder, tmp_path: Path
) -> None:
    place = folder("hybrid")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(UnusableFileError, match=said):
        network_preprocessor("depth_midas", models_of(tmp_path), CPU)(NOISE, SETTINGS)


def test_nothing_named_in_a_configuration_is_fetched_or_run(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder("depth_anything")
    config = json.loads((place / "config.json").read_text())
    further = {"auto_map": {"AutoConfig": "evil.py"}, "_name_or_path": "someone/else", "attn_implementation": "a/b"}
    (place / "config.json").write_text(json.dumps(config | further))
    (place / "evil.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr("socket.socket.connect", _no_network)
    assert network_preprocessor(place.name, models_of(tmp_path), CPU)(NOISE, SETTINGS).shape == (64, 96, 3)


def _no_network(*given: object) -> None:
    raise AssertionError("a network connection was tried")


def test_a_missing_tensor_is_named(folder: Folder, tmp_path: Path) -> None:
    place = folder("zoedepth")
    state = load_file(place / "model.safetensors")
    del state["neck.convs.1.weight"]
    save_file(state, place / "model.safetensors")
    with pytest.raises(UnusableFileError, match=r"depth_zoe/model\.safetensors: tensor neck\.convs\.1\.weight"):
        network_preprocessor(place.name, models_of(tmp_path), CPU)(NOISE, SETTINGS)

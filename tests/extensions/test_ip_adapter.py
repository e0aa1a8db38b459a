"""Pictures as prompts in the program: units of ControlNet and of its own, what is refused."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from extensions.controlnet.handed_units import with_handed
from extensions.controlnet.options import ControlOptions, Unit
from extensions.ip_adapter.face_embedding import PLUS_SIDE, FaceReader, similarity
from extensions.ip_adapter.options import AdapterOptions, AdapterUnit
from extensions.ip_adapter.seen_pixels import MEAN, STD, seen_pixels
from extensions.ip_adapter.weight_types import WEIGHT_TYPES, LayerWeight, WeightType, given_weights, layer_weights
from tests.exact_back import exact_back
from tests.extensions.adapter_models import encoder, saved, tensors_of
from tests.library.small import CHANNELS, CONTEXT
from tests.processing.reporters import Silent
from webui.domain.errors import BadRequestError
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture
from webui.domain.model_folders import ModelFolder
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GenerationResult
from webui.output.parse import parse, read_fields
from webui.processing.back import Back

pytestmark = pytest.mark.usefixtures("pickles_here")
ROOT = Path(__file__).parents[2]
WIDTHS = (*[CHANNELS] * 5, 2 * CHANNELS)  # of the tiny checkpoint's cross attentions: encoder, decoder, middle
PLAIN, PLUS, FACE_ID = "ip-adapter_tiny", "ip-adapter-plus_tiny", "ip-adapter-faceid_tiny"
REQUEST = GenerationRequest(
    prompt="a cat", negative_prompt="b", checkpoint="tiny-sd1", sampler="Euler", steps=4, seed=5, width=64, height=64
)
GRADIENT = np.stack([*np.meshgrid(np.arange(0, 256, 4), np.arange(0, 256, 4)), np.full((64, 64), 90)], axis=-1)
PICTURE = Picture.of(Image.fromarray(GRADIENT.astype(np.uint8))).to_base64()
OTHER = Picture.of(Image.new("RGB", (80, 40), (200, 30, 60))).to_base64()


@pytest.fixture(scope="module")
def infos(back: Back) -> tuple[ExtensionInfo, ...]:
    return back.extensions()


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Back:
    folder = tmp_path_factory.mktemp("adapters")
    for name, kind, ending in ((PLAIN, "standard", "safetensors"), (PLUS, "plus", "bin"), (FACE_ID, "face", "bin")):
        saved(folder / "ipadapter" / f"{name}.{ending}", tensors_of(kind, WIDTHS, CONTEXT))
    (folder / "clip_vision" / "CLIP-ViT-H-14").mkdir(parents=True)
    save_file(encoder(), folder / "clip_vision" / "CLIP-ViT-H-14" / "model.safetensors")
    save_file(encoder(hidden=128, projected=80), folder / "clip_vision" / "clip_g.safetensors")
    kinds = {"controlnet": "ipadapter", "clip_vision": "clip_vision"}
    folders = tuple(ModelFolder(kind=kind, path=folder / name) for kind, name in kinds.items())
    return exact_back(
        models_dir=tiny_models_dir, data_dir=folder / "data", extensions_dir=ROOT / "extensions", model_folders=folders
    )


def run(back: Back, *units: dict[str, Any], **changes: Any) -> GenerationResult:
    extensions = {"ip_adapter": {"units": [{"image": PICTURE, "model": PLAIN, **unit} for unit in units]}}
    result = back.run(REQUEST.with_(extensions=extensions if units else {}, **changes), Silent())
    assert not result.notices
    return result


def shown(back: Back, *units: dict[str, Any], **changes: Any) -> np.ndarray:
    return np.asarray(run(back, *units, **changes).images[0].image).astype(int)


def test_a_picture_acts_and_at_weight_nothing_does_not(back: Back) -> None:
    plain = shown(back)
    full = shown(back, {})
    assert np.abs(full - plain).max() > 20
    for nothing in ({"weight": 0}, {"layer_weights": "0:0"}, {"passes": "High res only"}, {"enabled": False}):
        assert np.array_equal(shown(back, nothing), plain)
    early, late = shown(back, {"end": 0.2}), shown(back, {"start": 0.5})
    assert not any(np.array_equal(early, other) for other in (plain, full, late))
    assert not any(np.array_equal(late, other) for other in (plain, full))
    assert not np.array_equal(shown(back, {"image": OTHER}), full)
    assert not np.array_equal(shown(back, {"model": PLUS}), full)


def test_units_add_up_and_equal_pictures_are_one(back: Back) -> None:
    full = shown(back, {})
    assert np.abs(shown(back, {"weight": 0.5}, {"weight": 0.5}) - full).max() <= 1
    for combine in ("average", "concat", "norm average"):
        assert np.abs(shown(back, {"images": [PICTURE], "combine": combine}) - full).max() <= 1
        assert np.abs(shown(back, {"images": [OTHER], "combine": combine}) - full).max() > 1
    assert np.abs(shown(back, {"images": [OTHER], "combine": "subtract"}) - full).max() > 1


def test_a_unit_of_controlnet_is_one_with_a_squeezed_picture(back: Back) -> None:
    told = {
        "image": [{"image": OTHER}],
        "module": "ip-adapter_clip_sd15",
        "model": f"{PLAIN} [01234567]",
        "weight": 0.8,
    }
    result = back.run(REQUEST.with_(extensions={"controlnet": {"units": [told]}}), Silent())
    own = run(back, {"image": OTHER, "weight": 0.8, "fit": "squeeze"})
    assert np.array_equal(np.asarray(result.images[0].image), np.asarray(own.images[0].image))
    assert "IP-Adapter 0" not in result.images[0].infotext
    assert "Module: ip-adapter_clip_sd15, Model: ip-adapter_tiny [01234567], Weight: 0.8" in result.images[0].infotext
    assert result.images[0].request.extensions == {"controlnet": {"units": [told]}}


def test_the_infotext_restores_a_unit(back: Back, infos: tuple[ExtensionInfo, ...]) -> None:
    unit = {"weight": 0.6, "weight_type": "style transfer", "start": 0.25, "end": 0.75, "combine": "concat"}
    text = run(back, unit).images[0].infotext
    assert (
        'IP-Adapter 0: "Model: ip-adapter_tiny, Weight: 0.6, Weight Type: style transfer, Guidance Start: 0.25, '
        'Guidance End: 0.75, Combine: concat"'
    ) in text
    read = AdapterOptions.model_validate(read_fields(parse(text), infos).request.extensions["ip_adapter"])
    assert read == AdapterOptions(units=(AdapterUnit.model_validate({"model": PLAIN, **unit}),))


@pytest.mark.parametrize(
    ("unit", "place", "told"),
    [
        ({"model": "nothing"}, "units.0.model", "no 'nothing' in"),
        ({"model": "tiny-lora"}, "units.0.model", "no 'tiny-lora' in"),
        ({"encoder": "clip_g.safetensors"}, "units.0.encoder", "is not the image encoder of ip-adapter_tiny"),
        ({"model": FACE_ID}, "units.0.model", "w600k_r50.onnx .* in models/insightface and face_detection_yunet"),
        ({"image": None}, "units.0.image", "there is no picture"),
        ({"layer_weights": "9:1"}, "units.0.model", "the transformers 0 to 5"),
        ({"start": 0.7, "end": 0.2}, "units.0", "start 0.7 comes after end 0.2"),
        ({"face_embedding": [1.0]}, "units.0.face_embedding", "ArcFace gives 512"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(unit: dict[str, Any], place: str, told: str, back: Back) -> None:
    with pytest.raises(BadRequestError, match=f"^extensions.ip_adapter.{place}: .*{told}"):
        run(back, unit)


def test_a_face_may_come_as_numbers(back: Back) -> None:
    numbers = torch.randn(512, generator=torch.Generator().manual_seed(1)).tolist()
    plain = shown(back)
    faced = shown(back, {"model": FACE_ID, "image": None, "face_embedding": numbers})
    assert np.abs(faced - plain).max() > 5
    # a file of FaceID reads what direction the numbers have
    twice = shown(back, {"model": FACE_ID, "image": None, "face_embedding": [2 * one for one in numbers]})
    assert np.array_equal(twice, faced)


class TestHanding:
    """ControlNet's units, given to the other extension."""

    def handed(self, request: GenerationRequest = REQUEST, **fields: Any) -> AdapterUnit:
        unit = Unit.model_validate({"enabled": True, "module": "ip-adapter-auto", "model": PLAIN, **fields})
        given = with_handed(request, ControlOptions(units=(Unit(), unit)), {"ip_adapter"})
        [only] = AdapterOptions.model_validate(given.extensions["ip_adapter"]).units
        return only

    def test_its_fields_are_taken_over(self) -> None:
        pictures = [{"image": PICTURE, "mask": None}, {"image": OTHER}]
        unit = self.handed(
            image=pictures, weight=0.4, guidance_start=0.1, guidance_end=0.6, advanced_weighting=[1, 0.5],
            effective_region_mask=OTHER, hr_option="Low res only", module="ip-adapter_clip_sdxl",
        )  # fmt: skip
        assert unit.image is not None
        assert unit.image.to_base64() == PICTURE
        assert [one.to_base64() for one in unit.images] == [OTHER]
        assert (unit.weight, unit.start, unit.end, unit.passes) == (0.4, 0.1, 0.6, "Low res only")
        assert (unit.encoder, unit.fit, unit.layer_weights) == ("clip_g", "squeeze", "1.0, 0.5")
        assert unit.told_by == "extensions.controlnet.units.1"

    def test_img2img_lends_its_picture(self) -> None:
        image = Picture.from_base64(OTHER)
        assert self.handed(REQUEST.with_(task=Img2Img(image=image))).image == image

    def test_without_picture_model_or_extension_it_is_refused(self) -> None:
        with pytest.raises(BadRequestError, match=r"units\.1\.image: there is no picture"):
            self.handed()
        with pytest.raises(BadRequestError, match=r"units\.1\.model: .* needs a model"):
            self.handed(image=PICTURE, model="None")
        units = (Unit.model_validate({"module": "ip-adapter-auto", "model": "a", "image": PICTURE}),)
        with pytest.raises(BadRequestError, match=r"module: needs the extension ip_adapter"):
            with_handed(REQUEST, ControlOptions(units=units), ())


def weights(kind: WeightType, count: int = 16) -> list[float]:
    return [one.weight for one in layer_weights(kind, 1.0, 0.5, count, 6 if count == 16 else 4)]


def test_weights_by_layer_follow_their_names() -> None:
    assert weights("linear") == [1.0] * 16
    assert weights("ease in")[:2] == pytest.approx([1.0, 0.05 + 0.95 * 15 / 16])
    assert weights("ease out") == pytest.approx([0.05 + 0.95 * at / 16 for at in range(16)])
    assert weights("ease in-out")[8] == 1
    assert weights("reverse in-out")[8] == pytest.approx(0.05)
    assert weights("weak input") == [0.2] * 6 + [1.0] * 10
    assert weights("weak output") == [1.0] * 7 + [0.2] * 9
    assert weights("weak middle")[6] == 0.2
    assert weights("strong middle", 11) == [0.2] * 4 + [1.0] + [0.2] * 6
    assert [at for at, one in enumerate(weights("style transfer")) if one] == [0, 1, 2, 3, *range(9, 16)]
    assert weights("style transfer", 11) == [0.0] * 6 + [1.0] + [0.0] * 4
    assert weights("composition")[4:6] == [0.25, 1.0]
    assert weights("strong style transfer", 11) == [1.0] * 3 + [0.0] + [1.0] * 7
    assert weights("style and composition", 11) == [0.0] * 3 + [0.5, 0.0, 0.0, 1.0] + [0.0] * 4
    assert weights("strong style and composition", 11) == [1.0] * 3 + [0.5] + [1.0] * 7
    precise = layer_weights("style transfer precise", 1.0, 0.5, 11, 4)
    assert [at for at, one in enumerate(precise) if one.takes_away] == [3]
    precise = layer_weights("composition precise", 1.0, 0.5, 11, 4)
    assert [at for at, one in enumerate(precise) if not one.takes_away] == [3]
    assert all(len(weights(kind, count)) == count for kind in WEIGHT_TYPES for count in (11, 16))


def test_weights_may_be_written_by_hand() -> None:
    assert given_weights("1, 0.5", 0.8, 4) == tuple(map(LayerWeight, (1, 0.5, 0.8, 0.8)))
    assert given_weights("3:0.5, 1:2", 1, 4) == tuple(map(LayerWeight, (0, 2, 0, 0.5)))
    for wrong in ("a", "1, 2:3", "-1:2"):
        with pytest.raises(ValueError, match=wrong.split(",")[0]):
            given_weights(wrong, 1, 4)


def test_what_is_seen_is_a_square() -> None:
    wide = Image.new("RGB", (60, 30), (255, 0, 0))
    wide.paste((0, 0, 255), (0, 0, 15, 30))  # what the crop leaves out
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (MEAN, STD))
    crop, squeeze, pad = (seen_pixels(wide, None, fit, 28)[0] * std + mean for fit in ("crop", "squeeze", "pad"))
    assert crop.shape == squeeze.shape == pad.shape == (3, 28, 28)
    assert crop[2, :, 2:].max() < 0.1
    assert squeeze[2, :, 0].min() > 0.9
    assert (pad[:, :6] - mean).abs().max() < 0.01
    hidden = seen_pixels(wide, Image.new("L", (60, 30), 255), "crop", 28)
    assert not hidden.any()


def test_a_face_is_turned_upright() -> None:
    target = np.array([(38.0, 51.0), (73.0, 51.0), (56.0, 71.0), (41.0, 92.0), (70.0, 92.0)])
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    found = similarity(target @ turn.T + (300, 20), target)
    np.testing.assert_allclose((target @ turn.T + (300, 20)) @ found[:, :2].T + found[:, 2], target, atol=1e-9)
    assert PLUS_SIDE == 224


def test_the_largest_face_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for the networks of others: what they are handed, and what is done with their answers."""
    handed: list[np.ndarray] = []

    class Detector:
        def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802  # as OpenCV calls it
            assert size == (1280, 640)

        def detect(self, bgr: np.ndarray) -> tuple[int, np.ndarray]:
            assert bgr[0, 0].tolist() == [60, 30, 200]
            points = np.array([(38, 51), (73, 51), (56, 71), (41, 92), (70, 92)], np.float32)
            large = [0, 0, 300, 300, *(points + np.array((200, 100))).ravel(), 0.9]
            return 1, np.array([[0, 0, 9, 9, *[1.0] * 10, 1.0], large], np.float32)

    class Recogniser:
        def setInput(self, blob: np.ndarray) -> None:  # noqa: N802
            handed.append(blob)

        def forward(self) -> np.ndarray:
            return np.full((1, 512), 2.0)

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *_: Detector())
    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", lambda _: Recogniser())
    face = FaceReader(Path("a"), Path("b"))(Image.new("RGB", (2560, 1280), (200, 30, 60)))
    assert face is not None
    assert (face.embedding.shape, face.crop.size) == ((512,), (224, 224))
    assert handed[0].shape == (1, 3, 112, 112)
    np.testing.assert_allclose(handed[0][0, :, 56, 56], (np.array([200, 30, 60]) - 127.5) / 127.5, atol=1e-6)

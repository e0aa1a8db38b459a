"""The job, the files and the doors of restored faces."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from extensions.face_restore import detection, face_job
from extensions.face_restore.alignment import Face
from extensions.face_restore.dialect import dialect_of_faces
from extensions.face_restore.face_job import FaceJob, RestorerPass, fields, join
from extensions.face_restore.options import FaceOptions, NoOptions
from extensions.face_restore.plugin import join_job, list_restorers
from extensions.face_restore.restorer_files import DETECTOR, detector_name, restorer_name, usable_restorers
from extensions.face_restore.restorer_networks import load
from extensions.face_restore.restoring import Detector, Restorer
from tests.extensions.drawn_faces import changed, face_at, green, picture, same
from tests.narrowing import channels, known, untyped
from webui.api.body import InvalidBodyError
from webui.api.sdapi.dialect.honoured import options_of_generation, told
from webui.api.sdapi.routes import extras
from webui.domain.errors import UnusableFileError
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.domain.result import ModelFacts
from webui.domain.upscale import Upscale
from webui.extension_api.action import ActionContext
from webui.extension_api.job_context import JobContext
from webui.imaging.upscale import by_filter
from webui.library.library import ModelLibrary
from webui.output import parse
from webui.output.infotext import InfoFacts, write
from webui.plugins.jobhooks import JobHooks
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.plugins.options import schema_of
from webui.processing.extras_job import upscale_pictures
from webui.weights.families.registry import FAMILIES


def finder(*faces: Face) -> Detector:
    return lambda pixels: faces


def job_of(
    faces: Sequence[Face], *passes: RestorerPass, extras: bool = False, stopped: Callable[[], bool] = lambda: False
) -> tuple[FaceJob, list[str]]:
    notices: list[str] = []
    return FaceJob(finder(*faces), passes, extras=extras, notice=notices.append, stopped=stopped), notices


def test_a_job_restores_and_tells() -> None:
    member, notices = job_of([face_at(200, 150)], RestorerPass("CodeFormer", 1.0, lambda: green, 0.5))
    hooks = JobHooks()
    hooks.join("face_restore", member)
    made = hooks.edit_image(picture(), 0)
    assert channels(made, 200, 150)[1] > 250
    assert hooks.fields(0) == {"Face restoration": "CodeFormer"}
    assert notices == []


def test_a_picture_without_faces_stays_and_is_told_of() -> None:
    member, notices = job_of([], RestorerPass("GFPGAN", 1.0, lambda: green))
    assert member.edit_image(picture(), 2) is None
    assert member.image_fields() is None
    assert notices == ["no face was found in image 3"]


def test_gfpgan_works_before_codeformer() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[], Restorer]:
        def give() -> Restorer:
            order.append(name)
            return same

        return give

    passes = [RestorerPass("GFPGAN", 0.5, named("GFPGAN")), RestorerPass("CodeFormer", 1.0, named("CodeFormer"), 0.2)]
    member, _ = job_of([face_at(200, 150)], *passes, extras=True)
    member.edit_image(picture(), 0)
    assert order == ["GFPGAN", "CodeFormer"]
    assert dict(known(member.image_fields())) == {
        "GFPGAN visibility": "0.5", "CodeFormer visibility": "1.0", "CodeFormer weight": "0.2"
    }  # fmt: skip


def test_fields_outside_of_extras_tell_only_what_is_unusual() -> None:
    assert fields([RestorerPass("CodeFormer", 0.25, lambda: same, 0.5)], extras=False) == {
        "Face restoration": "CodeFormer", "CodeFormer visibility": "0.25"
    }  # fmt: skip


def test_a_stopped_job_gives_the_picture_back() -> None:
    member, _ = job_of([face_at(200, 150)], RestorerPass("GFPGAN", 1.0, lambda: green), stopped=lambda: True)
    assert member.edit_image(picture(), 0) is None


def test_a_network_that_fails_costs_only_the_restoring() -> None:
    def broken() -> Restorer:
        raise UnusableFileError("GFPGAN.pth: truncated")

    member, _ = job_of([face_at(200, 150)], RestorerPass("GFPGAN", 1.0, broken))
    hooks = JobHooks()
    hooks.join("face_restore", member)
    image = picture()
    assert hooks.edit_image(image, 0) is image
    assert "truncated" in hooks.notices[0].text


# Files


def context(
    tmp_path: Path, options: FaceOptions | None, request: GenerationRequest | None = None
) -> tuple[JobContext, list[str]]:
    notices: list[str] = []
    models = LibraryModels(ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES))
    request = request or GenerationRequest(prompt="a face")
    return JobContext(request, options, torch.device("cpu"), torch.float32, models, notices.append), notices


def put(tmp_path: Path, name: str, content: bytes = b"not a network") -> Path:
    path = tmp_path / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def put_tensors(tmp_path: Path, name: str) -> Path:
    """A file of tensors of no known network; under a pickle's name it is read as what it is."""
    path = put(tmp_path, name)
    save_file({"some.weight": torch.zeros(2)}, path)
    return path


def tiny_restorer(path: Path) -> None:
    """A RestoreFormer of random weights, as small as it can be."""
    from webui.weights.recognise import without_torchvision

    with without_torchvision():
        from spandrel.architectures.RestoreFormer import RestoreFormer
    torch.manual_seed(1)
    network = RestoreFormer(
        n_embed=8, embed_dim=32, ch=32, out_ch=3, ch_mult=(1, 1, 1, 1, 1, 1), num_res_blocks=1, attn_resolutions=(16,),
        dropout=0.0, in_channels=3, resolution=512, z_channels=32, double_z=False, enable_mid=True, head_size=8,
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path)


def test_without_the_request_or_with_nothing_visible_nobody_joins(tmp_path: Path) -> None:
    for options in (None, FaceOptions(codeformer_visibility=0)):
        job, notices = context(tmp_path, options)
        assert join_job(job) is None
        assert notices == []


def test_a_missing_detector_is_one_sentence(tmp_path: Path) -> None:
    job, notices = context(tmp_path, FaceOptions())
    assert join_job(job) is None
    assert notices == [f"finding faces needs the file {DETECTOR} in models/detectors; no face was restored"]


def test_a_missing_restorer_is_one_sentence(tmp_path: Path) -> None:
    put(tmp_path, f"detectors/{DETECTOR}")
    job, notices = context(tmp_path, FaceOptions())
    assert join(job, FaceOptions()) is None
    assert notices == ["CodeFormer needs its file in models/Codeformer; the faces were not restored by it"]


def test_a_detector_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    put(tmp_path, f"detectors/{DETECTOR}")
    tiny_restorer(tmp_path / "models/GFPGAN/RestoreFormer.safetensors")
    options = FaceOptions(codeformer_visibility=0, gfpgan_visibility=1)
    job, notices = context(tmp_path, options)
    assert join(job, options) is None
    assert len(notices) == 1
    assert notices[0].startswith(f"{DETECTOR}: OpenCV cannot read it")


def test_files_are_chosen_by_name(tmp_path: Path) -> None:
    for name in ("GFPGANv1.3.pth", "GFPGANv1.4.pth", "RestoreFormer.pth", "detection_Resnet50_Final.pth"):
        put_tensors(tmp_path, f"GFPGAN/{name}")
    put_tensors(tmp_path, "Codeformer/codeformer-v0.1.0.pth")
    put(tmp_path, f"GFPGAN/{DETECTOR}")
    models = context(tmp_path, None)[0].models
    assert restorer_name(models, "GFPGAN") == "GFPGANv1.4.pth"
    assert restorer_name(models, "CodeFormer") == "codeformer-v0.1.0.pth"
    assert detector_name(models) == DETECTOR
    assert [one["name"] for one in usable_restorers(models)] == ["CodeFormer", "GFPGAN"]


def test_the_list_of_restorers_is_empty_without_files(tmp_path: Path) -> None:
    job, _ = context(tmp_path, None)
    told = list_restorers(
        NoOptions(), ActionContext(job.models, lambda *told: None, lambda: False, job.device, job.dtype)
    )
    assert told.data == []


def test_a_tiny_random_network_is_recognised_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_restorer(tmp_path / "models/GFPGAN/RestoreFormer.safetensors")
    put(tmp_path, f"detectors/{DETECTOR}")
    monkeypatch.setattr(face_job, "YuNet", lambda path: finder(face_at(200, 150)))
    options = FaceOptions(codeformer_visibility=0, gfpgan_visibility=1)
    job, notices = context(tmp_path, options)
    member = known(join(job, options))
    image = picture()
    made = known(member.edit_image(image, 0))
    assert changed(made, image).any()
    assert notices == []


class FakeYuNet:
    """What OpenCV's class answers: rows of box, five points, score; None for no face."""

    def __init__(self, faces: list[tuple[Face, float]]) -> None:
        self.faces = faces
        self.sizes: list[tuple[int, int]] = []

    def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802
        self.sizes.append(size)

    def detect(self, pixels: NDArray[np.uint8]) -> tuple[int, NDArray[np.float32] | None]:
        height, width = pixels.shape[:2]
        assert (width, height) == self.sizes[-1]
        scale = width / 2000
        rows = [
            [
                *(face.points.min(0) * scale),
                *(np.ptp(face.points, axis=0) * scale),
                *(face.points * scale - 0.5).ravel(),
                s,
            ]
            for face, s in self.faces
        ]
        return 1, np.array(rows, np.float32) if rows else None


def test_faces_are_looked_for_in_two_sizes_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = face_at(400, 300, 100), face_at(1500, 500, 40)
    fake = FakeYuNet([(first, 0.8), (second, 0.9)])
    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *given: fake)
    found = detection.YuNet(Path("yunet.onnx"))(np.zeros((1000, 2000, 3), np.uint8))
    assert fake.sizes == [(1280, 640), (320, 160)]
    assert [face.score for face in found] == pytest.approx([0.9, 0.8])
    assert np.allclose(found[0].points, second.points, atol=0.01)
    fake.faces.clear()
    assert detection.YuNet(Path("yunet.onnx"))(np.zeros((1, 2000, 3), np.uint8)) == []


INFOS = (ExtensionInfo("face_restore", "face_restore", options=schema_of(FaceOptions), dialect=dialect_of_faces()),)


def restoring(restore_faces: bool | None, settings: dict[str, Any]) -> Mapping[str, Any]:
    return options_of_generation({"restore_faces": restore_faces}, settings, INFOS)


def test_a_request_of_a1111_becomes_options() -> None:
    asked = restoring(True, {"face_restoration_model": "GFPGAN"})
    assert asked == {"face_restore": {"gfpgan_visibility": 1.0, "codeformer_visibility": 0.0, "codeformer_weight": 0.5}}
    codeformer = {"gfpgan_visibility": 0.0, "codeformer_visibility": 1.0, "codeformer_weight": 0.5}
    assert restoring(True, {}) == restoring(True, {"face_restoration_model": ""}) == {"face_restore": codeformer}
    assert restoring(None, {"face_restoration": True, "code_former_weight": 0}) == {
        "face_restore": {**codeformer, "codeformer_weight": 0}
    }
    assert restoring(False, {"face_restoration": True}) == restoring(None, {}) == {}
    assert restoring(False, {"face_restoration_model": "Other"}) == {}
    for wrong in ("Other", "gfpgan", 5, ["GFPGAN"]):
        with pytest.raises(InvalidBodyError) as refused:
            restoring(True, {"face_restoration_model": wrong})
        place = ["body", "override_settings", "face_restoration_model"]
        assert [(one["loc"], one["msg"]) for one in refused.value.problems] == [
            (place, "should be CodeFormer or GFPGAN")
        ]


@pytest.mark.parametrize(
    ("options", "restorer"),
    [
        ({}, "CodeFormer"),
        ({"gfpgan_visibility": 1.0}, "CodeFormer"),
        ({"codeformer_visibility": 0.3, "gfpgan_visibility": 1.0}, "CodeFormer"),
        ({"codeformer_visibility": 0, "gfpgan_visibility": 1.0}, "GFPGAN"),
        (None, None),
    ],
)
def test_the_info_of_the_api_names_the_restorer(options: dict[str, Any] | None, restorer: str | None) -> None:
    extensions = {} if options is None else {"face_restore": options}
    keys = told(GenerationRequest(prompt="", extensions=extensions), INFOS)
    assert list(keys.items()) == [("restore_faces", options is not None), ("face_restoration_model", restorer)]


def test_what_is_written_into_the_text_comes_back() -> None:
    passes = {
        "gfpgan": RestorerPass("GFPGAN", 1.0, lambda: same),
        "codeformer": RestorerPass("CodeFormer", 0.4, lambda: same, 0.2),
    }
    for done in ([passes["gfpgan"]], [passes["codeformer"]], list(passes.values())):
        request = GenerationRequest(prompt="a face", seed=1)
        facts = InfoFacts(model=ModelFacts("", ""), extra=fields(done, extras=False))
        reading = parse.read_fields(parse.parse(write(request, facts)), INFOS)
        read = reading.request.extensions["face_restore"]
        assert read["gfpgan_visibility"] == (1 if passes["gfpgan"] in done else 0)
        assert read["codeformer_visibility"] == (0.4 if passes["codeformer"] in done else 0)
        assert read["codeformer_weight"] == (0.2 if passes["codeformer"] in done else 0.5)
        assert reading.notices == ()


def test_other_words_of_a_text_mean_codeformer() -> None:
    text = "a\nSteps: 9, Sampler: Euler, Face restoration: {}, CodeFormer weight: {}"
    reading = parse.read_fields(parse.parse(text.format("something", "heavy")), INFOS)
    assert reading.request.extensions["face_restore"]["codeformer_visibility"] == 1
    assert reading.request.extensions["face_restore"]["codeformer_weight"] == 0.5
    assert [one.text.partition(":")[0] for one in reading.notices] == ["CodeFormer weight"]
    gfpgan = parse.read_fields(parse.parse(text.format(" gfpgan ", 0.1)), INFOS).request.extensions["face_restore"]
    assert gfpgan == {"gfpgan_visibility": 1.0, "codeformer_visibility": 0.0, "codeformer_weight": 0.1}


def test_extras_restores_after_enlarging_and_tells_so(monkeypatch: pytest.MonkeyPatch) -> None:
    member, notices = job_of([face_at(100, 80, 30)], RestorerPass("GFPGAN", 1.0, lambda: green), extras=True)
    hooks = JobHooks()
    hooks.join("face_restore", member)
    host = SimpleNamespace(join=lambda request, stopped: hooks)
    reporter = SimpleNamespace(progress=lambda told: None, stopped=lambda: "", image=lambda made: None)
    task = Upscale(images=(Picture.of(picture(100, 80), clear=True),), upscaler="Lanczos", scale=2.0)
    upscalers = SimpleNamespace(
        check=lambda request: None,
        pass_of=lambda name, scale, watch, whole: by_filter(scale, Image.Resampling.LANCZOS, whole),
    )
    made = upscale_pictures(
        GenerationRequest(task=task), task, untyped(upscalers), untyped(host), untyped(reporter)
    ).images[0]
    assert made.image.size == (200, 160)
    assert channels(made.image, 100, 80)[1] > 250
    assert made.infotext == "Postprocess upscale by: 2.0, Postprocess upscaler: Lanczos, GFPGAN visibility: 1.0"
    assert notices == []


def test_extras_of_the_api() -> None:
    data = base64.b64encode(file_bytes(picture(32, 32))).decode()

    def options(**values: Any) -> Mapping[str, Any]:
        return extras.to_request(extras.SingleBody(image=data, **values), [(("image",), data)], INFOS).extensions

    assert options(gfpgan_visibility=0.5, codeformer_visibility=1, codeformer_weight=0.1)["face_restore"] == {
        "gfpgan_visibility": 0.5, "codeformer_visibility": 1.0, "codeformer_weight": 0.1
    }  # fmt: skip
    assert options(codeformer_visibility=1)["face_restore"] == {
        "gfpgan_visibility": 0.0, "codeformer_visibility": 1.0, "codeformer_weight": 0.0
    }  # fmt: skip
    assert options() == options(codeformer_weight=0.5) == {}
    for name in ("gfpgan_visibility", "codeformer_visibility", "codeformer_weight"):
        for value in (2, -0.1):
            with pytest.raises(InvalidBodyError) as refused:
                options(**{name: value})
            assert [(one["loc"], one["msg"]) for one in refused.value.problems] == [
                (["body", name], "should be from 0 to 1")
            ]


def test_the_extension_declares_what_the_front_reads() -> None:
    info = next(one for one in load_all(Path("extensions")).infos if one.name == "face_restore")
    assert (info.state, info.notice, info.dialect) == ("ok", "", dialect_of_faces())


def file_bytes(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_another_network_is_refused_by_name(tmp_path: Path) -> None:
    path = put_tensors(tmp_path, "GFPGAN/GFPGAN.safetensors")
    job, _ = context(tmp_path, None)
    with pytest.raises(UnusableFileError, match=r"GFPGAN\.safetensors: not a network of a known kind"):
        load(job.models, path, job.device)


def test_the_host_loads_it_and_extras_is_told_apart(tmp_path: Path) -> None:
    loaded = load_all(Path(__file__).parents[2] / "extensions")
    info = next(info for info in loaded.infos if info.name == "face_restore")
    assert info.state == "ok", info.error
    assert info.actions[0].routes == ("GET /sdapi/v1/face-restorers",)
    task = Upscale(images=(Picture.of(picture(64, 64), clear=True),), upscaler="None")
    assert GenerationRequest(task=task, extensions={"face_restore": {}}).task.kind == "upscale"

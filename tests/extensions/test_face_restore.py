"""Restored faces: alignment, cutting and pasting, with stand-ins for the detector and the network."""

import math
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from extensions.face_restore import job as face_job
from extensions.face_restore.alignment import (
    SIDE,
    TEMPLATE,
    Face,
    alignment,
    chained,
    inverse,
    scale_of,
    shift,
    similarity,
)
from extensions.face_restore.cutting import cut, soft_mask
from extensions.face_restore.files import DETECTOR, detector_name, restorer_name, usable_restorers
from extensions.face_restore.job import FaceJob, Pass, fields, join
from extensions.face_restore.networks import load
from extensions.face_restore.options import FaceOptions
from extensions.face_restore.plugin import join_job, list_restorers
from extensions.face_restore.restoring import restore
from webui.domain.errors import UnusableFileError
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.domain.upscale import Upscale
from webui.library.library import ModelLibrary
from webui.plugins.contexts import ActionContext, JobContext
from webui.plugins.jobhooks import JobHooks
from webui.plugins.loader import load_all
from webui.plugins.models import Models

GREEN = np.broadcast_to(np.array([0, 1, 0], np.float32), (SIDE, SIDE, 3))


def face_at(x, y, eyes=60.0, degrees=0.0):
    """A face whose nose is at (x, y), with so many pixels between the eyes."""
    scale = eyes / np.linalg.norm(TEMPLATE[0] - TEMPLATE[1])
    turn = math.radians(degrees)
    rotation = np.array([(math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))])
    return Face((TEMPLATE - TEMPLATE[2]) @ rotation.T * scale + (x, y))


def picture(width=400, height=300, faces: Sequence[Face] = ()):
    """Soft colours with drawn faces: smooth, as pictures are."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 23 + turn) + np.cos(y / 31 - turn) for turn in (0, 1, 2)]
    image = Image.fromarray((127 + 60 * np.stack(waves, 2)).clip(0, 255).astype(np.uint8))
    large = image.resize((width * 2, height * 2), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    for face in faces:
        for (px, py), colour in zip(face.points * 2, ("navy", "navy", "peru", "brown", "brown"), strict=True):
            radius = face.size / 6 * 2
            draw.ellipse((px - radius, py - radius, px + radius, py + radius), fill=colour)
    return large.resize((width, height), Image.Resampling.LANCZOS)


def same(pixels):
    return pixels


def green(pixels):
    return GREEN.copy()


def psnr(one, other):
    error = np.mean((np.asarray(one, np.float64) - np.asarray(other, np.float64)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def changed(one, other):
    """Where two pictures differ, (h, w)."""
    return (np.asarray(one.convert("RGB")) != np.asarray(other.convert("RGB"))).any(2)


@pytest.mark.parametrize(("eyes", "degrees"), [(20, 17), (60, -75), (126, 0), (126, 180), (190, 30)])
def test_a_network_that_changes_nothing_gives_the_picture_back(eyes, degrees):
    middle = 2 * eyes
    face = face_at(middle, middle, eyes, degrees)
    image = picture(4 * eyes, 4 * eyes, [face])
    made = restore(image, [face], same, 1.0)
    assert made.size == image.size
    assert made is not image
    assert psnr(made, image) > 40


def test_restoring_twice_stays_near():
    faces = [face_at(150, 150), face_at(300, 130, 40, 10)]
    image = picture(faces=faces)
    once = restore(image, faces, same, 1.0)
    twice = restore(once, faces, same, 1.0)
    assert psnr(once, twice) > 40
    assert psnr(image, twice) > 40


def test_the_crop_has_the_landmarks_where_restorers_expect_them():
    face = face_at(200, 160, 45, 30)
    crop = cut(picture(faces=[face]), alignment(face, (400, 300)))
    assert crop.size == (SIDE, SIDE)
    for x, y in TEMPLATE[:2]:
        red, middle, blue = crop.getpixel((int(x), int(y)))
        assert blue > 90 > red + middle  # navy eyes
    mouth = crop.getpixel((int(TEMPLATE[3][0]), int(TEMPLATE[3][1])))
    assert mouth[0] > 2 * mouth[2]


def test_pasted_faces_fade_in_without_a_step():
    face = face_at(200, 150, 50)
    flat = Image.new("RGB", (400, 300), "black")
    made = np.asarray(restore(flat, [face], green, 1.0), np.int64)[..., 1]
    assert made[150, 200] == 255
    assert made.min() == 0
    assert max(np.abs(np.diff(made, axis=0)).max(), np.abs(np.diff(made, axis=1)).max()) < 20
    assert np.asarray(soft_mask())[0].max() == 0


def test_large_faces_fade_in_too():
    flat = Image.new("RGB", (1500, 1500), "black")
    made = np.asarray(restore(flat, [face_at(750, 750, 300, 20)], green, 1.0), np.int64)[..., 1]
    assert made[750, 750] == 255
    assert max(np.abs(np.diff(made, axis=0)).max(), np.abs(np.diff(made, axis=1)).max()) < 8


def test_no_face_and_no_visibility_are_the_very_picture():
    image = picture()
    assert restore(image, [], green, 1.0) is image
    assert restore(image, [face_at(200, 150)], green, 0.0) is image


def test_visibility_blends():
    face, image = face_at(200, 150), picture()
    whole = np.asarray(restore(image, [face], green, 1.0), np.float64)
    half = np.asarray(restore(image, [face], green, 0.5), np.float64)
    assert np.abs(half - (whole + np.asarray(image)) / 2).max() <= 1


def test_forty_faces_are_all_restored_and_one_is_in_memory_at_a_time():
    faces = [face_at(50 + 100 * (n % 8), 50 + 100 * (n // 8), 18, 7 * n) for n in range(40)]
    image = picture(800, 500)

    def peak(some):
        tracemalloc.start()
        made = restore(image, some, green, 1.0)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return made, most

    _, one = peak(faces[:1])
    made, forty = peak(faces)
    assert forty < one * 1.2 + 2**20
    assert all(made.getpixel((int(face.points[2][0]), int(face.points[2][1])))[1] > 250 for face in faces)


@pytest.mark.parametrize(("x", "y"), [(0, 150), (399, 0), (200, 299), (-20, 150), (395, 310)])
def test_faces_at_the_border_and_beyond(x, y):
    face = face_at(x, y, 60, 12)
    image = picture(faces=[face])
    assert psnr(restore(image, [face], same, 1.0), image) > 38
    assert changed(restore(image, [face], green, 1.0), image).any()


def test_faces_outside_tiny_or_broken_are_passed_over():
    image = picture()
    nothing = [
        face_at(4000, 150),
        face_at(200, 150, 3),
        Face(np.full((5, 2), 100.0)),
        Face(np.full((5, 2), np.nan)),
        face_at(200, 150, 4e4),
        Face(TEMPLATE + np.array((0, 1e9))),
    ]
    assert restore(image, nothing, green, 1.0) is image
    tiny = Image.new("RGB", (1, 1))
    assert restore(tiny, [face_at(0, 0, 10)], same, 1.0).size == (1, 1)


def test_far_from_the_face_nothing_changes():
    face, image = face_at(100, 100, 30), picture()
    where = changed(restore(image, [face], green, 1.0), image)
    reach = 30 / np.linalg.norm(TEMPLATE[0] - TEMPLATE[1]) * SIDE
    assert not where[:, int(100 + reach) :].any()
    assert not where[int(100 + reach) :].any()


def test_stopped_between_faces_keeps_those_that_are_done():
    faces, answers = [face_at(100, 150, 30), face_at(300, 150, 25)], iter([False, True])
    made = restore(picture(), faces, green, 1.0, lambda: next(answers))
    assert made.getpixel((100, 150))[1] > 250
    assert made.getpixel((300, 150)) == picture().getpixel((300, 150))


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "LA"])
def test_other_modes_keep_their_transparency(mode):
    image = picture().convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    made = restore(image, [face_at(200, 150)], green, 1.0)
    assert made.mode == ("RGBA" if mode in ("RGBA", "LA") else "RGB")
    if made.mode == "RGBA":
        assert made.getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_umeyama_finds_a_known_similarity_and_never_mirrors():
    turn = math.radians(40)
    rotation = 1.7 * np.array([(math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))])
    found = similarity(TEMPLATE, TEMPLATE @ rotation.T + (3, -8))
    assert np.allclose(found, np.column_stack([rotation, (3, -8)]))
    assert np.isclose(scale_of(found), 1.7)
    assert np.allclose(chained(found, inverse(found)), shift(0, 0))
    mirrored = similarity(TEMPLATE * (-1, 1), TEMPLATE)
    assert mirrored is None or np.linalg.det(mirrored[:, :2]) > 0


def test_umeyama_is_the_least_squares_solution():
    noise = np.random.default_rng(3).normal(0, 5, TEMPLATE.shape)
    source = TEMPLATE * 0.3 + noise
    found = similarity(source, TEMPLATE)
    rows = [row for (x, y) in source for row in ((x, -y, 1, 0), (y, x, 0, 1))]  # (a, b, tx, ty), linear in them
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), TEMPLATE.ravel())[0]
    assert np.allclose(found, [(a, -b, tx), (b, a, ty)])


# The object that joins a job


def finder(*faces):
    return lambda pixels: faces


def job_of(faces, *passes, extras=False, stopped=lambda: False):
    notices = []
    return FaceJob(finder(*faces), passes, extras=extras, notice=notices.append, stopped=stopped), notices


def test_a_job_restores_and_tells():
    member, notices = job_of([face_at(200, 150)], Pass("CodeFormer", 1.0, lambda: green, 0.5))
    hooks = JobHooks()
    hooks.join("face_restore", member)
    made = hooks.edit_image(picture(), 0)
    assert made.getpixel((200, 150))[1] > 250
    assert hooks.fields() == {"Face restoration": "CodeFormer"}
    assert notices == []


def test_a_picture_without_faces_stays_and_is_told_of():
    member, notices = job_of([], Pass("GFPGAN", 1.0, lambda: green))
    assert member.edit_image(picture(), 2) is None
    assert member.image_fields() is None
    assert notices == ["no face was found in image 3"]


def test_gfpgan_works_before_codeformer():
    order = []

    def named(name):
        return lambda: order.append(name) or same

    passes = [Pass("GFPGAN", 0.5, named("GFPGAN")), Pass("CodeFormer", 1.0, named("CodeFormer"), 0.2)]
    member, _ = job_of([face_at(200, 150)], *passes, extras=True)
    member.edit_image(picture(), 0)
    assert order == ["GFPGAN", "CodeFormer"]
    assert dict(member.image_fields()) == {
        "GFPGAN visibility": "0.5", "CodeFormer visibility": "1.0", "CodeFormer weight": "0.2"
    }  # fmt: skip


def test_fields_outside_of_extras_tell_only_what_is_unusual():
    assert fields([Pass("CodeFormer", 0.25, lambda: same, 0.5)], extras=False) == {
        "Face restoration": "CodeFormer", "CodeFormer visibility": "0.25"
    }  # fmt: skip


def test_a_stopped_job_gives_the_picture_back():
    member, _ = job_of([face_at(200, 150)], Pass("GFPGAN", 1.0, lambda: green), stopped=lambda: True)
    assert member.edit_image(picture(), 0) is None


def test_a_network_that_fails_costs_only_the_restoring():
    def broken():
        raise UnusableFileError("GFPGAN.pth: truncated")

    member, _ = job_of([face_at(200, 150)], Pass("GFPGAN", 1.0, broken))
    hooks = JobHooks()
    hooks.join("face_restore", member)
    image = picture()
    assert hooks.edit_image(image, 0) is image
    assert "truncated" in hooks.notices[0].text


# Files


def context(tmp_path, options, request=None):
    notices = []
    models = Models(ModelLibrary(tmp_path / "models", tmp_path / "cache"))
    request = request or GenerationRequest(prompt="a face")
    return JobContext(request, options, torch.device("cpu"), torch.float32, models, notices.append), notices


def put(tmp_path, name, content=b"not a network"):
    path = tmp_path / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tiny_restorer(path: Path):
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


def test_without_the_request_or_with_nothing_visible_nobody_joins(tmp_path):
    for options in (None, FaceOptions(codeformer_visibility=0)):
        job, notices = context(tmp_path, options)
        assert join_job(job) is None
        assert notices == []


def test_a_missing_detector_is_one_sentence(tmp_path):
    job, notices = context(tmp_path, FaceOptions())
    assert join_job(job) is None
    assert notices == [f"finding faces needs the file {DETECTOR} in models/detectors; no face was restored"]


def test_a_missing_restorer_is_one_sentence(tmp_path):
    put(tmp_path, f"detectors/{DETECTOR}")
    job, notices = context(tmp_path, FaceOptions())
    assert join(job, FaceOptions()) is None
    assert notices == ["CodeFormer needs its file in models/Codeformer; the faces were not restored by it"]


def test_a_detector_that_is_none_is_one_sentence(tmp_path):
    put(tmp_path, f"detectors/{DETECTOR}")
    tiny_restorer(tmp_path / "models/GFPGAN/RestoreFormer.safetensors")
    options = FaceOptions(codeformer_visibility=0, gfpgan_visibility=1)
    job, notices = context(tmp_path, options)
    assert join(job, options) is None
    assert len(notices) == 1
    assert notices[0].startswith(f"{DETECTOR}: OpenCV cannot read it")


def test_files_are_chosen_by_name(tmp_path):
    for name in ("GFPGANv1.3.pth", "GFPGANv1.4.pth", "RestoreFormer.pth", "detection_Resnet50_Final.pth", DETECTOR):
        put(tmp_path, f"GFPGAN/{name}")
    put(tmp_path, "Codeformer/codeformer-v0.1.0.pth")
    models = context(tmp_path, None)[0].models
    assert restorer_name(models, "GFPGAN") == "GFPGANv1.4.pth"
    assert restorer_name(models, "CodeFormer") == "codeformer-v0.1.0.pth"
    assert detector_name(models) == DETECTOR
    assert [one["name"] for one in usable_restorers(models)] == ["CodeFormer", "GFPGAN"]


def test_the_list_of_restorers_is_empty_without_files(tmp_path):
    job, _ = context(tmp_path, None)
    told = list_restorers(None, ActionContext(job.models, lambda *told: None, lambda: False, job.device, job.dtype))
    assert told.data == []


def test_a_tiny_random_network_is_recognised_and_runs(tmp_path, monkeypatch):
    tiny_restorer(tmp_path / "models/GFPGAN/RestoreFormer.safetensors")
    put(tmp_path, f"detectors/{DETECTOR}")
    monkeypatch.setattr(face_job, "YuNet", lambda path: finder(face_at(200, 150)))
    options = FaceOptions(codeformer_visibility=0, gfpgan_visibility=1)
    job, notices = context(tmp_path, options)
    member = join(job, options)
    image = picture()
    made = member.edit_image(image, 0)
    assert changed(made, image).any()
    assert made.tobytes() == member.edit_image(image, 1).tobytes()
    assert notices == []


def test_another_network_is_refused_by_name(tmp_path):
    path = put(tmp_path, "GFPGAN/GFPGAN.safetensors", b"")
    save_file({"some.weight": torch.zeros(2)}, path)
    job, _ = context(tmp_path, None)
    with pytest.raises(UnusableFileError, match=r"GFPGAN\.safetensors: not a network of a known kind"):
        load(job.models, path, job.device)


def test_the_host_loads_it_and_extras_is_told_apart(tmp_path):
    loaded = load_all(Path(__file__).parents[2] / "extensions")
    info = next(info for info in loaded.infos if info.name == "face_restore")
    assert info.state == "ok", info.error
    assert info.actions[0].routes == ("GET /sdapi/v1/face-restorers",)
    task = Upscale(images=(Picture.of(picture(64, 64), clear=True),), upscaler="None")
    assert GenerationRequest(task=task, extensions={"face_restore": {}}).task.kind == "upscale"

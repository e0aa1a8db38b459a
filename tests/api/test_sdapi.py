"""The other routes of A1111's API: settings, lists, progress, png-info, health."""

import base64
import io
import json
import struct
import zlib
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.api.fakes import SHA, Api, FakeEngine, FakeJob
from tests.reference import case_named
from webui.api.application import create
from webui.api.sdapi.dialect.known_settings import KNOWN
from webui.api.sdapi.dialect.models import Img2ImgBody, Txt2ImgBody
from webui.api.sdapi.dialect.options import OPTIONS, is_known
from webui.api.sdapi.routes.progress import report
from webui.domain.parameters.leaves import replaced, value_at
from webui.domain.parameters.table import ROWS
from webui.domain.request import GenerationRequest
from webui.domain.result import Progress


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.key)
def test_every_option_names_a_field_and_reads_back_what_it_shows(option: Any) -> None:
    starting = GenerationRequest()
    value = value_at(starting, option.path)
    assert option.decode(option.encode(value)) == value
    assert replaced(starting, {option.path: option.decode(option.encode(value))}) == starting


def test_every_body_field_and_setting_that_the_table_names_is_there() -> None:
    fields = {*Txt2ImgBody.model_fields, *Img2ImgBody.model_fields}
    assert {row.body for row in ROWS if row.body} <= fields
    assert all(is_known(row.option) for row in ROWS if row.option)


def test_options_are_json_and_name_the_checkpoint_by_title() -> None:
    options = Api(FakeEngine(starting=GenerationRequest(checkpoint="tiny-sd1"))).get("/sdapi/v1/options").json()
    assert options["sd_model_checkpoint"] == f"tiny-sd1.safetensors [{SHA[:10]}]"
    assert options["sd_checkpoint_hash"] == SHA
    assert options["CLIP_stop_at_last_layers"] == 1
    assert {"sd_vae", "randn_source", *(key for key, known in KNOWN.items() if known.listed)} <= options.keys()


def test_echoing_all_options_changes_nothing() -> None:
    api = Api()
    answer = api.post("/sdapi/v1/options", api.get("/sdapi/v1/options").json())
    assert (answer.status_code, answer.json()) == (200, None)
    assert api.engine.changed == []
    assert api.engine.loaded == []


def test_a_checkpoint_is_loaded_before_the_answer() -> None:
    api = Api()
    everything = api.get("/sdapi/v1/options").json()
    answer = api.post("/sdapi/v1/options", {**everything, "sd_model_checkpoint": "other"})
    assert answer.json() is None
    assert api.engine.loaded == ["other"]
    assert api.engine.changed == [{"checkpoint": "other"}]


def test_an_unknown_checkpoint_changes_nothing() -> None:
    api = Api()
    body = {"sd_model_checkpoint": "nope", "CLIP_stop_at_last_layers": 2}
    assert api.post("/sdapi/v1/options", body).status_code == 404
    assert api.engine.changed == []


def test_settings_are_translated() -> None:
    api = Api()
    body = {"CLIP_stop_at_last_layers": 2.0, "sd_noise_schedule": "Zero Terminal SNR", "eta_ddim": "0.5", "rho": 0.0}
    assert api.post("/sdapi/v1/options", body).status_code == 200
    expected = {"clip_skip": 2, "schedule.zero_terminal_snr": True, "noise.eta_ddim": 0.5}
    assert api.engine.changed == [expected]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"no_such_key": 1}, "no_such_key"),
        ({"sd_checkpoint_hash": "0" * 64}, "sd_checkpoint_hash"),
        ({"samples_format": "gif"}, "samples_format"),
        ({"sd_vae_decode_method": "Approx NN"}, "sd_vae_decode_method"),
        ({"CLIP_stop_at_last_layers": 99}, "CLIP_stop_at_last_layers"),
        ({"emphasis": "loud"}, "emphasis"),
    ],
)
def test_wrong_settings_are_named(body: dict[str, Any], key: str) -> None:
    api = Api()
    answer = api.post("/sdapi/v1/options", body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", key]
    assert api.engine.changed == []


def test_models_are_listed_without_unusable_ones() -> None:
    models = Api().get("/sdapi/v1/sd-models").json()
    assert list(models[0]) == ["title", "model_name", "hash", "sha256", "filename", "config"]
    assert [model["model_name"] for model in models] == ["tiny-sd1", "sub_other"]
    assert models[0]["hash"] == SHA[:10]
    assert models[1]["hash"] is None
    assert Api().get("/sdapi/v1/sd-vae").json()[0]["model_name"] == "tiny-vae.safetensors"


def test_lists_have_the_shapes_that_clients_read() -> None:
    api = Api()
    lists = {name: api.get(f"/sdapi/v1/{name}").json() for name in ("samplers", "schedulers", "upscalers", "memory")}
    assert lists["samplers"][0]["name"] == "DPM++ 2M"
    assert all(isinstance(v, str) for sampler in lists["samplers"] for v in sampler["options"].values())
    karras = next(schedule for schedule in lists["schedulers"] if schedule["name"] == "karras")
    assert list(karras.values()) == ["karras", "Karras", None, 7.0, False]
    assert list(karras) == ["name", "label", "aliases", "default_rho", "need_inner_model"]
    assert lists["upscalers"][0]["name"] == "None"  # clients insert after the first
    assert lists["memory"]["ram"]["total"] > 0
    assert "error" in lists["memory"]["cuda"]
    assert api.get("/sdapi/v1/latent-upscale-modes").json()[0] == {"name": "Latent"}
    assert api.get("/sdapi/v1/embeddings").json()["loaded"].keys() == {"ti"}
    style = {"name": "ink", "prompt": "ink drawing of {prompt}", "negative_prompt": "photo"}
    assert api.get("/sdapi/v1/prompt-styles").json() == [style]
    core = ["refiner", "sampler", "seed"]
    scripts = api.get("/sdapi/v1/scripts").json()
    assert (scripts["txt2img"][:3], scripts["img2img"][:4]) == (core, [*core, "soft inpainting"])
    assert api.get("/sdapi/v1/cmd-flags").json() == {"port": 7860}


@pytest.mark.parametrize("name", ["refresh-checkpoints", "refresh-vae", "refresh-embeddings", "refresh-loras"])
def test_refreshing_looks_at_the_folders(name: str) -> None:
    api = Api()
    assert api.post(f"/sdapi/v1/{name}").json() is None
    assert api.engine.library.refreshed == 1


def test_interrupt_and_skip() -> None:
    api = Api()
    assert api.post("/sdapi/v1/interrupt", content=b"").json() == {}
    assert api.post("/sdapi/v1/skip", content=b"").json() is None
    assert api.engine.calls == ["interrupt", "skip"]


def test_idle_progress_is_exactly_zero() -> None:
    idle = Api().get("/sdapi/v1/progress").json()
    assert list(idle) == ["progress", "eta_relative", "state", "current_image", "textinfo"]
    assert (idle["progress"], idle["eta_relative"], idle["current_image"]) == (0.0, 0.0, None)
    assert idle["state"]["job_count"] == 0


def test_progress_counts_batches_and_steps() -> None:
    now = Progress("sampling", step=5, steps=10, batch=1, batches=2)
    job = FakeJob("a", GenerationRequest(), state="running", progress=now, preview=b"jpg")
    shown = report(job, with_image=True)
    assert shown["progress"] == pytest.approx(0.01 + 0.5 + 0.25)
    assert (shown["state"]["job_no"], shown["state"]["job_count"], shown["state"]["sampling_step"]) == (1, 2, 5)
    assert shown["current_image"] == base64.b64encode(b"jpg").decode()
    assert report(job, with_image=False)["current_image"] is None
    job.note_progress(replace(now, step=10))
    assert report(job, with_image=False)["progress"] == 1.0


def test_progress_tells_of_the_wish_to_stop_and_of_the_kind() -> None:
    request = GenerationRequest(task={"kind": "img2img", "image": Image.new("RGB", (8, 8))})
    job = FakeJob("a", request, state="running", progress=Progress("sampling", batch=1, batches=3))
    assert report(job, with_image=False)["state"]["job"] == "scripts_img2img"
    job.skip()
    assert report(job, with_image=False)["state"]["skipped"] is True
    job.note_progress(Progress("sampling", batch=2, batches=3))
    state = report(job, with_image=False)["state"]
    assert (state["skipped"], state["interrupted"]) == (False, False)
    job.cancel()
    assert report(job, with_image=False)["state"]["interrupted"] is True


def test_png_info_reads_what_is_inside() -> None:
    info = PngInfo()
    info.add_text("parameters", "a dog\nSteps: 9, Sampler: Euler, CFG scale: 7, Seed: 4711, Size: 192x128")
    info.add_text("Comment", "hello")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    image = base64.b64encode(buffer.getvalue()).decode()
    for sent in (image, f"data:image/png;base64,{image}"):
        answer = Api().post("/sdapi/v1/png-info", {"image": sent}).json()
        assert answer["info"].startswith("a dog")
        assert answer["items"] == {"Comment": "hello"}
        assert answer["parameters"]["Seed"] == "4711"


def test_png_info_answers_as_a1111_does() -> None:
    case = case_named("extra_pnginfo_info_exif_jpg")
    answer = Api().post("/sdapi/v1/png-info", case.body()).json()
    assert answer == json.loads(case.file(".txt").read_text(encoding="utf-8"))


def _bomb() -> bytes:
    """A PNG of a few bytes whose header says 60000 x 60000."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    "image",
    [
        "", "!!!!", "aGVsbG8=", base64.b64encode(_bomb()).decode(), "http://127.0.0.1/x.png", "data:image/png;base64,",
        base64.b64encode(b"%!PS-Adobe-3.0 EPSF-3.0\n").decode(), "\u00e9" * 9,
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(image: str) -> None:
    answer = Api().post("/sdapi/v1/png-info", {"image": image})
    assert 400 <= answer.status_code < 500
    assert "image" in answer.text
    assert Api().post("/sdapi/v1/png-info", {}).status_code == 422


def test_unknown_routes_and_methods_answer_as_usual() -> None:
    assert Api().get("/sdapi/v1/artists").json() == {"detail": "Not Found"}
    assert Api().get("/sdapi/v1/txt2img").json() == {"detail": "Method Not Allowed"}


def test_health_and_ping() -> None:
    assert Api().get("/health").json() == {"status": "ok"}
    assert Api().get("/internal/ping").json() == {}


def test_the_description_lists_the_routes() -> None:
    paths = Api().get("/openapi.json").json()["paths"]
    assert "/sdapi/v1/txt2img" in paths
    assert "/api/jobs" in paths


def test_without_the_api_only_health_is_there() -> None:
    api = Api(FakeEngine())
    api.app = create(api.parts, with_api=False)
    assert api.get("/health").status_code == 200
    assert api.get("/sdapi/v1/samplers").status_code == 404
    assert api.get("/openapi.json").status_code == 404


def test_networks_are_listed_as_clients_expect() -> None:
    api = Api()
    assert api.get("/sdapi/v1/loras").json() == [
        {"name": "ink", "alias": "Ink Drawing", "path": "models/Lora/sub/ink.safetensors", "metadata": {}}
    ]
    assert api.get("/sdapi/v1/hypernetworks").json() == [{"name": "h", "path": "models/hypernetworks/h.pt"}]
    told = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 0, "vectors": 0}
    assert api.get("/sdapi/v1/embeddings").json() == {"loaded": {"ti": told}, "skipped": {}}


def test_a_card_without_a_picture_has_none() -> None:
    api = Api()
    assert api.get("/sd_extra_networks/thumb?kind=lora&name=sub/ink.safetensors").status_code == 404
    assert api.get("/sd_extra_networks/thumb?kind=lora&name=../../secret").status_code == 404
    assert api.get("/sd_extra_networks/thumb?kind=other&name=x").status_code == 422


@pytest.mark.parametrize(
    ("sent", "sampler", "schedule"),
    [
        ("k_euler_a", "Euler a", "Automatic"),
        ("k_dpmpp_2m_ka", "DPM++ 2M", "Automatic"),  # its own schedule
        ("k_lms_ka", "LMS", "Karras"),
        ("k_dpmpp_3m_sde_exp", "DPM++ 3M SDE", "Automatic"),
        ("euler a", "Euler a", "Automatic"),
        ("DPM++ 2M SDE Karras", "DPM++ 2M SDE", "Karras"),
        ("ddim", "DDIM", "Automatic"),
    ],
)
def test_old_names_of_samplers_are_understood(sent: str, sampler: str, schedule: str) -> None:
    api = Api()
    assert api.txt2img(sampler_name=sent).status_code == 200
    assert (api.engine.last.request.sampler, api.engine.last.request.scheduler) == (sampler, schedule)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (" AND ".join("cat" for _ in range(2000)), "1999 times AND"),
        (" BREAK ".join("cat" for _ in range(2000)), "1999 times BREAK"),
        (f"(cat:{'9' * 400})", "weight of 400 characters"),
        (f"a AND b :{'9' * 400}", "weight of 400 characters"),
    ],
)
@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_prompts_that_would_hold_the_worker_are_refused(prompt: str, text: str, field: str) -> None:
    answer = Api().txt2img(**{field: prompt})
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == ["body", field]
    assert text in problem["msg"]


def test_parts_of_a_prompt_count_as_work() -> None:
    body = {"width": 2048, "height": 2048, "steps": 150, "batch_size": 8}
    assert Api().txt2img(prompt="a cat", **body).status_code == 200
    assert Api().txt2img(prompt=" AND ".join("cat" for _ in range(60)), **body).status_code == 422


def test_describing_pictures_is_refused_clearly() -> None:
    api = Api()
    assert api.post("/sdapi/v1/interrogate", {}).json()["detail"] == "Image not found"
    answer = api.post("/sdapi/v1/interrogate", {"image": "aGVsbG8=", "model": "clip"})
    assert answer.status_code == 404
    assert "no extension that describes pictures" in answer.json()["detail"]


def test_unloading_and_loading_again() -> None:
    api = Api(FakeEngine(starting=GenerationRequest(checkpoint="other")))
    asked: list[str] = []
    api.app = create(replace(api.parts, unload=lambda: asked.append("unload")))
    assert api.post("/sdapi/v1/unload-checkpoint").json() == {}
    assert asked == ["unload"]
    assert api.post("/sdapi/v1/reload-checkpoint").json() == {}
    assert api.engine.loaded == ["sub/other.safetensors"]


def test_the_server_is_stopped_only_where_that_is_allowed() -> None:
    api = Api()
    asked: list[bool] = []
    for name in ("server-stop", "server-kill", "server-restart"):
        assert api.post(f"/sdapi/v1/{name}").status_code == 404
    api.app = create(replace(api.parts, stop_server=lambda *, at_once: asked.append(at_once)))
    assert api.post("/sdapi/v1/server-stop").text == "Stopping."
    assert api.post("/sdapi/v1/server-kill").status_code == 200
    assert asked == [False, True]
    assert api.post("/sdapi/v1/server-restart").status_code == 501


def test_poses_become_pictures() -> None:
    points = [v for x in range(18) for v in (20 + 5 * x, 100 if x % 2 else 30, 1)]
    pose = {"people": [{"pose_keypoints_2d": points}], "canvas_width": 160, "canvas_height": 128}
    answer = Api().post("/controlnet/render_openpose_json", [pose]).json()
    assert answer["info"] == "Success"
    image = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    assert image.size == (160, 128)
    assert image.getpixel((20, 30)) == (255, 0, 0)  # the first joint
    assert image.getpixel((150, 5)) == (0, 0, 0)
    assert Api().post("/controlnet/render_openpose_json", []).json() == {"info": "No pose data detected."}
    assert Api().post("/controlnet/render_openpose_json", [{"people": []}]).status_code == 422


def test_cards_tell_of_files_by_the_pages_of_a1111() -> None:
    api = Api()
    card = api.get("/sd_extra_networks/get-single-card?page=lora&tabname=txt2img&name=Ink Drawing").json()["html"]
    assert "Ink Drawing" in card
    assert api.get("/sd_extra_networks/get-single-card?page=lora&tabname=txt2img&name=no").json() == {"html": ""}
    assert json.loads(api.get("/sd_extra_networks/metadata?page=lora&item=ink").json()["metadata"]) == {}
    assert api.get("/sd_extra_networks/metadata?page=lora&item=no").json() == {}
    assert api.get("/sd_extra_networks/thumb?filename=/etc/passwd").status_code == 404
    assert api.get("/sd_extra_networks/cover-images?page=lora&item=ink&index=0").status_code == 404

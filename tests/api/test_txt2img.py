"""`POST /sdapi/v1/txt2img`: what clients of A1111 send, what is refused, and what comes back."""

import asyncio
import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.api.fakes import Api, FakeEngine, call
from tests.narrowing import untyped
from tests.reference import cases
from webui.domain.errors import BadRequestError, BusyError, NotFiniteError, UnusableFileError, WebuiError
from webui.domain.request import GenerationRequest

URL = "/sdapi/v1/txt2img"
INFO_KEYS = (  # in A1111's order
    "prompt all_prompts negative_prompt all_negative_prompts seed all_seeds subseed all_subseeds subseed_strength "
    "width height sampler_name cfg_scale steps batch_size restore_faces face_restoration_model sd_model_name "
    "sd_model_hash sd_vae_name sd_vae_hash seed_resize_from_w seed_resize_from_h denoising_strength "
    "extra_generation_params index_of_first_image infotexts styles job_timestamp clip_skip "
    "is_using_inpainting_conditioning version"
)


def test_defaults_are_those_of_the_api() -> None:
    api = Api()
    assert api.txt2img(prompt="a cat").status_code == 200
    made = api.engine.last.request
    assert (made.steps, made.sampler, made.cfg_scale, made.width, made.seed) == (50, "Euler", 7.0, 512, -1)
    assert api.engine.last.save is False


def test_the_answer_has_plain_base64_and_info_as_text() -> None:
    answer = Api().txt2img(prompt="ein Bär", seed=4, batch_size=2, n_iter=2, steps=3, unknown_field=1).json()
    assert list(answer) == ["images", "parameters", "info"]
    assert len(answer["images"]) == 4
    assert Image.open(io.BytesIO(base64.b64decode(answer["images"][0], validate=True))).size == (8, 8)
    info = json.loads(answer["info"])
    assert " ".join(info) == INFO_KEYS
    assert info["all_seeds"] == [4, 5, 6, 7]
    assert info["prompt"] == "ein Bär"
    assert info["version"] == "v1.10.1"
    assert info["sd_vae_name"] is None
    assert answer["parameters"]["steps"] == 3
    assert answer["parameters"]["cfg_scale"] == 7.0


def test_pictures_are_left_out_or_saved_when_asked() -> None:
    api = Api()
    assert api.txt2img(send_images=False).json()["images"] == []
    api.txt2img(save_images=True)
    assert api.engine.last.save is True


def test_types_are_read_as_clients_send_them() -> None:
    api = Api()
    body = {"prompt": 7, "steps": "20", "width": 128.9, "height": "128", "cfg_scale": "5.5", "tiling": "true"}
    answer = api.txt2img(**body, styles=None, seed=None)
    assert answer.status_code == 200
    made = api.engine.last.request
    assert (made.prompt, made.steps, made.width, made.cfg_scale, made.tiling) == ("7", 20, 128, 5.5, True)


@pytest.mark.parametrize("name", ["send_images", "save_images", "sampler_index", "alwayson_scripts", "script_args"])
def test_null_is_refused_where_a1111_refuses_it(name: str) -> None:
    assert Api().txt2img(**{name: None}).status_code == 422


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"steps": 10**9}, ["body", "steps"]),
        ({"steps": 0}, ["body", "steps"]),
        ({"steps": "20.7"}, ["body", "steps"]),
        ({"steps": [1]}, ["body", "steps"]),
        ({"steps": "9" * 5000}, ["body", "steps"]),
        ({"width": 0}, ["body", "width"]),
        ({"width": 515}, ["body", "width"]),
        ({"height": -8}, ["body", "height"]),
        ({"seed": 2**64}, ["body", "seed"]),
        ({"cfg_scale": 10**400}, ["body", "cfg_scale"]),
        ({"cfg_scale": "nan"}, ["body", "cfg_scale"]),
        ({"cfg_scale": "1e999"}, ["body", "cfg_scale"]),
        ({"sampler_name": "k_euler_b"}, ["body", "sampler_name"]),
        ({"sampler_index": "Eulerr"}, ["body", "sampler_index"]),
        ({"scheduler": "Karas"}, ["body", "scheduler"]),
        ({"eta": 2}, ["body", "eta"]),
        ({"s_noise": -1}, ["body", "s_noise"]),
        ({"prompt": "\0"}, ["body", "prompt"]),
        ({"prompt": "x" * 10_000_000}, ["body", "prompt"]),
        ({"prompt": {"a": 1}}, ["body", "prompt"]),
        ({"styles": "a"}, ["body", "styles"]),
        ({"refiner_checkpoint": "other", "refiner_switch_at": 2}, ["body", "refiner_switch_at"]),
        ({"override_settings": {"eta_ddim": 7}}, ["body", "override_settings", "eta_ddim"]),
        ({"override_settings": {"uni_pc_variant": "bh3"}}, ["body", "override_settings", "uni_pc_variant"]),
        ({"override_settings": {"sd_noise_schedule": "x"}}, ["body", "override_settings", "sd_noise_schedule"]),
        ({"override_settings": {"samples_formatt": "png"}}, ["body", "override_settings", "samples_formatt"]),
        ({"override_settings": "x"}, ["body", "override_settings"]),
        ({"enable_hr": True, "hr_scale": 99}, ["body", "hr_scale"]),
        ({"enable_hr": True, "hr_sampler_name": "no"}, ["body", "hr_sampler_name"]),
        ({"enable_hr": True, "firstpass_image": "???"}, ["body", "firstpass_image"]),
        ({"script_name": "a/b/c plot"}, ["body", "script_name"]),
        ({"alwayson_scripts": {"ADetailer": {"args": [True, {}]}}}, ["body", "alwayson_scripts", "ADetailer"]),
        ({"width": 4096, "height": 4096, "steps": 150, "batch_size": 64}, ["body"]),
    ],
)
def test_wrong_values_are_named_and_not_echoed(body: dict[str, Any], place: list[str]) -> None:
    api = Api()
    answer = api.post(URL, content=json.dumps(body))
    assert answer.status_code == 422
    problem = answer.json()["detail"][0]
    assert problem["loc"] == place
    assert problem["msg"]
    assert problem["type"]
    assert len(answer.content) < 600
    assert not api.engine.jobs


def test_all_wrong_fields_are_named_at_once() -> None:
    detail = Api().txt2img(width=3, steps=0).json()["detail"]
    assert sorted(problem["loc"][1] for problem in detail) == ["steps", "width"]


@pytest.mark.parametrize(
    "raw",
    [
        b'{"cfg_scale": NaN}', b'{"cfg_scale": Infinity}', b'{"cfg_scale": -Infinity}', b'{"cfg_scale": 1e999}',
        b'{"prompt": "\\ud800"}', b'{"x": [{"\\udc00": 1}]}', b'{"prompt": "\xff"}', b"", b"{", b"[1]", b'"a"', b"null",
        b"[" * 200_000, b'{"a":' * 200_000, b'{"steps": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    answer = Api().post(URL, content=raw)
    assert answer.status_code == 422
    assert len(answer.content) < 600


def test_pairs_of_surrogates_are_whole_characters() -> None:
    api = Api()
    assert api.post(URL, content=b'{"prompt": "\\ud83d\\ude00"}').status_code == 200
    assert api.engine.last.request.prompt == "\U0001f600"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_read(kind: str) -> None:
    answer = Api().post(URL, content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 422


def test_old_combined_sampler_names_are_split() -> None:
    api = Api()
    api.txt2img(sampler_name="DPM++ 2M Karras")
    assert (api.engine.last.request.sampler, api.engine.last.request.scheduler) == ("DPM++ 2M", "Automatic")
    api.txt2img(sampler_name="Euler Karras")
    assert api.engine.last.request.scheduler == "Karras"
    api.txt2img(sampler_name="Euler Karras", scheduler="exponential")
    assert api.engine.last.request.scheduler == "Exponential"


def test_overrides_become_fields_of_the_request() -> None:
    api = Api()
    overrides = {
        "sd_model_checkpoint": "other", "sd_vae": "None", "CLIP_stop_at_last_layers": 2, "randn_source": "NV",
        "eta_noise_seed_delta": 31337, "sd_noise_schedule": "Zero Terminal SNR", "beta_dist_alpha": 0.5,
        "uni_pc_order": 2, "emphasis": "No norm", "s_min_uncond": 1.5, "sdxl_crop_top": 16, "s_churn": 5,
        "batch_cond_uncond": False, "token_merging_ratio": 0.5, "refiner_switch_by_sample_steps": True,
    }  # fmt: skip
    body = {"s_churn": 0, "override_settings": overrides, "refiner_checkpoint": "tiny-sd1", "refiner_switch_at": 0.5}
    assert api.txt2img(**body).status_code == 200
    made = api.engine.last.request
    assert (made.checkpoint, made.vae, made.clip_skip) == ("other", "None", 2)
    assert (made.noise.source, made.noise.ensd, made.noise.s_churn) == ("NV", 31337, 5)
    assert made.schedule.zero_terminal_snr
    assert made.schedule.beta_alpha == 0.5
    assert (made.unipc.order, made.prompting.emphasis, made.guidance.s_min_uncond) == (2, "No norm", 1.5)
    assert made.sdxl.crop_top == 16
    assert made.refiner is not None
    assert (made.refiner.checkpoint, made.refiner.switch_at, made.refiner.by_steps) == ("tiny-sd1", 0.5, True)
    assert api.engine.changed == []


def test_settings_come_from_the_starting_values_and_the_rest_does_not() -> None:
    starting = GenerationRequest(prompt="of the page", steps=7, clip_skip=3, noise={"source": "NV"})
    api = Api(FakeEngine(starting=starting))
    api.txt2img()
    made = api.engine.last.request
    assert (made.prompt, made.steps, made.clip_skip, made.noise.source) == ("", 50, 3, "NV")


def test_overrides_may_be_kept() -> None:
    api = Api()
    api.txt2img(override_settings={"CLIP_stop_at_last_layers": 2}, override_settings_restore_afterwards=False)
    assert api.engine.changed == [{"clip_skip": 2}]


def test_an_infotext_fills_in_what_the_body_does_not_name() -> None:
    api = Api()
    text = (
        "a green dog\nNegative prompt: blurry\nSteps: 9, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5.5, "
        "Seed: 4711, Size: 192x128, Model hash: b308822a78, Model: tiny-sd1, Clip skip: 2, RNG: CPU, Version: v1.10.1"
    )
    answer = api.txt2img(infotext=text, seed=1, steps=6)
    assert answer.status_code == 200
    made = api.engine.last.request
    assert (made.prompt, made.negative_prompt, made.seed, made.steps) == ("a green dog", "blurry", 1, 6)
    assert (made.sampler, made.cfg_scale, made.width, made.height) == ("DPM++ 2M", 5.5, 192, 128)
    assert (made.clip_skip, made.noise.source, made.checkpoint) == (2, "CPU", "")
    assert answer.json()["parameters"]["width"] == 192


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BusyError("the queue is full"), 503),
        (UnusableFileError("bad.safetensors: truncated"), 422),
        (BadRequestError("extensions.lora.weight", "must be a number"), 422),
    ],
)
def test_refusals_are_told(error: Exception, status: int) -> None:
    answer = Api(FakeEngine(refuse=error)).txt2img()
    assert answer.status_code == status
    if status == 503:
        assert "retry-after" in answer.headers
    if isinstance(error, BadRequestError):
        assert answer.json()["detail"][0]["loc"] == ["body", "alwayson_scripts", "lora", "weight"]


def test_an_unknown_checkpoint_is_told_with_what_there_is() -> None:
    answer = Api().txt2img(override_settings={"sd_model_checkpoint": "nope"})
    assert answer.status_code == 404
    assert list(answer.json()) == ["error", "detail", "body", "errors"]
    assert "tiny-sd1" in answer.json()["errors"]


@pytest.mark.parametrize("error", [WebuiError("torn"), NotFiniteError("NaN in step 3"), RuntimeError("a bug")])
def test_failures_keep_the_four_keys(error: Exception) -> None:
    answer = Api(FakeEngine(error=error)).txt2img()
    assert answer.status_code == 500
    assert list(answer.json()) == ["error", "detail", "body", "errors"]
    assert answer.json()["error"] == type(error).__name__
    assert "a bug" not in answer.text


def test_an_interrupted_job_without_images_is_an_answer() -> None:
    engine = FakeEngine(hold=True)
    api = Api(engine)

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=api.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            waiting = asyncio.ensure_future(client.post(URL, json={}))
            while not engine.jobs:
                await asyncio.sleep(0.01)
            progress = (await client.get("/sdapi/v1/progress")).json()
            assert progress["state"]["job_count"] == 1
            assert (await client.post("/sdapi/v1/interrupt")).json() == {}
            return await waiting

    answer = asyncio.run(go())
    assert answer.status_code == 200
    assert answer.json()["images"] == []
    assert json.loads(answer.json()["info"])["all_seeds"] == []


def test_a_client_that_hangs_up_ends_its_job() -> None:
    engine = FakeEngine(hold=True)
    api = Api(engine)
    messages = [{"type": "http.request", "body": b"{}"}]

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        while not engine.jobs:
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        return

    headers = [(b"host", b"x"), (b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "path": URL, "raw_path": URL.encode(), "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("x", 80), "client": ("y", 1),
        "root_path": "",
    }  # fmt: skip
    asyncio.run(api.app(scope, receive, send))
    assert engine.last.cancelled


def test_new_work_is_refused_while_the_server_stops() -> None:
    api = Api()
    assert api.get("/ready").status_code == 200
    api.parts.closing.set()
    assert api.txt2img().status_code == 503
    assert api.get("/ready").status_code == 503
    assert api.get("/health").status_code == 200


def test_every_golden_of_plain_txt2img_becomes_a_request() -> None:
    engine = FakeEngine()
    untyped(engine.library).checkpoint = lambda alias: engine.library.checkpoints()[0]
    untyped(engine.library).vae = lambda name, checkpoint: None
    api = Api(engine)
    count = 0
    for case in cases(where=lambda case: case.endpoint == URL):
        if not (case.payload.get("alwayson_scripts") or case.payload.get("script_name")):
            answer = call(api.app, "POST", URL, json=case.payload)
            assert answer.status_code == 200, (case.name, answer.text)
            count += 1
    assert count > 50

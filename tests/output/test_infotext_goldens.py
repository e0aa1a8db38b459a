"""Infotexts against those of A1111 v1.10.1, character for character but for the version."""

import json
from collections.abc import Mapping
from typing import Any

from tests.reference import OURS, Case, case_named, cases, over_cases, sha256_of, without_version
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.domain.result import ModelFacts
from webui.output.compat import with_defaults
from webui.output.infotext import InfoFacts, write
from webui.output.metadata import read_items, read_text
from webui.output.parse import parse, read_fields

GROUPS = ("samplers", "schedules", "prompts", "settings", "batch", "api", "networks", "sdxl", "sdxl_v", "sd2")
PAYLOAD = {
    "prompt": "prompt", "negative_prompt": "negative_prompt", "steps": "steps", "sampler_name": "sampler",
    "scheduler": "scheduler", "cfg_scale": "cfg_scale", "width": "width", "height": "height",
    "subseed_strength": "subseed_strength", "seed_resize_from_w": "seed_resize_from_w",
    "seed_resize_from_h": "seed_resize_from_h", "eta": "noise.eta", "s_churn": "noise.s_churn",
    "s_min_uncond": "guidance.s_min_uncond", "tiling": "tiling",
}  # fmt: skip
SETTINGS = {
    "randn_source": "noise.source", "eta_noise_seed_delta": "noise.ensd", "eta_ancestral": "noise.eta_ancestral",
    "eta_ddim": "noise.eta_ddim", "beta_dist_alpha": "schedule.beta_alpha", "beta_dist_beta": "schedule.beta_beta",
    "skip_early_cond": "guidance.skip_early_cond", "CLIP_stop_at_last_layers": "clip_skip",
    "use_downcasted_alpha_bar": "schedule.downcast_alphas", "use_old_scheduling": "prompting.old_scheduling",
    "emphasis": "prompting.emphasis", "uni_pc_order": "unipc.order", "uni_pc_variant": "unipc.variant",
    "sdxl_crop_top": "sdxl.crop_top",
}  # fmt: skip


def is_plain(case: Case) -> bool:
    """Plain txt2img of one pass makes it."""
    return case.group in GROUPS and case.endpoint.endswith("txt2img") and not case.payload.get("enable_hr")


READ = over_cases(".txt", where=is_plain)


def _short_hash(place: str) -> str:
    return sha256_of(place)[:10]


def _request(payload: Mapping[str, Any], image: int) -> GenerationRequest:
    """What the payload of a case asks for, for one of its images."""
    settings = payload.get("override_settings", {})
    values = {PAYLOAD[key]: value for key, value in payload.items() if key in PAYLOAD}
    values |= {SETTINGS[key]: value for key, value in settings.items() if key in SETTINGS}
    values.setdefault("noise.source", "GPU")
    values["schedule.zero_terminal_snr"] = settings.get("sd_noise_schedule") == "Zero Terminal SNR"
    values["seed"] = payload["seed"] + (0 if payload.get("subseed_strength") else image)
    if payload.get("refiner_checkpoint"):
        values["refiner.checkpoint"] = payload["refiner_checkpoint"]
        values["refiner.switch_at"] = payload["refiner_switch_at"]
    nested: dict[str, Any] = {"a1111_infotext": True}  # what its API is asked for
    for path, value in values.items():
        part, _, field = path.rpartition(".")
        (nested.setdefault(part, {}) if part else nested)[field] = value
    return GenerationRequest.model_validate(nested)


def _facts(payload: Mapping[str, Any], image: int, expected: str) -> InfoFacts:
    settings = payload.get("override_settings", {})
    checkpoint = settings.get("sd_model_checkpoint", "tiny-sd1")
    vae = settings.get("sd_vae", "None")
    vae = "" if vae in ("None", "Automatic") else vae
    refiner = payload.get("refiner_checkpoint", "")
    golden = parse(expected)  # hashes of networks are taken from it: they need the networks themselves
    return InfoFacts(
        model=ModelFacts(
            checkpoint,
            _short_hash(f"Stable-diffusion/{checkpoint}.safetensors"),
            vae,
            _short_hash(f"VAE/{vae}") if vae else "",
        ),
        subseed=payload.get("subseed", 0) + image,
        refiner=f"{refiner} [{_short_hash(f'Stable-diffusion/{refiner}.safetensors')}]" if refiner else "",
        lora_hashes=golden.get("Lora hashes", ""),
        ti_hashes=golden.get("TI hashes", ""),
        version="0.1.0",
    )


def test_there_are_reference_texts() -> None:
    assert len(cases(".txt", where=is_plain)) > 60


@READ
def test_infotext_equals_a1111(case: Case) -> None:
    payload = case.payload
    if payload.get("infotext"):
        base = read_fields(parse(payload["infotext"])).request
        own = {PAYLOAD.get(key, key): value for key, value in payload.items() if key in PAYLOAD or key == "seed"}
        [expected] = case.infotexts()
        got = write(base.with_(**own, a1111_infotext=True), _facts(payload, 0, expected))
        assert without_version(got) == without_version(expected)
        return
    for image, expected in enumerate(case.infotexts()):
        # A field that the payload leaves out has A1111's default for the tiny server, seen in the golden
        sampled = parse(expected)
        payload = {"sampler_name": sampled["Sampler"], "width": 128, "height": 128} | payload
        got = write(_request(payload, image), _facts(payload, image, expected))
        assert without_version(got) == without_version(expected)


@READ
def test_golden_infotexts_are_read_without_a_notice(case: Case) -> None:
    for text in case.infotexts():
        assert read_fields(parse(text)).notices == ()


def test_png_info_answers_what_a1111_does() -> None:
    case = case_named("extra_pnginfo_info_exif_jpg")
    opened = safe_open(OURS / "inputs" / "info_exif.jpg")
    expected = json.loads(case.file(".txt").read_text(encoding="utf-8"))
    text = read_text(opened)
    assert text == expected["info"]
    assert with_defaults(parse(text)) == expected["parameters"]
    assert read_items(opened) == expected["items"]


def test_texts_in_webp_files_of_a1111_are_read() -> None:
    assert parse(read_text(safe_open(OURS / "inputs" / "info_exif.webp")))["Sampler"] == "DPM++ 2M"

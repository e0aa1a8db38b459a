"""Infotexts against those of A1111 v1.10.1, character for character but for the version."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.domain.result import ModelFacts
from webui.output.compat import with_defaults
from webui.output.infotext import InfoFacts, write
from webui.output.metadata import read_items, read_text
from webui.output.parse import parse, read_fields

GOLDENS = Path(__file__).parents[2].parent / "shared" / "goldens"
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


def _cases() -> list[str]:
    if not (GOLDENS / "index.json").exists():
        return []
    index = json.loads((GOLDENS / "index.json").read_text())["cases"]
    return [
        case["name"]
        for case in index
        if case["group"] in GROUPS and case["endpoint"].endswith("txt2img") and not _case(case["name"]).get("enable_hr")
    ]


def _case(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((GOLDENS / "cases" / f"{name}.json").read_text())["payload"]
    return payload


def _short_hash(*parts: str) -> str:
    path = GOLDENS.joinpath("models", *parts)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


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
            _short_hash("Stable-diffusion", f"{checkpoint}.safetensors"),
            vae,
            _short_hash("VAE", vae) if vae else "",
        ),
        subseed=payload.get("subseed", 0) + image,
        refiner=f"{refiner} [{_short_hash('Stable-diffusion', f'{refiner}.safetensors')}]" if refiner else "",
        lora_hashes=golden.get("Lora hashes", ""),
        ti_hashes=golden.get("TI hashes", ""),
        version="0.1.0",
    )


def _without_version(text: str) -> str:
    return re.sub(r",? ?Version: [^,\n]+", "", text).strip()


@pytest.mark.parametrize("name", _cases() or [pytest.param("", marks=pytest.mark.skip("no folder of goldens"))])
def test_infotext_equals_a1111(name: str) -> None:
    payload = _case(name)
    if payload.get("infotext"):
        fields = parse(payload["infotext"])
        base = read_fields(fields).request
        own = {PAYLOAD.get(key, key): value for key, value in payload.items() if key in PAYLOAD or key == "seed"}
        expected = (GOLDENS / "cases" / f"{name}.txt").read_text()
        got = write(base.with_(**own, a1111_infotext=True), _facts(payload, 0, expected))
        assert _without_version(got) == _without_version(expected)
        return
    for image, expected in enumerate((GOLDENS / "cases" / f"{name}.txt").read_text().split("\n=====\n")):
        # A field that the payload leaves out has A1111's default for the tiny server, seen in the golden
        sampled = parse(expected)
        payload = {"sampler_name": sampled["Sampler"], "width": 128, "height": 128} | payload
        got = write(_request(payload, image), _facts(payload, image, expected))
        assert _without_version(got) == _without_version(expected)


@pytest.mark.parametrize("name", _cases() or [pytest.param("", marks=pytest.mark.skip("no folder of goldens"))])
def test_golden_infotexts_are_read_without_a_notice(name: str) -> None:
    for text in (GOLDENS / "cases" / f"{name}.txt").read_text().split("\n=====\n"):
        assert read_fields(parse(text)).notices == ()


@pytest.mark.parametrize("image", ["info_a1111.png", "info_exif.jpg", "info_exif.webp", "photo200x152.png"])
def test_png_info_answers_what_a1111_does(image: str) -> None:
    golden = GOLDENS / "cases" / f"extra_pnginfo_{image.replace('.', '_')}.txt"
    if not (GOLDENS / "inputs" / image).exists():
        pytest.skip("no folder of goldens")
    opened = safe_open(GOLDENS / "inputs" / image)
    text = read_text(opened)
    if golden.exists():
        expected = json.loads(golden.read_text())
        assert text == expected["info"]
        assert with_defaults(parse(text)) == expected["parameters"]
        assert read_items(opened) == expected["items"]
    else:
        assert parse(text)["Sampler"] == "DPM++ 2M"

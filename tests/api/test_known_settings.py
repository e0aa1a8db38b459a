"""Every setting of A1111: accepted, honoured or said to have no effect, and read back as it was posted."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.api.fakes import Api, FakeEngine, parts_of
from tests.narrowing import img2img
from webui.api.application import create
from webui.api.sdapi.dialect.chosen import ChosenSettings, ProgramOptions
from webui.api.sdapi.dialect.file_options import grid_rules, saving_of
from webui.api.sdapi.dialect.known_settings import KNOWN
from webui.api.sdapi.dialect.options import OF_ONE_TASK, OPTIONS
from webui.domain.request import GenerationRequest
from webui.domain.saving import Saving
from webui.jobs.starting_values import StartingValues

OPTIONS_URL = "/sdapi/v1/options"
EVERY = (*KNOWN, *OF_ONE_TASK, "face_restoration_model", "code_former_weight")
OTHERS = {  # values that are not the default, where its type alone does not lead to one
    "samples_format": "webp", "grid_format": "jpg",
    "upscaler_for_img2img": "Nearest", "hires_fix_refiner_pass": "first pass", "initial_noise_multiplier": 0.5,
    "img2img_extra_noise": 0.25, "grid_background_color": "#102030", "img2img_background_color": "#102030",
}  # fmt: skip


class KeepingEngine(FakeEngine):
    """Keeps starting values as the program does."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.values = StartingValues(folder / "starting_values.json")

    def starting_values(self) -> GenerationRequest:
        return self.values.get()

    def change_starting_values(self, changes: Mapping[str, Any]) -> None:
        self.values.change(changes)


def api_in(folder: Path) -> Api:
    api = Api(KeepingEngine(folder))
    parts = parts_of(api.engine, chosen=ChosenSettings(path=folder / "a1111_options.json"))
    api.parts, api.app = parts, create(parts)
    return api


def another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return "other"
        case list():
            return ["other"]
    return value


def test_what_is_posted_is_read_back_also_after_a_restart(tmp_path: Path) -> None:
    api, posted = api_in(tmp_path), {}
    for key in EVERY:
        if key == "sd_checkpoint_hash":
            continue
        known = KNOWN[key].default if key in KNOWN else OF_ONE_TASK.get(key, "text" if key.endswith("model") else 0.5)
        posted[key] = OTHERS.get(key, another(known))
        assert posted[key] != known
    first = dict(list(posted.items())[::2])
    for some in (first, {key: value for key, value in posted.items() if key not in first}):
        answer = api.post(OPTIONS_URL, some)
        assert (answer.status_code, answer.json()) == (200, None)
    for door in (api, api_in(tmp_path)):
        now = door.get(OPTIONS_URL).json()
        assert {key: now[key] for key in posted} == posted


FIELDS = {
    "sd_vae_decode_method": "TAESD", "sd_vae_encode_method": "TAESD",
    "sd_vae": "None", "randn_source": "NV", "emphasis": "No norm", "sd_noise_schedule": "Zero Terminal SNR",
    "uni_pc_variant": "bh2", "uni_pc_skip_type": "logSNR", "token_merging_ratio": 0.5,
    "token_merging_ratio_img2img": 0.5, "token_merging_ratio_hr": 0.5, "inpainting_mask_weight": 0.5,
    "eta_ancestral": 0.5, "eta_ddim": 0.5, "s_noise": 0.5, "skip_early_cond": 0.5,
}  # fmt: skip


def test_fields_of_requests_are_read_back_too(tmp_path: Path) -> None:
    api = api_in(tmp_path)
    before = api.get(OPTIONS_URL).json()
    posted = {key: FIELDS.get(key, another(before[key])) for key in OPTIONS if key != "sd_model_checkpoint"}
    for key, value in posted.items():
        assert api.post(OPTIONS_URL, {key: value}).status_code == 200, key
    now = api_in(tmp_path).get(OPTIONS_URL).json()
    assert {key: now[key] for key in posted} == posted


def test_the_noise_source_of_the_page_can_be_chosen(tmp_path: Path) -> None:
    api = api_in(tmp_path)
    assert api.get(OPTIONS_URL).json()["randn_source"] == "GPU"
    api.post(OPTIONS_URL, {"randn_source": "CPU"})
    assert api.get(OPTIONS_URL).json()["randn_source"] == "CPU"


def test_every_key_is_taken_for_one_request_and_told_where_it_does_nothing() -> None:
    given = {
        key: KNOWN[key].default if key in KNOWN else OF_ONE_TASK.get(key, "CodeFormer" if "model" in key else 0.5)
        for key in EVERY
    }
    answer = Api().txt2img(override_settings=given)
    assert answer.status_code == 200, answer.text
    notices = json.loads(answer.json()["info"])["extra_generation_params"]["Notices"]
    for key in EVERY:
        is_told = any(notice.startswith(f"settings: {key} has no effect: ") for notice in notices)
        assert is_told == (key in KNOWN and KNOWN[key].effect == "none"), key


def test_each_setting_without_effect_has_a_reason() -> None:
    assert all(known.reason for known in KNOWN.values() if known.effect == "none")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"samples_format": 3}, "samples_format"),
        ({"samples_format": "gif"}, "samples_format"),
        ({"grid_format": "gif"}, "grid_format"),
        ({"jpeg_quality": 101}, "jpeg_quality"),
        ({"jpeg_quality": "much"}, "jpeg_quality"),
        ({"webp_lossless": "yes"}, "webp_lossless"),
        ({"n_rows": 1.5}, "n_rows"),
        ({"n_rows": 10**9}, "n_rows"),
        ({"grid_background_color": "white"}, "grid_background_color"),
        ({"img2img_background_color": "#12"}, "img2img_background_color"),
        ({"samples_filename_pattern": "x" * 300}, "samples_filename_pattern"),
        ({"ui_tab_order": "a"}, "ui_tab_order"),
        ({"upscaler_for_img2img": 3}, "upscaler_for_img2img"),
        ({"initial_noise_multiplier": 9}, "initial_noise_multiplier"),
        ({"no_such_key": None}, "no_such_key"),
    ],
)
def test_wrong_values_are_named_by_both_doors(body: dict[str, Any], key: str) -> None:
    api = Api()
    posted = api.post(OPTIONS_URL, body)
    assert posted.status_code == 422
    assert posted.json()["detail"][0]["loc"] == ["body", key]
    if key not in OF_ONE_TASK and key != "img2img_background_color":  # these two are of img2img
        answer = api.txt2img(override_settings=body)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", "override_settings", key]


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.mark.parametrize(("word", "kind"), [("jpg", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("png", "PNG")])
def test_the_format_of_the_answer_is_chosen_for_one_request(word: str, kind: str) -> None:
    api = Api()
    answer = api.txt2img(override_settings={"samples_format": word, "jpeg_quality": 31}, save_images=True)
    assert opened(answer.json()["images"][0]).format == kind
    saving = api.engine.last.saving
    assert saving is not None
    assert (saving.image_format, saving.jpeg_quality) == ("jpg" if kind == "JPEG" else word, 31)
    assert opened(api.txt2img().json()["images"][0]).format == "PNG"


def test_posted_settings_count_for_later_requests() -> None:
    api = Api()
    api.post(OPTIONS_URL, {"samples_format": "webp", "samples_save": False})
    assert opened(api.txt2img(save_images=True).json()["images"][0]).format == "WEBP"
    assert api.engine.last.save is False


def test_parameters_are_left_out_where_that_is_wanted() -> None:
    api = Api()
    for wanted in (True, False):
        image = opened(api.txt2img(override_settings={"enable_pnginfo": wanted}).json()["images"][0])
        assert ("parameters" in image.info) is wanted


@pytest.mark.parametrize(
    ("given", "name", "folder"),
    [
        ({}, "[number]-[seed]", "[date]"),
        ({"save_to_dirs": False}, "[number]-[seed]-[prompt_spaces]", ""),
        ({"save_images_add_number": False, "samples_filename_pattern": "[prompt]"}, "[prompt]", "[date]"),
        ({"directories_filename_pattern": "[model_name]"}, "[number]-[seed]", "[model_name]"),
    ],
)
def test_names_of_files_follow_a1111(given: dict[str, Any], name: str, folder: str) -> None:
    saving = saving_of({**ChosenSettings().values(), **given})
    assert (saving.filename_pattern, saving.folder_pattern) == (name, folder)


@pytest.mark.parametrize(
    "saving",
    [
        Saving(),
        Saving(folder_pattern=""),
        Saving(image_format="webp", webp_lossless=True, filename_pattern="x-[number]", sidecar_text=True),
        Saving(filename_pattern="[number]-[seed]-[prompt_spaces]", folder_pattern=""),
    ],
)
def test_the_programs_own_settings_come_back_as_they_are(saving: Saving) -> None:
    values = ChosenSettings(ProgramOptions(saving)).values()
    assert saving_of(values) == saving
    assert grid_rules(values).saving.image_format == saving.image_format


def test_previews_can_be_switched_off_for_one_request() -> None:
    api = Api(FakeEngine(hold=False))
    api.txt2img(override_settings={"live_previews_enable": False})
    assert not api.parts.previews.are_shown(api.engine.last.id)
    api.txt2img()
    assert api.parts.previews.are_shown(api.engine.last.id)


def test_settings_may_be_kept_after_a_request() -> None:
    api = Api()
    api.txt2img(override_settings={"samples_format": "webp"}, override_settings_restore_afterwards=False)
    assert api.get(OPTIONS_URL).json()["samples_format"] == "webp"


@pytest.mark.parametrize("text", ["", "[]", '{"samples_format": 7, "jpeg_quality": 12}', "[" * 100_000])
def test_a_broken_file_of_settings_stops_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a1111_options.json"
    path.write_text(text)
    assert ChosenSettings(path=path).values()["samples_format"] == "png"


def test_transparent_parts_get_the_colour_that_was_asked_for() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(buffer, "PNG")
    body = {"init_images": [base64.b64encode(buffer.getvalue()).decode()], "width": 64, "height": 64}
    for given, colour in (({}, (255, 255, 255)), ({"img2img_background_color": "#102030"}, (16, 32, 48))):
        api = Api()
        assert api.post("/sdapi/v1/img2img", {**body, "override_settings": given}).status_code == 200
        assert img2img(api.engine.last.request).image.open().getpixel((5, 5)) == colour

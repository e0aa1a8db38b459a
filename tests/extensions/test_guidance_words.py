"""A1111's words for the parts of guidance: arguments of scripts, settings, and texts that give the options back."""

from typing import Any

import pytest

from extensions.guidance.guidance_words import fields_of
from extensions.guidance.options import GuidanceOptions
from extensions.guidance.plugin import dialect
from tests.reference import Case, over_cases
from webui.api.sdapi.dialect.alwayson import place_of
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.output.parse import parse, read_fields
from webui.plugins.options import schema_of

INFO = ExtensionInfo("guidance", "guidance", options=schema_of(GuidanceOptions), dialect=dialect())
STAGES = [1.5, 0.6, 0.0, 0.5, 0.0, 1.0, 1.6, 0.4, 0.0, 0.5, 0.0, 1.0, 1.0, 1.0, 0.0, 0.5, 0.0, 1.0]
GROUPS = ("freeu", "dynthres")


def asked(body: dict[str, Any]) -> GuidanceOptions:
    request = to_request(read_body(body, Txt2ImgBody), GenerationRequest(), [INFO])
    return GuidanceOptions.model_validate(request.extensions.get("guidance", {}))


def script(title: str, *args: Any) -> dict[str, Any]:
    return {"alwayson_scripts": {title: {"args": list(args)}}}


@over_cases(".txt", where=lambda case: case.group in GROUPS)
def test_the_keys_are_those_of_the_extensions_for_a1111(case: Case) -> None:
    options, text = asked(case.body()), case.infotexts()[0]
    fields = parse(text)
    written = fields_of(options)
    assert written == {key: value for key, value in fields.items() if key in written}
    assert not any(key not in written for key in fields if key.startswith(("FreeU", "Dynamic", "Mimic")))
    reading = read_fields(fields, [INFO])
    back = GuidanceOptions.model_validate(reading.request.extensions.get("guidance", {}))
    assert fields_of(back) == written


def test_freeu_is_asked_for_by_place_and_by_name() -> None:
    by_place = asked(script("FreeU", True, 0.25, 0.75, 0, "Version 2", *STAGES))
    stages = [
        {"backbone_factor": 1.5, "skip_factor": 0.6},
        {"backbone_factor": 1.6, "skip_factor": 0.4, "backbone_offset": 0.0},
        {},
    ]
    named = {
        "enable": True, "start_ratio": 2, "stop_ratio": 6, "transition_smoothness": 0.0, "version": "2",
        "stage_infos": stages,
    }  # fmt: skip
    by_name = asked(script("freeu", named))
    assert by_name.freeu.acting == by_place.freeu.acting
    assert (by_name.freeu.start, by_name.freeu.stop) == (2, 6)
    assert fields_of(by_place)["FreeU Schedule"] == "0.25, 0.75, 0.0"
    forge = asked(script("FreeU Integrated (SD 1.x, SD 2.x, SDXL)", True, 1.1, 1.2, 0.9, 0.2, 0.0, 1.0)).freeu
    assert [stage.told for stage in forge.acting] == [
        {"backbone_factor": 1.1, "skip_factor": 0.9}, {"backbone_factor": 1.2, "skip_factor": 0.2},
    ]  # fmt: skip


def test_several_titles_ask_for_parts_of_one_extension() -> None:
    body = {
        "alwayson_scripts": {
            "Dynamic Thresholding (CFG Scale Fix)": {"args": [True, 5.0, 99.0]},
            "PerturbedAttentionGuidance Integrated": {"args": [True, 2.5, 10.0, 0.1, 0.9]},
            "SelfAttentionGuidance Integrated (SD 1.x, SD 2.x, SDXL)": {"args": [True, 0.7, 3.0, 0.9]},
            "Kohya HRFix Integrated": {"args": [True, 4, 1.5, 0.0, 0.4, False, "area", "nearest-exact"]},
        }
    }
    options = asked(body)
    assert (options.thresholding.mimic_scale, options.thresholding.percentile) == (5, 99)
    assert (options.pag.scale, options.pag.attenuation, options.pag.start, options.pag.end) == (2.5, 10, 0.1, 0.9)
    assert (options.sag.scale, options.sag.blur_sigma, options.sag.threshold) == (0.7, 3, 0.9)
    shrink = options.deep_shrink
    assert (shrink.block, shrink.factor, shrink.end, shrink.after_skip) == (4, 1.5, 0.4, False)
    assert (shrink.downscaling, shrink.upscaling) == ("area", "nearest-exact")
    forge = asked(
        script("DynamicThresholding (CFG-Fix) Integrated", True, 7, 0.95, "Constant", 0, "Constant", 0, 1, "disable")
    )
    assert (forge.thresholding.percentile, forge.thresholding.separate) == (95, False)


def test_a_script_that_is_off_changes_nothing() -> None:
    assert fields_of(asked(script("FreeU", False, 0, 1, 0, "Version 2", *STAGES))) == {}


def test_the_settings_of_hypertile_count() -> None:
    options = asked(
        {
            "override_settings": {
                "hypertile_enable_unet": False,
                "hypertile_enable_vae": True,
                "hypertile_max_depth_vae": 1,
            }
        }
    )
    assert (options.hypertile.unet, options.hypertile.vae, options.hypertile.of_vae.max_depth) == (False, True, 1)
    assert fields_of(options) == {"Hypertile VAE": "True", "Hypertile VAE max depth": "1"}
    assert fields_of(asked({"override_settings": {"hypertile_max_depth_unet": 1}})) == {}
    second = asked({"override_settings": {"hypertile_enable_unet_secondpass": True, "hypertile_swap_size_unet": 2}})
    assert fields_of(second) == {"Hypertile U-Net second pass": "True", "Hypertile U-Net swap size": "2"}


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("freeu_enabled: True, freeu_b1: 1.3, freeu_b2: 1.4, freeu_s1: 0.9, freeu_s2: 0.2", {
            "freeu": {"enabled": True, "stages": [
                {"backbone_factor": 1.3, "skip_factor": 0.9}, {"backbone_factor": 1.4, "skip_factor": 0.2},
            ]},
        }),
        ("dynthres_enabled: True, dynthres_mimic_scale: 5, dynthres_separate_feature_channels: enable", {
            "thresholding": {"enabled": True, "mimic_scale": 5},
        }),
        ("pagi_enabled: True, pagi_scale: 4", {"pag": {"enabled": True, "scale": 4}}),
        ("Hypertile U-Net: True, Hypertile U-Net max tile size: 128", {
            "hypertile": {"unet": True, "of_unet": {"max_tile": 128}},
        }),
    ],
)  # fmt: skip
def test_keys_of_others_are_read(text: str, options: dict[str, Any]) -> None:
    reading = read_fields(parse(f"a\nSteps: 20, {text}"), [INFO])
    assert reading.notices == ()
    read = GuidanceOptions.model_validate(reading.request.extensions["guidance"])
    assert read == GuidanceOptions.model_validate(options)


def test_what_is_wrong_is_said_at_its_place() -> None:
    path = ("extensions", "guidance", "freeu", "stages", 1, "skip_factor")
    scripts = script("FreeU", True, 0, 1, 0, "2", *STAGES)["alwayson_scripts"]
    assert place_of(path, scripts, [INFO]) == ("alwayson_scripts", "FreeU", "args", 5 + 6 + 1)
    named = {"FreeU": {"args": [{"enable": True, "stage_infos": [{}]}]}}
    assert place_of(path, named, [INFO]) == ("alwayson_scripts", "FreeU", "args", 0, "stage_infos", 1, "skip_factor")

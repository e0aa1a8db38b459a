"""A1111's own images with sd-webui-controlnet, made again by the whole program with the extension: within tolerance,
with the detected maps pixel by pixel, and with its text.
"""

from typing import Any

import numpy as np
import pytest

from tests.a1111_answers import USUAL, answered, check_result, request_of
from tests.processing.reporters import Silent
from tests.reference import Case, case_named, over_cases
from webui.processing.back import Back

GROUPS = ("controlnet", "controlnet_xl", "cn_faults")
# Hires fix by way of a picture: values that fall on the other side of an 8-bit step. A1111 with another attention: 62.
BOUNDS = {"cn_hr_canny_lanczos": 58.0, "cnf_hr_high_only": 58.0}
SMALL = {"steps": 2, "width": 64, "height": 64}  # for what holds of every job
WITHOUT_EFFECT = ("cn_none_nomap", "cn_t2i_adapter", "cn_control_lora", "cn_lllite", "cn_ref_adain_attn")


@over_cases(".png", where=lambda case: case.group in GROUPS)
def test_the_image_is_a1111s(case: Case, reference_back: Back) -> None:
    check_result(case, answered(case, reference_back), BOUNDS.get(case.name, USUAL))


def pixels(case: Case, back: Back, **changes: object) -> np.ndarray:
    return np.asarray(answered(case, back, **changes).images[0].image).astype(int)


def with_unit(case: Case, **changes: object) -> dict[str, Any]:
    """The always-on scripts of a case with fields of its first unit changed; None takes a field away."""
    scripts: dict[str, Any] = case.body()["alwayson_scripts"]
    unit = {**scripts["controlnet"]["args"][0], **changes}
    scripts["controlnet"]["args"][0] = {name: value for name, value in unit.items() if value is not None}
    return scripts


def test_tags_of_the_second_pass_do_not_end_control(reference_back: Back) -> None:
    """Its networks are applied anew, and those of the units with them."""
    case = case_named("cn_hr_low")

    def shown(**changes: object) -> np.ndarray:
        request = request_of(case, reference_back, hr_second_pass_steps=2, **SMALL, **changes)
        return np.asarray(reference_back.run(request, Silent()).images[0].image)

    tagged = shown(hr_prompt=case.payload["prompt"] + "<nobody:1>")
    assert np.array_equal(tagged, shown(hr_prompt=case.payload["prompt"]))
    assert not np.array_equal(tagged, shown(alwayson_scripts=with_unit(case, enabled=False)))


def test_a_unit_that_does_not_say_whether_it_is_enabled_takes_part(reference_back: Back) -> None:
    case = case_named("cn_none_nomap")
    told, untold = (
        answered(case, reference_back, **SMALL, alwayson_scripts=with_unit(case, enabled=enabled)).images[0]
        for enabled in (True, None)
    )
    assert np.array_equal(np.asarray(untold.image), np.asarray(told.image))
    assert untold.infotext == told.infotext


@pytest.fixture(scope="module")
def uncontrolled(reference_back: Back) -> np.ndarray:
    """The picture of a case whose unit is off; the cases at weight nothing differ from it by their unit alone."""
    return pixels(case_named("cn_disabled"), reference_back, **SMALL)


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_weight_nothing_is_no_control(name: str, reference_back: Back, uncontrolled: np.ndarray) -> None:
    case = case_named(name)
    made = pixels(case, reference_back, **SMALL, alwayson_scripts=with_unit(case, weight=0.0))
    # A reference unit lengthens what is attended to, and a processor may add up in another order then.
    assert np.abs(made - uncontrolled).max() <= 1

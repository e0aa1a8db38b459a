"""A1111's own pictures with Regional Prompter, made again by the whole program with the extension."""

import pytest

from tests.extensions.a1111_pictures import back_with_extensions, check
from tests.reference import THIRD, Case, cases, each
from webui.processing.back import Back

# The quick ones, one for each way of dividing and of computing; the others are at 74 to 76 dB too.
CASES = ("rp_2d_flip", "rp_mask", "rp_neg_regions", "rp_latent_base_common")
LEAST = 70.0  # dB


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    return back_with_extensions(tmp_path_factory.mktemp("data"))


@each(cases(".png", where=lambda case: case.name in CASES, folders=(THIRD,)))
def test_the_picture_is_a1111s(case: Case, back: Back) -> None:
    check(case, back, LEAST)

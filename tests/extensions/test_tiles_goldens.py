"""A1111's own pictures with Tiled Diffusion and Tiled VAE, made again by the whole program with the extensions."""

import pytest

from tests.extensions.a1111_pictures import back_with_extensions, check
from tests.reference import THIRD, Case, cases, each
from webui.processing.back import Back

# The quick ones; the others differ from them in numbers alone.
CASES = ("td_i2i_upscale_lanczos", "td_one_tile_ignored", "td_regions_nobg", "tv_enc_fast_i2i")
LEAST = 60.0  # dB; A1111 repeats those that start from a picture at 74


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Back:
    return back_with_extensions(tmp_path_factory.mktemp("data"))


@each(cases(".png", where=lambda case: case.name in CASES, folders=(THIRD,)))
def test_the_picture_is_a1111s(case: Case, back: Back) -> None:
    check(case, back, LEAST)

"""A1111's own pictures with its extensions, made again by the whole program with ours: Regional Prompter, Tiled
Diffusion and Tiled VAE, IP-Adapter, LoRA block weight, FreeU, Dynamic Thresholding.
"""

from tests.a1111_answers import answered, check_result
from tests.reference import Case, over_cases
from webui.processing.back import Back

LEAST = {  # dB, for each group
    "regional": 70.0,
    "tiled": 60.0,  # A1111 repeats those that start from a picture at 74
    "ipadapter": 66.0,
    "lbw": 66.0,
    "freeu": 66.0,
    "dynthres": 66.0,
}


@over_cases(".png", where=lambda case: case.group in LEAST)
def test_the_picture_is_a1111s(case: Case, reference_back: Back) -> None:
    result = answered(case, reference_back)
    check_result(case, result, LEAST[case.group])
    if case.group == "ipadapter":  # asked for in units of ControlNet, and told as those
        assert "ip_adapter" not in result.images[0].request.extensions

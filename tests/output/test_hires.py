"""What texts say of hires fix and of token merging, there and back."""

import pytest
from PIL import Image

from webui.domain.hires import LATENT_UPSCALERS, Hires, Target
from webui.domain.request import GenerationRequest, Refiner, TokenMerging, Txt2Img
from webui.domain.result import ModelFacts
from webui.output.infotext import InfoFacts, write
from webui.output.parse import parse, read_fields

FACTS = InfoFacts(model=ModelFacts("ink", "0123456789"))


def with_hires(**options: object) -> GenerationRequest:
    return GenerationRequest(
        prompt="a cat", negative_prompt="bad", sampler="Euler", checkpoint="ink [0123456789]", seed=4, subseed=-1,
        task=Txt2Img(hires=Hires(enabled=True, **options)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [
        with_hires(),
        with_hires(upscaler="Latent (bicubic antialiased)", scale=1.5, steps=7, denoising_strength=0.35),
        with_hires(resize_width=768, upscaler="R-ESRGAN 4x+, really"),
        with_hires(resize_width=768, resize_height=512, cfg_scale=3.5, extra_noise=0.2),
        with_hires(sampler="LMS", scheduler="Karras", checkpoint="other [abcdef0123]"),
        with_hires(prompt='a "dog", b: c\nd', negative_prompt="[worse:bad:0.5]"),
        with_hires().with_(token_merging=TokenMerging(ratio=0.3, hires_ratio=0.5)),
        with_hires(refiner_pass="both passes").with_(refiner=Refiner(checkpoint="fine")),
    ],
)
def test_what_was_written_is_read_back(request_: GenerationRequest) -> None:
    reading = read_fields(parse(write(request_, FACTS)))
    assert reading.request == request_
    assert not reading.notices


def test_nothing_is_said_of_a_second_pass_that_is_off() -> None:
    request = GenerationRequest(task=Txt2Img(hires=Hires(scale=3, upscaler="Lanczos")))
    assert "Hires" not in write(request, FACTS)
    assert "Denoising" not in write(request, FACTS)


def test_what_equals_the_first_pass_is_left_out() -> None:
    text = write(with_hires(prompt="a cat", negative_prompt="bad", sampler="Euler", scheduler="Automatic"), FACTS)
    assert "Hires prompt" not in text
    assert "Hires sampler" not in text
    assert "Hires schedule" not in text
    assert "Hires schedule type: Karras" in write(with_hires(sampler="DPM++ 2M"), FACTS)


def test_values_that_are_refused_are_told() -> None:
    text = write(with_hires(), FACTS).replace("Hires upscale: 2.0", "Hires upscale: 999")
    reading = read_fields(parse(text))
    assert reading.request.task == Txt2Img(hires=Hires(enabled=True))
    assert "Hires upscale" in reading.notices[0].text


@pytest.mark.parametrize(
    ("options", "size", "target", "finished"),
    [
        ({"scale": 1.5}, (512, 768), Target(768, 1152), (768, 1152)),
        ({"scale": 1.33}, (512, 512), Target(680, 680), (680, 680)),
        ({"resize_width": 1024, "resize_height": 1024}, (512, 768), Target(1024, 1536, 0, 64), (1024, 1024)),
        ({"resize_width": 1000}, (640, 512), Target(1000, 800), (1000, 800)),
        ({"resize_height": 800}, (640, 512), Target(1000, 800), (1000, 800)),
    ],
)
def test_sizes_are_a1111s(
    options: dict[str, float], size: tuple[int, int], target: Target, finished: tuple[int, int]
) -> None:
    found = Hires(**options).target(*size)
    assert found == target
    assert found.size == finished


def test_a_second_pass_counts_as_work_and_has_bounds() -> None:
    with pytest.raises(ValueError, match=r"more than"):
        with_hires(scale=4, steps=150).with_(width=2048, height=2048, batch_size=32)
    with pytest.raises(ValueError, match=r"task\.hires"):
        with_hires(scale=16).with_(width=1024, height=1024)
    with pytest.raises(ValueError, match="first_pass needs"):
        Txt2Img.model_validate({"first_pass": Image.new("RGB", (8, 8))})


def test_every_latent_upscaler_of_a1111_is_there() -> None:
    assert list(LATENT_UPSCALERS) == [
        "Latent", "Latent (antialiased)", "Latent (bicubic)", "Latent (bicubic antialiased)", "Latent (nearest)",
        "Latent (nearest-exact)",
    ]  # fmt: skip

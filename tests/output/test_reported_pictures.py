"""Pictures and texts that users reported: rebuilt here, and as their own scripts make them where those are at hand."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.domain.request import GenerationRequest
from webui.output.metadata import read_parameters, safe_open
from webui.output.parse import parse, read_fields, to_request

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
JAPANESE = (
    "猫と犬, (emoji 😀:1.2)\nNegative prompt: 悪い\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 55, Size: 512x512"
)
FOX = (
    '{"sui_image_params": {"prompt": "a red fox", "negativeprompt": "blurry", "seed": 1234, "steps": 22, '
    '"cfgscale": 6.5, "width": 832, "height": 1216, "sampler": "euler_ancestral", "scheduler": "karras"}}'
)


def made_by(case: str, *, into: Path) -> Iterator[Path]:
    """The pictures that the script of a case makes; none where the cases are not here."""
    script = CASES / case / "make.py"
    if script.is_file():
        subprocess.run([sys.executable, script, into], check=True, capture_output=True)
        yield from [into] if into.is_file() else sorted(into.iterdir())


def with_chunk(path: Path, key: str, text: str) -> Path:
    info = PngInfo()
    info.add(b"tEXt", f"{key}\0{text}".encode())
    Image.new("RGB", (16, 16)).save(path, pnginfo=info)
    return path


def read(path: Path) -> GenerationRequest:
    return read_parameters(safe_open(path)).reading().request


def test_utf_8_in_a_text_chunk(tmp_path: Path) -> None:
    own = with_chunk(tmp_path / "own.png", "parameters", JAPANESE)
    for path in [own, *made_by("png-utf8-in-text", into=tmp_path / "case.png")]:
        request = read(path)
        assert (request.prompt, request.negative_prompt) == ("猫と犬, (emoji 😀:1.2)", "悪い")
        assert (request.steps, request.seed) == (30, 55)


def test_parameters_of_four_programs(tmp_path: Path) -> None:
    own = with_chunk(tmp_path / "own.png", "parameters", FOX)
    for path in [own, *made_by("foreign-metadata-json", into=tmp_path / "case")]:
        request = read(path)
        assert (request.prompt, request.negative_prompt, request.steps) == ("a red fox", "blurry", 22), path
        assert (request.seed, request.cfg_scale) == (1234, 6.5)
        assert (request.width, request.height) == (832, 1216)
        assert request.sampler in ("Euler a", "DPM++ 2M SDE")


def test_an_array_of_resources_overwrites_nothing() -> None:
    text = (
        "a car\nNegative prompt: blur\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 13.5, Seed: 839351144, "
        'Size: 832x1216, Clip skip: 2, Civitai resources: [{"type":"checkpoint","modelVersionId":1},'
        '{"type":"lora","weight":0.4,"modelVersionId":2,"modelName":"Speed, Steps: 3, Seed: 5",'
        '"modelVersionName":"Size: 64x64"}], '
        "Civitai metadata: {}"
    )
    request = to_request(parse(text))
    assert (request.steps, request.sampler, request.seed) == (30, "DPM++ 2M", 839351144)
    assert (request.width, request.height) == (832, 1216)


def test_lines_below_the_details() -> None:
    above = "a cat\nNegative prompt: dog\nSteps: 25, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 3, Size: 512x768\n"
    for below in (
        "\nUsed embeddings: EasyNegative [119b]", "Time taken: 3.2 sec.\nA: 3.09 GB, R: 3.54 GB",
        "Template: {cat|dog}\nNegative Template: dog",
    ):  # fmt: skip
        request = to_request(parse(above + below))
        assert (request.steps, request.seed, request.width, request.height) == (25, 3, 512, 768)
        assert (request.prompt, request.negative_prompt) == ("a cat", "dog")


def test_seeds_of_64_bits() -> None:
    for seed in (114294952475285, 6687881544318117707, 798615450461297, 2**64 - 1):
        details = f"Steps: 3, Sampler: Euler, CFG scale: 7, Seed: {seed}, Size: 64x64, Version: ComfyUI"
        text = f"a cat\nNegative prompt: b\n{details}"
        reading = read_fields(parse(text))
        assert reading.request.seed == seed
        assert reading.notices == ()

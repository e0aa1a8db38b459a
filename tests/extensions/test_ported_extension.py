"""The extension that docs/extending.md ports from A1111: each step works, and the document shows its very code."""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from tests.exact_back import exact_back
from tests.processing.reporters import Silent
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.output.extension_keys import read_keys
from webui.output.filenames import NameFacts, file_name
from webui.output.parse import parse
from webui.plugins.loader import load_all
from webui.processing.back import Back

PORTED = Path(__file__).parent / "ported" / "style_words"
GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"
REQUEST = GenerationRequest(
    prompt="a cat", checkpoint="tiny-sd1", sampler="Euler", steps=1, seed=5, width=64, height=64
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, data: Path) -> Iterator[Back]:
    shutil.copytree(PORTED, data / "extensions" / "style_words")
    made = exact_back(models_dir=tiny_models_dir, data_dir=data, extensions_dir=data / "extensions")
    yield made
    made.close()


def made(back: Back, **options: object) -> GenerationResult:
    return back.run(REQUEST.with_(extensions={"style_words": options}), Silent())


def test_a_style_is_put_around_the_prompt(back: Back) -> None:
    image = made(back, style="night").images[0]
    assert image.request.prompt == "a cat at night, lanterns, deep blue"
    assert parse(image.infotext)["Style Selector Style"] == "night"


def test_every_style_is_a_picture_with_its_word_in_the_name(back: Back) -> None:
    images = made(back, all_styles=True).images
    words = [image.words["style_words"] for image in images]
    assert words == ["ink", "clay", "night"]
    facts = NameFacts(
        request=REQUEST, job=REQUEST, index=0, image=Image.new("RGB", (8, 8)), time=datetime(2026, 1, 1, tzinfo=UTC),
        words=images[1].words,
    )  # fmt: skip
    assert file_name("[seed]-[style_words]", facts, ".png").with_number(0) == "5-clay.png"


def test_a_random_style_follows_from_the_seed(back: Back) -> None:
    prompts = [made(back, randomize=True).images[0].request.prompt for _ in range(2)]
    assert prompts[0] == prompts[1] != "a cat"


def test_the_settings_decide_where_the_request_does_not(back: Back, data: Path) -> None:
    place = data / "extension_settings" / "style_words.json"
    assert made(back).images[0].words == {"style_words": "ink"}
    place.parent.mkdir(exist_ok=True)
    place.write_text(json.dumps({"usual": "clay"}))
    assert made(back).images[0].words == {"style_words": "clay"}
    place.write_text("[")
    result = made(back)
    assert result.images[0].words == {"style_words": "ink"}
    assert "the usual ones hold" in result.notices[0].text
    place.unlink()


def test_an_infotext_is_read_back() -> None:
    [info] = load_all(PORTED.parent).infos
    assert (info.state, info.notice) == ("ok", "")
    assert info.frames[0].sees_prompts
    text = {"Style Selector Enabled": "True", "Style Selector Style": "clay"}
    values = {path: value for _, path, value in read_keys(text, [info]).values}
    assert values == {"extensions.style_words.enabled": True, "extensions.style_words.style": "clay"}


def test_the_guide_shows_the_code_of_the_extension() -> None:
    part = GUIDE.read_text().partition("## 8. Port an extension of A1111")[2].partition("\n## ")[0]
    blocks = re.findall(r"```(?:python|js|toml)\n(.*?)```", part, re.DOTALL)
    code = flush("\n".join(path.read_text() for path in sorted(PORTED.iterdir()) if path.is_file()))
    assert len(blocks) >= 6
    for block in blocks:
        for piece in block.strip().split("\n\n\n"):
            assert flush(piece) in code, piece


def flush(text: str) -> str:
    """The lines without their indentation, as the guide shows methods without their class."""
    return "\n".join(line.strip() for line in text.strip().splitlines())

"""Wildcards: the language by its laws, the seed decides everything, bad names and endless texts are refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from extensions.wildcards.files import WildcardFiles
from extensions.wildcards.grammar import Chance, expanded
from extensions.wildcards.plugin import FOLDER, DecidedPrompts, WildcardOptions, dialect
from webui.domain.extensions import ExtensionInfo
from webui.extension_api import BadRequestError, GenerationRequest
from webui.output.parse import parse, read_fields

SEEDS = range(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "animals").mkdir()
    (tmp_path / "colour.txt").write_text("# colours\nred\n\n  blue  \n{dark|pale} green\n", "utf-8")
    (tmp_path / "animals" / "cats.txt").write_text("lynx", "utf-8")
    (tmp_path / "animals" / "dogs.txt").write_text("__colour__ hound", "utf-8-sig")
    (tmp_path / "empty.txt").write_text("# nothing\n", "utf-8")
    (tmp_path / "round.txt").write_text("x __round__", "utf-8")
    (tmp_path / "many.txt").write_text("__two__ __two__", "utf-8")
    (tmp_path / "two.txt").write_text("__many__", "utf-8")
    return tmp_path


def none(name: str) -> Sequence[str]:
    raise BadRequestError("prompt", f"no {name}")


def results(text: str, folder: Path | None = None) -> set[str]:
    """Everything a text gave over many seeds."""
    lines = WildcardFiles(folder) if folder else none
    return {expanded(text, lines, Chance(seed)) for seed in SEEDS}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a {red|blue} cat", {"a red cat", "a blue cat"}),
        ("{a|{b|c}}", {"a", "b", "c"}),
        ("{a|}", {"a", ""}),
        ("{2$$a|b|c}", {"a, b", "b, a", "a, c", "c, a", "b, c", "c, b"}),
        ("{a|b|2$$c}", {"a, b", "b, a", "a, c", "c, a", "b, c", "c, b"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{9$$a|b}", {"a, b", "b, a"}),
        ("{0$$a|b}", {""}),
        ("{plain} [x|y] (z:1.2) { a_b", {"{plain} [x|y] (z:1.2) { a_b"}),
        ("{[a|b]|c}", {"[a|b]", "c"}),
        (r"\{a|b\} \__x\__ \(", {r"{a|b} __x__ \("}),
        ("<lora:a_b:1> _ __ ___ __../x__", {"<lora:a_b:1> _ __ ___ __../x__"}),
    ],
)
def test_the_language(text: str, wanted: set[str]) -> None:
    assert results(text) == wanted


def test_names_take_lines_of_files(folder: Path) -> None:
    assert results("a __colour__ cat", folder) == {
        f"a {one} cat" for one in ("red", "blue", "dark green", "pale green")
    }
    assert results("__animals/cats__", folder) == {"lynx"}
    assert results("__animals/*__", folder) == {
        "lynx", "red hound", "blue hound", "dark green hound", "pale green hound",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__nowhere__", r"__nowhere__: there is no nowhere\.txt in .*; there are: .*colour"),
        ("__x/../secret__", "there is no"),
        ("__empty__", "has no choices"),
        ("__round__", "deep"),
        ("__many__", "deep|random choices"),
        ("{" * 40 + "a|b" + "}" * 40, "deep"),
        ("{a|b}" * 3000, "random choices"),
    ],
)
def test_what_cannot_be_decided_is_refused(text: str, message: str, folder: Path) -> None:
    with pytest.raises(BadRequestError, match=message):
        expanded(text, WildcardFiles(folder), Chance(0))


def test_a_link_out_of_the_folder_is_no_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("password", "utf-8")
    (folder / "link.txt").symlink_to(secret)
    with pytest.raises(BadRequestError, match="there is no"):
        WildcardFiles(folder)("link")


def test_long_texts_without_an_end_take_one_pass() -> None:
    for text in ("{" * 50_000, "}" * 50_000, "_" * 50_000 + "x", "\\" * 50_001):
        assert expanded(text, none, Chance(0))


def decided(joined: DecidedPrompts, request: GenerationRequest, index: int = 0) -> GenerationRequest | None:
    return joined.edit_image_request(request, index)


def test_the_seed_decides() -> None:
    request = GenerationRequest(prompt="{a|b|c} {a|b|c} {a|b|c}", negative_prompt="{d|e}", seed=7)
    joined = DecidedPrompts(FOLDER)
    first, again = decided(joined, request), decided(joined, request)
    assert first is not None
    assert first == again
    assert first.seed == 7
    assert first.negative_prompt in ("d", "e")
    others = [decided(joined, request.with_(seed=seed)) for seed in SEEDS]
    assert len({one.prompt for one in others if one}) > 10
    assert decided(joined, GenerationRequest(prompt="plain", seed=1)) is None
    with pytest.raises(BadRequestError, match=r"^negative_prompt: __nowhere__"):
        decided(joined, GenerationRequest(negative_prompt="__nowhere__", seed=1))


def test_what_was_decided_and_from_what_is_told() -> None:
    joined = DecidedPrompts(FOLDER)
    decided(joined, GenerationRequest(prompt="{a|b}", negative_prompt="plain", seed=7), 3)
    assert joined.image_fields(3) == {"Template": "{a|b}"}
    assert joined.image_fields(2) is None


def test_a_pasted_template_waits_until_it_is_wanted() -> None:
    info = ExtensionInfo("wildcards", "wildcards", dialect=dialect())
    text = 'a\nSteps: 3, Sampler: Euler, Seed: 7, Template: "{a|b}, c", Negative Template: {d|e}'
    reading = read_fields(parse(text), [info])
    options = reading.request.extensions["wildcards"]
    assert options == {"enabled": False, "template": "{a|b}, c", "negative_template": "{d|e}"}
    assert reading.notices == ()
    wanted = WildcardOptions.model_validate({**options, "from_template": True})
    made = decided(DecidedPrompts(FOLDER, wanted), reading.request)
    assert made is not None
    assert made.prompt in ("a, c", "b, c")
    assert made.negative_prompt in ("d", "e")


def test_choices_do_not_depend_on_the_version_of_python() -> None:
    chance = Chance(1)
    assert [chance.below(10) for _ in range(6)] == [0, 3, 3, 1, 3, 0]

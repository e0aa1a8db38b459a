"""Wildcards: the language by its laws, A1111's prompts for A1111's seeds, and what is too much is refused."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from extensions.wildcards import structured
from extensions.wildcards.draws import Chance, Context, Value, texts
from extensions.wildcards.files import WildcardFiles
from extensions.wildcards.grammar import Way, parsed
from extensions.wildcards.options import WildcardOptions
from extensions.wildcards.plugin import FOLDER, DecidedPrompts, dialect
from tests.reference import Case, over_cases
from webui.api.sdapi.dialect.alwayson import place_of
from webui.api.sdapi.dialect.models import Txt2ImgBody
from webui.api.sdapi.dialect.translate import read_body, to_request
from webui.domain.extensions import ExtensionInfo
from webui.extension_api import BadRequestError, GenerationRequest, PlannedImage
from webui.output.parse import parse, read_fields
from webui.processing.plan import images_of, make_plan

SEEDS = range(60)
INFO = ExtensionInfo("wildcards", "wildcards", options=WildcardOptions.model_json_schema(), dialect=dialect())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "animals").mkdir()
    (tmp_path / "colour.txt").write_text("# colours\nred\n\n  blue  \n{dark|pale} green\n", "utf-8")
    (tmp_path / "animals" / "cats.txt").write_text("lynx", "utf-8")
    (tmp_path / "animals" / "dogs.txt").write_text("__colour__ hound", "utf-8-sig")
    (tmp_path / "animals" / "birds.yaml").write_text("birds:\n  small: [3::wren, robin]\n  1: x\n  note: y\n", "utf-8")
    (tmp_path / "trees.json").write_text('["oak", {"text": "ash", "weight": 2}, 7]', "utf-8")
    (tmp_path / "coat.txt").write_text("${season:mild} coat", "utf-8")
    (tmp_path / "empty.txt").write_text("# nothing\n", "utf-8")
    (tmp_path / "round.txt").write_text("x __round__", "utf-8")
    return tmp_path


def none(name: str) -> Sequence[Value]:
    return ()


def draw(text: str, count: int = 1, *, seed: int = 0, way: Way = "random", folder: Path | None = None) -> list[str]:
    """The first texts that one source gives."""
    lookup = WildcardFiles(folder) if folder else none
    return list(islice(texts(parsed(text), Context(lookup, Chance(seed), way)), count))


def results(text: str, folder: Path | None = None) -> set[str]:
    """Everything a text gave over many seeds."""
    lookup = WildcardFiles(folder) if folder else none
    return {next(texts(parsed(text), Context(lookup, Chance(seed)))) for seed in SEEDS}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a {red|blue} cat", {"a red cat", "a blue cat"}),
        ("{a|{b|c}}", {"a", "b", "c"}),
        ("{a|}", {"a", ""}),
        ("{2$$a|b|c}", {"a,b", "b,a", "a,c", "c,a", "b,c", "c,b"}),
        ("{a|b|2$$c}", {"a,b", "b,a", "a,c", "c,a", "b,c", "c,b"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{2$$|$$a|b}", {"a|b", "b|a"}),
        ("{1-2$$a|b}", {"a", "b", "a,b", "b,a"}),
        ("{-2$$a|b|c}", {"a", "b", "c", "a,b", "b,a", "a,c", "c,a", "b,c", "c,b"}),
        ("{2-$$a|b}", {"a,b", "b,a"}),
        ("{2$$a|}", {"a"}),
        ("{9$$a|b}", {"a,b", "b,a"}),
        ("{0$$a|b}", {""}),
        ("{1::a|0::b}", {"a"}),
        ("{ a |  b}", {"a ", "b"}),
        ("${x=!{a|b}}${x}${x}", {"aa", "bb"}),
        ("${x={a|b}}${x}${x}", {"aa", "bb", "ab", "ba"}),
        ("${x=a}${x?=b}${x}${y:{c|d}}", {"ac", "ad"}),
        ("%{the best ... , ever$${a|b}}", {"the best a , ever", "the best b , ever"}),
        ("{plain} [x|y] (z:1.2) { a_b $5 100% #1", {"plain [x|y] (z:1.2) { a_b $5 100% #1"}),
        ("{[a|b]|c}", {"[a|b]", "c"}),
        (r"\{a|b\} \__x\__ \(", {r"{a|b} __x__ \("}),
        ("<lora:a_b:1> _ __ ___ __../x__", {"<lora:a_b:1> _ __ ___ __../x__"}),
    ],
)
def test_the_language(text: str, wanted: set[str]) -> None:
    assert results(text) == wanted


def test_weights_are_shares() -> None:
    drawn = draw("{3::a|b}", 1000)
    assert 700 < drawn.count("a") < 800


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{a|b} {c|d}", ["a c", "a d", "b c", "b d"]),
        ("{2$$a|b|c}", ["a,b", "a,c", "b,a", "b,c", "c,a", "c,b"]),
        ("{1-2$$a|b}", ["a", "b", "a,b", "b,a"]),
        ("{2$$a|a|b}", ["a,b", "b,a"]),
        ("{@x|y} {a|b|c}", ["x a", "y b", "x c"]),
        ("plain", ["plain"]),
        ("", [""]),
        ("__animals/birds/small__ {a|b}", ["__animals/birds/small__ a", "__animals/birds/small__ b"]),
        ("${x=!{a|b}}${x}{c|d}", ["ac", "ad"]),
        ("%{<...>$${a|b}}", ["<a>", "<b>"]),
    ],
)
def test_all_combinations_come_once_and_the_last_changes_fastest(text: str, wanted: list[str]) -> None:
    assert draw(text, 50, way="combinatorial") == wanted


def test_what_goes_round_goes_on_with_the_next_image(folder: Path) -> None:
    assert draw("{@a|b|c}", 5) == ["a", "b", "c", "a", "b"]
    assert draw("{@{@a|b}|c}", 4) == ["a", "c", "b", "c"]
    assert draw("__@animals/birds/small__", 5, folder=folder) == ["robin", "wren", "wren", "wren", "robin"]


def test_names_take_values_of_files(folder: Path) -> None:
    assert results("a __colour__ cat", folder) == {
        f"a {one} cat" for one in ("red", "blue", "dark green", "pale green")
    }
    assert results("__animals/cats__", folder) == results("__cats__", folder) == {"lynx"}
    assert results("__animals/*s__", folder) == {"lynx", "red hound", "blue hound", "dark green hound",
                                                 "pale green hound"}  # fmt: skip
    assert results("__trees__", folder) == {"oak", "ash"}
    assert results("__animals/birds/*__", folder) == {"wren", "robin"}
    assert all(len(set(two.split(","))) == 2 for two in results("{2$$__colour__}", folder))
    assert results("${x=!{cats|trees}}__*${x}__", folder) == {"lynx", "oak", "ash"}


def test_a_value_may_be_given_variables(folder: Path) -> None:
    assert draw("__coat__", folder=folder) == ["mild coat"]
    assert results("__coat(season={wet|dry})__", folder) == {"wet coat", "dry coat"}
    assert draw("${season=cold}__coat__", folder=folder) == ["cold coat"]


def test_a_name_without_a_file_stays_and_is_told(folder: Path) -> None:
    told: list[str] = []
    joined = DecidedPrompts(folder, WildcardOptions(), told.append)
    made = planned(joined, GenerationRequest(prompt="a __nowhere__ __empty__ __x/../secret__", seed=1))
    assert made[0].prompt == "a __nowhere__ __empty__ __x/../secret__"
    assert len(told) == 1
    for name in ("__nowhere__", "__empty__", "colour", "birds/small"):
        assert name in told[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__round__", "deep"),
        ("{" * 40 + "a|b" + "}" * 40, "deep"),
        ("{a|b}" * 3000, "more than 4000 choices"),
        ("${x}", "no such variable"),
        ("${x=a${x}}${x}", "its own value"),
        ("{0::a|0::b}", "weights are all 0"),
    ],
)
def test_what_cannot_be_decided_is_refused(text: str, message: str, folder: Path) -> None:
    with pytest.raises(BadRequestError, match=message):
        draw(text, folder=folder)


@pytest.mark.parametrize("prompt", ["{a|b}" * 20, "{8$$a|b|c|d|e|f|g|h|i}", "{1-$$" + "|".join("a" * 30) + "}"])
def test_too_many_combinations_are_refused_unless_a_number_is_set(prompt: str) -> None:
    request = GenerationRequest(prompt=prompt, seed=1)
    all_of_them = DecidedPrompts(FOLDER, WildcardOptions(combinatorial=True))
    if "a|a" in prompt:  # thirty options of one text are one
        assert [one.prompt for one in planned(all_of_them, request)] == ["a"]
        return
    with pytest.raises(BadRequestError, match="more than 1000 pictures"):
        planned(all_of_them, request)
    some = DecidedPrompts(FOLDER, WildcardOptions(combinatorial=True, max_pictures=3))
    assert len(planned(some, request)) == 3


def test_a_link_out_of_the_folder_is_no_file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("password", "utf-8")
    (folder / "link.txt").symlink_to(secret)
    assert WildcardFiles(folder)("link") == ()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "a: &x [b]\nc: *x", "aliases"),
        ("a.yaml", "a: " + "[" * 60 + "]" * 60, "levels"),
        ("a.yaml", "a: !!python/object/apply:os.getcwd []", "cannot be read"),
        ("a.yaml", "a: [b", "cannot be read"),
        ("a.json", '{"a": [', "cannot be read"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '{"a": [{"text": "b", "weight": -1}]}', "weight"),
        ("a.json", '{"a": ["9999999::b"]}', "weight"),
    ],
)
def test_files_that_mean_too_much_or_nothing_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        structured.lists_of(name, text)


def test_long_texts_without_an_end_take_one_pass() -> None:
    for text in ("{" * 50_000, "}" * 50_000, "_" * 50_000 + "x", "\\" * 50_001, "__a(" * 12_000, "[{|" * 15_000):
        assert draw(text)


def planned(joined: DecidedPrompts, request: GenerationRequest) -> Sequence[PlannedImage]:
    made = joined.plan_images(request, images_of(make_plan(request)))
    assert made
    return made


def test_the_seed_decides() -> None:
    request = GenerationRequest(prompt="{a|b|c} {a|b|c} {a|b|c}", negative_prompt="{d|e}", seed=7)
    (first,), (again,) = planned(DecidedPrompts(FOLDER), request), planned(DecidedPrompts(FOLDER), request)
    assert (first.prompt, first.negative_prompt, first.seed) == (again.prompt, again.negative_prompt, 7)
    several = planned(DecidedPrompts(FOLDER), request.with_(n_iter=60))
    assert len({one.prompt for one in several}) > 10
    assert several[9].prompt == planned(DecidedPrompts(FOLDER), request.with_(seed=16))[0].prompt
    with pytest.raises(BadRequestError, match=r"^negative_prompt: \${x}"):
        planned(DecidedPrompts(FOLDER), GenerationRequest(negative_prompt="${x}", seed=1))


def test_a_variation_keeps_the_first_prompt() -> None:
    made = planned(
        DecidedPrompts(FOLDER), GenerationRequest(prompt="{a|b|c|d}", n_iter=9, subseed_strength=0.5, seed=1)
    )
    assert len({one.prompt for one in made}) == 1
    assert len({one.subseed for one in made}) == 9


def test_repeated_combinations_get_further_seeds() -> None:
    request = GenerationRequest(prompt="{a|b}", negative_prompt="{c|d}", seed=5, subseed=50)
    wished = WildcardOptions(combinatorial=True, batches=2)
    made = planned(DecidedPrompts(FOLDER, wished), request)
    assert [one.prompt + one.negative_prompt for one in made] == ["ac", "ad"] * 2 + ["bc", "bd"] * 2 + [
        "ac", "ad", "ac", "ad", "bc", "bd", "bc", "bd"]  # fmt: skip
    assert [one.seed for one in made] == list(range(5, 21))
    fixed = WildcardOptions(combinatorial=True, batches=2, fixed_seed=True, max_pictures=2)
    assert [(one.prompt, one.seed) for one in planned(DecidedPrompts(FOLDER, fixed), request)] == [
        ("a", 5), ("b", 5), ("a", 6), ("b", 6)]  # fmt: skip


def test_what_was_decided_and_from_what_is_told() -> None:
    joined = DecidedPrompts(FOLDER)
    planned(joined, GenerationRequest(prompt="{a|b}", negative_prompt="plain", seed=7, n_iter=4))
    assert joined.image_fields(3) == {"Template": "{a|b}"}
    assert joined.image_fields(4) is None


def test_a_pasted_template_waits_until_it_is_wanted() -> None:
    text = 'a\nSteps: 3, Sampler: Euler, Seed: 7, Template: "{a|b}, c", Negative Template: {d|e}'
    reading = read_fields(parse(text), [INFO])
    options = reading.request.extensions["wildcards"]
    assert options == {"enabled": False, "template": "{a|b}, c", "negative_template": "{d|e}"}
    assert reading.notices == ()
    wanted = WildcardOptions.model_validate({**options, "from_template": True})
    made = planned(DecidedPrompts(FOLDER, wanted), reading.request)[0]
    assert made.prompt in ("a, c", "b, c")
    assert made.negative_prompt in ("d", "e")


def test_what_is_left_out_is_refused_with_its_name() -> None:
    for name in ("jinja", "magic", "lucky", "attention"):
        with pytest.raises(ValidationError, match="left out on purpose"):
            WildcardOptions.model_validate({name: True})


def test_a_refusal_names_the_place_among_the_arguments() -> None:
    args = [True, False, 1, False, False, False, 1.1, 1.5, 100, 0.7, False, False, False, True]
    scripts = {"dynamic prompts v2.17.1": {"args": args}}
    assert place_of(("extensions", "wildcards", "jinja"), scripts, [INFO]) == (
        "alwayson_scripts", "dynamic prompts v2.17.1", "args", 13
    )  # fmt: skip


def asked(body: dict[str, Any]) -> dict[str, Any] | None:
    """The options that a body of A1111's API gives the extension."""
    request = to_request(read_body(body, Txt2ImgBody), GenerationRequest(), [INFO])
    return request.extensions.get("wildcards")


def test_a1111s_api_speaks_of_dynamic_prompts() -> None:
    args = [True, True, 2, False, False, False, 1.1, 1.5, 100, 0.7, True, False, False, False, False, 5, "", ""]
    for title in ("dynamic prompts v2.17.1", "Dynamic Prompts v2.16.3"):
        options = asked({"prompt": "a", "alwayson_scripts": {title: {"args": args}}})
        read = WildcardOptions.model_validate(options)
        assert (read.combinatorial, read.batches, read.fixed_seed, read.max_pictures) == (True, 2, True, 5)
        assert not read.write_template
    assert asked({"prompt": "a {b|c}"}) == {"write_template": False}
    assert asked({"prompt": "a {b|c}", "override_settings": {"dp_write_raw_template": True}}) == {
        "write_template": True
    }
    off = {"dynamic prompts": {"args": [False]}}
    assert asked({"prompt": "a {b|c}", "alwayson_scripts": off}) == {"write_template": False, "enabled": False}
    for plain in ("a cat", "{masterpiece}", "a_b __ c", "[a|b]"):
        assert asked({"prompt": plain}) is None


@over_cases(where=lambda case: case.group == "dynprompts" and case.name != "dp_jinja")
def test_the_prompts_are_a1111s(case: Case) -> None:
    expected = case.told()
    options = WildcardOptions.model_validate(asked(case.payload))
    request = to_request(read_body(case.payload, Txt2ImgBody), GenerationRequest(), [INFO])
    joined = DecidedPrompts(case.folder / "inputs" / "wildcards", options)
    made = planned(joined, request.with_(subseed=expected["all_subseeds"][0]))
    assert [one.prompt for one in made] == expected["all_prompts"]
    assert [one.negative_prompt for one in made] == expected["all_negative_prompts"]
    assert [one.seed for one in made] == expected["all_seeds"]
    assert [one.subseed for one in made] == expected["all_subseeds"]


A1111 = (  # template, first seed, and what A1111 with Dynamic Prompts 2.17.1 made of it for three seeds
    ("a {red|green|blue} {cat|dog|bird}", 1234, ("a red bird", "a green dog", "a blue cat")),
    (
        "a {0.8::red|0.2::blue} cat, {2$$hat|coat|scarf|shoes}, {1-3$$ and $$one|two|three}", 7,
        ("a blue cat, scarf,hat, one and three and two", "a red cat, hat,shoes, one", "a red cat, hat,shoes, two"),
    ),
    (
        "${c=!{red|green|blue}} a ${c} cat and a ${c} dog, ${n={1|2|3}} ${n}${n}", 5,
        tuple(f" a blue cat and a blue dog,  {n}" for n in (32, 21, 32)),
    ),
    (
        "__season_clothes(season={winter|summer})__", 5,
        ("winter: summer coat, fur", "summer clothes", "winter: winter coat, wool"),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("template", "seed", "prompts"), A1111)
def test_a_seed_gives_what_it_gives_there(template: str, seed: int, prompts: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "season_clothes.txt").write_text("winter: ${season} coat, {wool|fur}\n${season:spring} clothes\n")
    made = planned(DecidedPrompts(tmp_path), GenerationRequest(prompt=template, seed=seed, n_iter=3))
    assert tuple(one.prompt for one in made) == prompts

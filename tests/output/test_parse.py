"""Reading infotexts: the conformance vectors of the format, old forms, damaged and hostile texts."""

import re
import sys
from types import FrameType
from typing import Any, SupportsIndex

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from webui.domain.catalog import SAMPLERS
from webui.output import grammar
from webui.output.compat import modernise, parse_version, with_defaults
from webui.output.grammar import items
from webui.output.infotext import quote, version_text
from webui.output.parse import parse, read_fields, to_request

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

DETAILS = "Steps: 20, Sampler: Euler a, CFG scale: 7.0, Seed: 5, Size: 512x768"


def test_prompt_negative_prompt_and_details() -> None:
    assert parse(f"tree\nNegative prompt: dog,\nbad\n{DETAILS}") == {
        "Prompt": "tree",
        "Negative prompt": "dog,\nbad",
        "Steps": "20",
        "Sampler": "Euler a",
        "CFG scale": "7.0",
        "Seed": "5",
        "Size-1": "512",
        "Size-2": "768",
    }


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ("Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 5", {"Sampler": "Euler", "CFG scale": "7", "Seed": "5"}),
        (
            'Steps: 1, Lora hashes: "my lora: aaaaaaaaaaaa, other: bbbbbbbbbbbb", Size: 64x64',
            {"Lora hashes": "my lora: aaaaaaaaaaaa, other: bbbbbbbbbbbb", "Size-1": "64", "Size-2": "64"},
        ),
        (
            r'Steps: 1, Seed: 2, Hires prompt: "line one\nline \"two\", x: y", Size: 64x64',
            {"Seed": "2", "Hires prompt": 'line one\nline "two", x: y', "Size-1": "64", "Size-2": "64"},
        ),
        (
            'Steps: 1, Seed: 2, Model: foo:bar, VAE hash: , Size: 64x64, X: 9, X Values: "1,2,3"',
            {"Seed": "2", "Model": "foo:bar", "Size-1": "64", "Size-2": "64", "X Values": "1,2,3"},
        ),
        ('Steps: 1, Seed: 2, Note: say "hi"', {"Seed": "2", "Note": 'say "hi"'}),
        ('Steps: 1, Seed: 2, Note: "half', {"Seed": "2", "Note": '"half'}),
        # Better than A1111: braces are balanced, and only sizes are taken for sizes
        (
            'Steps: 1, Seed: 2, Hashes: {"model": "aaaaaaaaaa", "lora:x": "bbbbbbbbbb"}',
            {"Seed": "2", "Hashes": '{"model": "aaaaaaaaaa", "lora:x": "bbbbbbbbbb"}'},
        ),
        ("Steps: 1, Seed: 2, Model: 512x512", {"Seed": "2", "Model": "512x512"}),
        (
            'Steps: 1, Seed: 2, Civitai resources: [{"name":"x, Steps: 3, Seed: 5"},{"y":"Size: 64x64"}], M1: {}',
            {
                "Seed": "2",
                "Civitai resources": '[{"name":"x, Steps: 3, Seed: 5"},{"y":"Size: 64x64"}]',
                "M1": "{}",
            },
        ),
        # not JSON, but closed: Python's way of writing; and never closed
        (
            "Steps: 1, Seed: 2, Styles: ['a, Seed: 9', b], Tiling: True",
            {"Seed": "2", "Styles": "['a, Seed: 9', b]", "Tiling": "True"},
        ),
        ("Steps: 1, Seed: 2, Styles: [a, Tiling: True", {"Seed": "2", "Styles": "[a", "Tiling": "True"}),
    ],
)
def test_details_line(details: str, expected: dict[str, str]) -> None:
    fields = parse(f"tree\n{details}")
    steps = details.split(",")[0].removeprefix("Steps: ")
    assert fields == {"Prompt": "tree", "Negative prompt": "", "Steps": steps, **expected}
    assert parse(details)["Prompt"] == ""


@pytest.mark.parametrize(
    "text",
    [
        "x\nSteps: 20, Sampler: Euler",  # fewer than three items are no details
        "(forest:1.2), (night sky:1.1), (castle:1.3)",  # A1111 loses this prompt
        "a cat\nin the sun",
        "",
        f"{DETAILS}\nand more prompt",
    ],
)
def test_text_without_details_is_all_prompt(text: str) -> None:
    assert parse(text) == {"Prompt": text, "Negative prompt": ""}


def test_template_lines_below_the_details_are_read() -> None:
    fields = parse(f"cat\n{DETAILS}\nTemplate: {{a|b}}\nmore\nNegative Template: x, y: z")
    assert fields["Prompt"] == "cat"
    assert fields["Seed"] == "5"
    assert fields["Template"] == "{a|b}\nmore"
    assert fields["Negative Template"] == "x, y: z"


@pytest.mark.parametrize(
    "below",
    [
        "\nUsed embeddings: EasyNegative [119b]",
        "Time taken: 3.2 sec.\n\nA: 3.09 GB, R: 3.54 GB, Sys: 4.0/8 GB (50%)",
        "Time taken: 1m 2.3s\nTorch active/reserved: 3000/3100 MiB, Sys VRAM: 4000/8000 MiB (50%)",
    ],
)
def test_what_the_output_box_shows_below_is_passed_over(below: str) -> None:
    assert parse(f"a cat\nNegative prompt: dog\n{DETAILS}\n{below}") == parse(f"a cat\nNegative prompt: dog\n{DETAILS}")


def test_other_lines_below_are_kept_apart_and_told() -> None:
    fields = parse(f"a cat\nNegative prompt: dog\n{DETAILS}\n\nmade for\nAnna")
    assert fields.pop("Lines below") == "made for\nAnna"
    assert fields == parse(f"a cat\nNegative prompt: dog\n{DETAILS}")


def test_windows_line_ends_and_a_second_negative_line() -> None:
    fields = parse(f"a\r\nb\r\nNegative prompt: c\r\nNegative prompt: d\r\n{DETAILS}\r\n")
    assert fields["Prompt"] == "a\nb"
    assert fields["Negative prompt"] == "c\nd"


def test_a_repeated_prompt_counts_only_where_it_says_the_same_as_the_visible_one() -> None:
    text = f'a cat\n{DETAILS}, Exact prompt: "a bomb, now"'
    assert parse(text)["Prompt"] == "a cat"
    honest = f'a\nNegative prompt: b\n{DETAILS}, Exact prompt: "a\\nNegative prompt: b"'
    assert parse(honest)["Prompt"] == "a\nNegative prompt: b"
    assert parse(honest)["Negative prompt"] == ""


@pytest.mark.parametrize(
    "value", ["plain", "a, b", "k: v", 'say "hi"', '"quoted"', "two\nlines", " edge ", "日本", "a\\b"]
)
def test_quoted_values_come_back(value: str) -> None:
    assert dict(items(f"Steps: 1, Note: {quote(value)}, Seed: 2")) == {"Steps": "1", "Note": value, "Seed": "2"}


@CALM
@given(st.text(alphabet='ab:,"\\ -/{}\n[]1', max_size=200))
def test_any_text_can_be_parsed_and_read(text: str) -> None:
    reading = read_fields(parse(f"{text}\nSteps: 3, Seed: 1, Junk: {text}"))
    assert reading.request.prompt == parse(f"{text}\nSteps: 3, Seed: 1, Junk: {text}")["Prompt"]


class Looked(str):
    """A line that counts the characters that are looked at by searching and cutting."""

    characters = 0

    def find(self, sought: str, start: Any = 0, end: Any = None) -> int:
        found = super().find(sought, start, end)
        self.characters += (len(self) if found < 0 else found) - start + 1
        return found

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        cut = super().__getitem__(key)
        self.characters += len(cut)
        return cut


class Looking:
    """A pattern that counts the characters it looks at in a line: those it matched, else one or all that are left."""

    def __init__(self, pattern: re.Pattern[str], opening: str) -> None:
        self.pattern, self.opening = pattern, opening  # it fails at once where the line does not go on with `opening`

    def match(self, line: str, position: int = 0) -> re.Match[str] | None:
        found = self.pattern.match(line, position)
        if isinstance(line, Looked):
            could = bool(self.opening) and line.startswith(self.opening, position)
            line.characters += (found.end() if found else len(line) if could else position) - position + 1
        return found


def work(unit: str, length: int) -> tuple[int, int]:
    """What reading a long line costs: lines of Python that run, and characters that are looked at below them."""
    text, lines = unit * (length // len(unit)), 0

    def count(frame: FrameType, event: str, value: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        parse(text)
    finally:
        sys.settrace(before)
    line = Looked(text)
    list(grammar.items(line))
    return lines, line.characters


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a:",
        "aa: [1,",
        'aa:[{"b":',
        'aa: [" , bb: [",',
        "aa: {[",
        'aa: "',
        'aa: "\\',
        "[",
        "aa: {",
        'aa: {"a": ',
        "Steps: 1, ",
        "Template: x\n",
        '"',
        "\n",
        ",",
        "a ",
    ],
)
def test_a_long_line_costs_linear_work(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, opening in {"_QUOTED": '"', "_SPACE": "", "_KEY_CHARACTERS": ""}.items():
        monkeypatch.setattr(grammar, name, Looking(getattr(grammar, name), opening))
    for small, large in zip(work(unit, 2_000), work(unit, 16_000), strict=True):
        assert large <= 10 * small + 2_000  # eight times the length; quadratic work would be 64 times as much


def test_quadratic_work_would_be_seen() -> None:
    line = Looked("aa" * 500)
    for start in range(len(line)):
        line.find(":", start)
    assert line.characters > 10 * len(line)


# ---------------------------------------------------------------- requests


def test_values_of_other_programs() -> None:
    request = to_request(parse(f"a [b]\n{DETAILS}, Clip skip: 2, Model: m, Model hash: 0123456789, VAE: v.pt"))
    assert (request.prompt, request.steps, request.sampler, request.scheduler) == ("a [b]", 20, "Euler a", "Automatic")
    assert (request.width, request.height, request.seed, request.clip_skip) == (512, 768, 5, 2)
    assert (request.checkpoint, request.vae) == ("m [0123456789]", "v.pt")
    assert request.noise.source == "GPU"  # what no RNG key means


def test_text_that_is_only_a_prompt_keeps_our_defaults() -> None:
    assert to_request(parse("a cat")) == to_request({}).with_(prompt="a cat")
    assert to_request({}).noise.source == "CPU"


@pytest.mark.parametrize(
    ("name", "sampler", "scheduler"),
    [
        ("DPM++ 2M Karras", "DPM++ 2M", "Automatic"),
        ("Euler Karras", "Euler", "Karras"),
        ("DPM++ 2M SDE Exponential", "DPM++ 2M SDE", "Automatic"),
        ("DPM++ 2M SDE Heun Karras", "DPM++ 2M SDE Heun", "Karras"),
        *((name, name, "Automatic") for name in SAMPLERS),
    ],
)
def test_combined_sampler_names(name: str, sampler: str, scheduler: str) -> None:
    request = to_request(parse(f"a\nSteps: 20, Sampler: {name}, Seed: 1"))
    assert (request.sampler, request.scheduler) == (sampler, scheduler)


def test_what_cannot_be_kept_is_told() -> None:
    reading = read_fields(
        parse("a\nSteps: 9999, Sampler: Nope, Seed: x, Size: 500x64, RNG: NV, Denoising strength: 0.5, CFG scale: nan")
    )
    told = " ".join(notice.text for notice in reading.notices)
    assert all(key in told for key in ("Steps", "Sampler", "Seed", "Size-1", "Denoising strength", "CFG scale"))
    assert (reading.request.steps, reading.request.width, reading.request.height) == (20, 496, 64)
    assert reading.request.noise.source == "NV"


def test_a_refused_refiner_does_not_take_other_fields_along() -> None:
    reading = read_fields(
        parse("a\nSteps: 9, Size: 64x64, Seed: 2, Refiner: " + "r" * 500 + ", Refiner switch at: 0.5")
    )
    assert reading.request.refiner is None
    assert (reading.request.steps, reading.request.width) == (9, 64)


@pytest.mark.parametrize(("sampler", "field"), [("Euler a", "eta_ancestral"), ("DDIM", "eta_ddim")])
def test_eta_of_the_first_releases(sampler: str, field: str) -> None:
    noise = to_request(parse(f"a\nSteps: 9, Sampler: {sampler}, Eta: 0.25")).noise
    assert getattr(noise, field) == 0.25


def test_both_spellings_of_the_beta_schedule() -> None:
    for word in ("schedule", "scheduler"):
        schedule = to_request(parse(f"a\nSteps: 9, Sampler: Euler, Beta {word} alpha: 0.5")).schedule
        assert schedule.beta_alpha == 0.5


# ---------------------------------------------------------------- older releases


@pytest.mark.parametrize(
    ("version", "timelines", "padding", "alphas", "by_steps"),
    [
        ("v1.5.2", True, True, True, True),
        ("v1.6.0", False, False, True, True),
        ("v1.6.0-2-g4afaaf8a", False, False, True, True),
        ("v1.7.0-224-gabc", False, False, True, True),
        ("v1.7.0-225-gabc", False, False, False, True),
        ("v1.8.0-RC", False, False, False, True),
        ("v1.8.0", False, False, False, False),
        ("v1.10.1", False, False, False, False),
        ("f2.0.1v1.10.1-previous-669-gdfdcbab6", False, False, False, False),
        (version_text("0.1.0"), False, False, False, False),
        ("", False, False, False, False),
    ],
)
def test_rules_of_old_versions(version: str, timelines: bool, padding: bool, alphas: bool, by_steps: bool) -> None:
    text = "a [b:c:2]\nSteps: 9, Sampler: DDIM, Seed: 3, Refiner: r, Refiner switch at: 0.5"
    request = to_request(parse(f"{text}, Version: {version}" if version else text))
    assert request.prompting.old_scheduling is timelines
    assert request.guidance.pad_conds_v0 is padding
    assert request.schedule.downcast_alphas is alphas
    assert request.refiner is not None
    assert request.refiner.by_steps is by_steps


def test_versions_are_ordered_like_releases() -> None:
    texts = ["v1.5.2", "1.6.0", "v1.6.0-2-gab", "v1.7.0-RC", "v1.7.0", "v1.7.0-225-gab", "v1.8.0-139-gabc", "v1.10.1"]
    versions = [parse_version(text) for text in texts]
    assert None not in versions
    assert versions == sorted(versions, key=lambda version: version or (0, 0, 0, 0))


@pytest.mark.parametrize("version", ["0.1.0", "1.0", "0.1.0-3-gabc", "0.0.1.dev2+gabc"])
def test_no_reader_takes_our_version_for_an_old_one(version: str) -> None:
    """A1111 compares by PEP 440, after cutting at the second dash; what is no version switches nothing on."""
    text = version_text(version)
    assert parse_version(text) is None
    for seen in (text, "-".join(text.split("-")[:2])):
        with pytest.raises(InvalidVersion):
            Version(seen)


def test_networks_of_old_releases_become_tags() -> None:
    fields = {"Prompt": "cat", "Hypernet": "h", "AddNet Module 1": "LoRA", "AddNet Model 1": "l(0011)"}
    assert modernise(fields)["Prompt"] == "cat<hypernet:h:1.0>\n<lora:l:1.0>"


@pytest.mark.parametrize(("first", "size"), [("0x0", ("448", "640")), ("256x384", ("256", "384"))])
def test_first_pass_size(first: str, size: tuple[str, str]) -> None:
    fields = modernise(parse(f"a\nSteps: 9, Size: 768x1152, First pass size: {first}"))
    assert (fields["Size-1"], fields["Size-2"]) == size
    assert (fields["Hires resize-1"], fields["Hires resize-2"]) == ("768", "1152")


def test_defaults_do_not_replace_what_is_there() -> None:
    fields = parse(f"(a)\n{DETAILS}, RNG: NV, Clip skip: 2")
    shown = with_defaults(fields)
    assert {key: shown[key] for key in fields} == fields
    assert shown["Emphasis"] == "Original"

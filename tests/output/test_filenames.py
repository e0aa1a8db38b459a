"""File names: A1111's tokens, and one safe component whatever the pattern and the prompt say."""

import unicodedata
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from webui.domain.request import GenerationRequest
from webui.output.filenames import MAX_BYTES, NameFacts, clean, component, file_name

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

REQUEST = GenerationRequest(
    prompt="a red cat, (sitting:1.2) on a mat by the very old sea",
    negative_prompt="bad",
    seed=1234,
    sampler="DPM++ 2M",
    width=512,
    height=768,
    clip_skip=2,
)
INFO = {"Model": "tiny-sd1", "Model hash": "b308822a78", "VAE": "tiny-vae.pt"}
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"COM{n}" for n in range(10)), *(f"LPT{n}" for n in range(10))}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
ODD = st.sampled_from(
    [
        "CON",
        "nul.",
        "com1 .x",
        "..",
        ".",
        "-",
        " ",
        "",
        "a" * 300,
        "é" * 150,
        "猫" * 100,
        "/etc",
        "C:\\x",
        "\u0958" * 90,
    ]
)


def facts(request: GenerationRequest = REQUEST, **changes: object) -> NameFacts:
    values = {
        "request": request,
        "job": request,
        "index": 0,
        "image": Image.new("RGB", (64, 32)),
        "time": datetime(2024, 3, 9, 15, 4, 5, tzinfo=UTC),
        "info": INFO,
    }
    return NameFacts(**(values | changes))  # type: ignore[arg-type]


def is_safe(name: str) -> None:
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert PurePosixPath(name).name == name
    assert PureWindowsPath(name).name == name
    assert name == unicodedata.normalize("NFC", name)
    assert name[0] not in "-. "
    assert name[-1] not in ". "
    assert name.partition(".")[0].rstrip().upper() not in RESERVED
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[number]-[seed]", "00007-1234"),
        ("[NUMBER]", "00007"),
        ("[steps]_[cfg]_[width]x[height]", "20_7.0_64x32"),
        ("[sampler] [scheduler] [sampler_scheduler]", "DPM++ 2M Karras DPM++ 2M Karras"),
        ("[model_name] [model_hash] [vae_filename] [clip_skip]", "tiny-sd1 b308822a78 tiny-vae 2"),
        ("[date] [datetime]", "2024-03-09 20240309150405"),
        ("[datetime<%Y>]-[datetime<%H><Asia/Tokyo>]-[datetime<%H><No/Zone>]", "2024-00-15"),
        ("[datetime<%H:%M/%S>]", "15_04_05"),
        ("[prompt_words<3>]", "a red cat"),
        ("[prompt_words]", "a red cat sitting 1 2 on a"),
        ("[prompt_spaces]", "a red cat, (sitting_1.2) on a mat by the very old sea"),
        ("[prompt]", "a_red_cat,_(sitting_1.2)_on_a_mat_by_the_very_old_sea"),
        ("[negative_prompt_hash<4>]", "2f05"),
        ("[hasprompt<CAT|none><dog|no dog>]", "catno dog"),
        ("[styles] [basename] [none]x[user]", "None img x"),
        ("a[denoising]b", "b"),
        ("x[batch_number]-[batch_size] y[generation_number]z", "_-1z"),
        ("[unknown] [seed<1>] [[seed]]", "[unknown] 1234 [1234]"),
        ("../[seed]", "_.._1234"),
        ("[seed]/[steps]", "1234_20"),
        ("", "_"),
        ("con", "_con"),
    ],
)  # fmt: skip
def test_tokens(pattern: str, name: str) -> None:
    template = file_name(pattern, facts(), ".png")
    assert template.with_number(7 if template.numbered else 0) == f"{name}.png"


def test_tokens_of_batches() -> None:
    job = REQUEST.with_(batch_size=2, n_iter=3)
    pattern = "[seed_first] [seed_last] x[batch_number] [batch_size] [generation_number]"
    assert component(pattern, facts(job=job, index=3)) == "1234 1239 x2 2 4"
    assert component("[seed_last]", facts(job=job.with_(subseed_strength=0.5))) == "1234"
    assert component("a[seed_last]b", facts()) == "b"


def test_image_hash_depends_on_pixels() -> None:
    other = component("[image_hash<12>]", facts(image=Image.new("RGB", (64, 32), (1, 0, 0))))
    assert len(other) == 12
    assert component("[image_hash<12>]", facts()) != other


@CALM
@given(ANY_TEXT | ODD, ANY_TEXT | ODD | st.lists(ODD).map("".join), st.integers(0, 10**6))
@example("[prompt][number]", "é" * 3000, 5)
@example("[number][prompt]", "\u0958" * 3000, 5)
@example("com1", "", 0)
@example("[datetime<%>]", "", 0)
def test_any_pattern_and_prompt_give_one_safe_name(pattern: str, prompt: str, number: int) -> None:
    made = facts(REQUEST.with_(prompt=prompt))
    for used in (pattern, f"{pattern}[number]-[prompt]", f"[prompt]{pattern}", f"[number]{pattern}[prompt_spaces]"):
        name = file_name(used, made, ".webp").with_number(number)
        is_safe(name)
        assert name.endswith(".webp")
        is_safe(component(used, made))


@CALM
@given(ANY_TEXT | ODD)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@CALM
@given(ANY_TEXT | ODD, ANY_TEXT | ODD, st.integers(0, 99_998))
def test_numbers_are_seen_again(head: str, tail: str, number: int) -> None:
    template = file_name(f"{head.replace('[', '(')}[number]-{tail.replace('[', '(')}", facts(), ".png")
    name = template.with_number(number)
    assert template.next_number([name, "other.png", "99.txt.tmp"]) >= number + 1
    assert template.with_number(number + 1) != name


def test_the_next_number_is_one_more_than_the_highest() -> None:
    template = file_name("[number]-[seed]", facts(), ".png")
    assert template.next_number([]) == 0
    assert template.next_number(["00003-1.png", "00011-2.jpg", "x-00099.png", "123456789012345.png"]) == 12
    assert file_name("[seed]-[number]", facts(), ".png").next_number(["1234-00004.png", "9999-00007.png"]) == 5
    assert file_name("[seed]", facts(), ".png").next_number(["1234.png"]) == 0

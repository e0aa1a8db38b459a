"""What the frame is made of: a theme without colours of its own, components of our own, dictionaries."""

import json
import re
from pathlib import Path

import gradio as gr
import pytest

from webui.ui import theme as look
from webui.ui.mount import STATIC
from webui.ui.own import own
from webui.ui.words import OURS, dictionaries, title_of

TOKEN = re.compile(r"var\((--[a-z0-9-]+)\)")
COLOUR_NAMES = re.compile(r"_(color|fill)(_|$)|_color")


def test_every_colour_of_gradio_is_one_of_our_tokens() -> None:
    made = look.theme()
    names = [name for name in vars(made) if COLOUR_NAMES.search(name) and not name.startswith("_")]
    assert len(names) > 150
    loose = {name: value for name in names if (value := getattr(made, name)) is not None and not is_token(value)}
    assert loose == {}


def is_token(value: str) -> bool:
    return value in ("transparent", "none") or TOKEN.fullmatch(value) is not None


def test_light_and_dark_are_the_same_to_gradio() -> None:
    made = look.theme()
    for name in look.COLOURS.values():
        for one in name.split():
            if hasattr(made, f"{one}_dark"):
                assert getattr(made, one) == getattr(made, f"{one}_dark"), one


def test_each_token_is_defined_for_both_themes() -> None:
    styles = re.sub(r"/\*.*?\*/", "", (STATIC / "tokens.css").read_text(), flags=re.DOTALL)
    defined = set(re.findall(r"(--[a-z0-9-]+):", styles))
    used = {token for value in [*look.COLOURS, *look.SIZES.values()] for token in TOKEN.findall(value)}
    assert used <= defined
    assert not defined & {"--bg", "--col", "--bg-dark", "--col-dark"}  # Gradio's page defines these by themselves
    dark, light = (
        re.search(start + r" \{([^}]*)\}", styles) for start in (r"\n:root", r'\n:root\[data-theme="light"\]')
    )
    assert dark is not None
    assert light is not None
    colours = {name for name, value in re.findall(r"(--[a-z0-9-]+): ([^;]+);", dark[1]) if "#" in value}
    same = {"--bad-fill"}
    assert colours - same <= set(re.findall(r"(--[a-z0-9-]+):", light[1]))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it, of #rrggbb or #rgb."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


ACCENTS = ("iris", "sea", "moss", "amber", "rose")


def tokens(theme: str, accent: str) -> dict[str, str]:
    """The tokens that count for a theme and an accent; later and closer rules win as in a browser."""
    found: dict[str, tuple[int, str]] = {}
    for selector, body in re.findall(r"(:root[^{,]*?) \{([^}]*)\}", (STATIC / "tokens.css").read_text()):
        wanted = re.findall(r'\[data-(theme|accent)="(\w+)"\]', selector)
        if all({"theme": theme, "accent": accent}[name] == value for name, value in wanted):
            for name, value in re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]+);", body):
                if len(wanted) >= found.get(name, (0, ""))[0]:
                    found[name] = (len(wanted), value)
    return {name: value for name, (_, value) in found.items()}


@pytest.mark.parametrize("accent", ACCENTS)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_texts_can_be_read_on_each_surface(theme: str, accent: str) -> None:
    """WCAG AA asks for 4.5 for texts."""
    now = tokens(theme, accent)
    for surface in ("ground", "stage", "pane", "raised", "field"):
        for text in ("text", "text-2", "bad", "accent-text"):
            assert contrast(now[f"--{text}"], now[f"--{surface}"]) >= 4.5, (text, surface)
    for surface in ("ground", "stage", "pane", "field"):
        assert contrast(now["--text-3"], now[f"--{surface}"]) >= 4.5, surface
    assert contrast(now["--on-accent"], now["--accent"]) >= 4.5
    assert contrast("#ffffff", now["--bad-fill"]) >= 4.5


def test_accents_differ_and_outlines_are_seen() -> None:
    for theme in ("dark", "light"):
        assert len({tokens(theme, accent)["--accent"] for accent in ACCENTS}) == len(ACCENTS)
        now = tokens(theme, "iris")
        assert contrast(now["--accent"], now["--pane"]) >= 3  # WCAG AA of what is no text


def test_a_component_of_ours_has_a_constant_template_and_its_events() -> None:
    with gr.Blocks():
        made = own("stage", {"a": 1}, elem_id="stage_1", events=("picked", "sent"))
        made.picked(lambda: None, None, None)
        with pytest.raises(AttributeError):
            made.lost  # noqa: B018
    assert made.html_template == '<div class="own stage"></div>'
    assert 'webui.mount("stage"' in (made.js_on_load or "")


@pytest.mark.parametrize("name", ["Stage", "a b", "", "a-b", '"+alert(1)+"', "é"])
def test_a_component_has_a_plain_name(name: str) -> None:
    with gr.Blocks():
        with pytest.raises(ValueError, match="word"):
            own(name, elem_id="x")
        with pytest.raises(ValueError, match="word"):
            own("x", elem_id="x", events=[name])


def test_dictionaries_of_the_user_replace_ours_text_by_text(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, texts in ((first, {"Settings": "A", "Library": "B"}), (second, {"Settings": "C"})):
        folder.mkdir()
        (folder / "zh_CN.json").write_text(json.dumps(texts), encoding="utf-8-sig")
    (first / "de.json").write_text('{"English": "Deutsch", "Settings": "Einstellungen", "number": 3, "empty": ""}')
    found = dictionaries([first, second, tmp_path / "nowhere"])
    chinese = json.loads(found["zh_CN"])
    assert (chinese["Settings"], chinese["Library"]) == ("C", "B")
    assert chinese["Keys"] == json.loads((OURS / "zh_CN.json").read_text())["Keys"]
    assert json.loads(found["de"]) == {"English": "Deutsch", "Settings": "Einstellungen"}
    assert title_of(found["de"]) == "Deutsch"


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'"text"', b"[" * 100_000, b" " * (2**22 + 1)])
def test_a_file_that_is_no_dictionary_is_named_and_left_out(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "de.json").write_bytes(content)
    (tmp_path / "a b.json").write_text("{}")
    assert set(dictionaries([tmp_path])) == {"zh_CN"}
    assert "de.json" in caplog.text
    assert "a b.json" in caplog.text

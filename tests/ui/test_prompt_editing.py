"""The scripts of the prompt on a bare page in a browser: weights, order of parts, brackets, tags, counter, history."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

STATIC = Path(__file__).parents[2] / "webui" / "ui" / "static"
SITE = "http://bare.test/"


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """A page with one text box that can load the scripts; nothing of Gradio, and no server."""
    context = browser.new_context()
    page = context.new_page()
    page.route("**/*", answer)
    page.goto(SITE)
    yield page
    context.close()


def answer(route: Route) -> None:
    name = route.request.url.removeprefix(SITE)
    if name:
        route.fulfill(path=STATIC / name, content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><textarea></textarea>", content_type="text/html")


def called(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """What a function of a module answers."""
    script = "async ([module, name, given]) => (await import(module))[name](...given)"
    return page.evaluate(script, [f"{SITE}{module}.js", function, list(arguments)])


def marked(text: str) -> tuple[str, int, int]:
    """`a ^cat^ on` -> the text and what is marked in it; one `^` is the cursor."""
    start = text.index("^")
    end = text.rindex("^")
    plain = text.replace("^", "")
    return plain, start, end - 1 if end > start else start


def shown(edit: dict[str, Any] | None) -> str | None:
    if edit is None:
        return None
    text, start, end = edit["text"], edit["start"], edit["end"]
    return f"{text[:start]}^{text[start:end]}^{text[end:]}"


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        # the word at the cursor
        ("a ca^t on", 1, "a (^cat^:1.1) on"),
        ("a ^cat on", 1, "a (^cat^:1.1) on"),
        ("a cat^ on", -1, "a (^cat^:0.9) on"),
        ("blue-green^ sea", 1, "(^blue-green^:1.1) sea"),
        ("a,  ^  ,b", 1, None),
        ("^", 1, None),
        # marked words; blanks at the ends of the mark stay outside
        ("a ^black cat^ on", 1, "a (^black cat^:1.1) on"),
        ("a^ black cat ^on", 1, "a (^black cat^:1.1) on"),
        ("^a cat, on a mat^", -1, "(^a cat, on a mat^:0.9)"),
        # brackets that are there
        ("a (ca^t:1.2) on", 1, "a (^cat^:1.3) on"),
        ("a (^cat^:1.1) on", -1, "a ^cat^ on"),
        ("a (^black cat^:0.9) on", 1, "a ^black cat^ on"),
        ("a ^(cat:1.2)^ on", 1, "a (^cat^:1.3) on"),
        ("a (cat:1^.2) on", 1, "a (^cat^:1.3) on"),
        ("a (cat:1.^2^) on", 1, "a (^cat^:1.3) on"),
        ("(^cat^:0.1)", -1, "(^cat^:0.0)"),
        ("(^cat^:-0.1)", 1, "(^cat^:0.0)"),
        ("(^cat^:1.9)", 1, "(^cat^:2.0)"),
        # implied weights become numbers
        ("a (ca^t) on", 1, "a (^cat^:1.2) on"),
        ("a ((ca^t)) on", 1, "a (^cat^:1.31) on"),
        ("a [ca^t] on", 1, "a ^cat^ on"),
        ("a [ca^t] on", -1, "a (^cat^:0.81) on"),
        ("a [[ca^t]] on", -1, "a (^cat^:0.73) on"),
        # the innermost ones
        ("(a (c^at:1.2) on:1.1)", 1, "(a (^cat^:1.3) on:1.1)"),
        ("(a^ (cat:1.2) on:1.1)", 1, "(^a (cat:1.2) on^:1.2)"),
        # prompt editing and alternation are no weights
        ("[ca^t:dog:0.5]", 1, "[(^cat^:1.1):dog:0.5]"),
        ("[ca^t|dog]", 1, "[(^cat^:1.1)|dog]"),
        # escaped brackets are text
        (r"cat \(bla^ck\)", 1, r"cat \((^black^:1.1)\)"),
        # tags of networks
        ("a <lora:i^nk:0.8> b", 1, "a <^lora:ink:0.85^> b"),
        ("a <lora:i^nk:0.05> b", -1, "a <^lora:ink:0^> b"),
        ("a <lora:i^nk> b", 1, "a <^lora:ink:1.05^> b"),
        ("a ^<lora:ink:1:0.5>^ b", -1, "a <^lora:ink:0.95:0.5^> b"),
        ("a <lora:ink:1>^ b", 1, None),
    ],
)
def test_weights_change_by_the_rules_of_a1111(bare: Page, before: str, direction: int, after: str | None) -> None:
    edit = called(bare, "prompt_keys", "changedWeight", *marked(before), direction)
    assert shown(edit) == after


@pytest.mark.parametrize("text", ["a (ca^t:1.2) on", "a ^black cat^ on", "a <lora:i^nk:0.8> b", "a (ca^t:0.8) on"])
def test_up_and_down_again_changes_nothing(bare: Page, text: str) -> None:
    plain, start, end = marked(text)
    up = called(bare, "prompt_keys", "changedWeight", plain, start, end, 1)
    down = called(bare, "prompt_keys", "changedWeight", up["text"], up["start"], up["end"], -1)
    assert down["text"] == plain


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        ("a, b^, c", -1, "b^^, a, c"),
        ("a, b^, c", 1, "a, c, b^^"),
        ("^a, b, c", -1, None),
        ("a, b, c^", 1, None),
        ("a, ^b, c^, d", 1, "a, d, ^b, c^"),
        ("a, ^b, c^, d", -1, "^b, c^, a, d"),
        ("a,b^,c", 1, "a,c,b^^"),
        ("one word^", 1, None),
        ("a, ^, b", 1, None),
        ("a, (b^, c:1.2), d", -1, None),
        ("a, (b, c^:1.2), d", -1, "a, (c^^, b:1.2), d"),
        ("a, (blac^k cat:1.2), d", -1, "(blac^^k cat:1.2), a, d"),
        ("a, <lora:x,y:1>^, d", -1, "<lora:x,y:1>^^, a, d"),
        ("a\nb^, c", -1, "b^^\na, c"),
        (r"a, b \(c^, d\)", -1, r"b \(c^^, a, d\)"),
    ],
)
def test_parts_between_commas_change_places(bare: Page, before: str, direction: int, after: str | None) -> None:
    edit = called(bare, "prompt_keys", "movedPart", *marked(before), direction)
    assert shown(edit) == after


def test_the_browsers_own_undo_takes_changes_by_keys_back(bare: Page) -> None:
    box = bare.locator("textarea")
    box.fill("")
    bare.evaluate(
        f"""async () => {{
          const {{ listen }} = await import("{SITE}prompt_keys.js");
          const box = document.querySelector("textarea");
          window.heard = [];
          if (!box.dataset.bound) listen(box);
          box.dataset.bound = "yes";
          box.addEventListener("input", () => window.heard.push(box.value));
        }}"""
    )
    box.press_sequentially("a cat, a mat")
    bare.evaluate("() => document.querySelector('textarea').setSelectionRange(2, 5)")
    box.press("Control+ArrowUp")
    box.press("Control+ArrowUp")
    assert box.input_value() == "a (cat:1.2), a mat"
    box.press("Alt+ArrowRight")
    assert box.input_value() == "a mat, a (cat:1.2)"
    assert bare.evaluate("() => window.heard.at(-1)") == "a mat, a (cat:1.2)"
    for expected in ("a (cat:1.2), a mat", "a (cat:1.1), a mat", "a cat, a mat"):
        box.press("Control+z")
        assert box.input_value() == expected
    box.press("Control+Shift+z")
    assert box.input_value() == "a (cat:1.1), a mat"


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        ("a (cat) [on] {x}", []),
        ("a (cat", [(2, "(")]),
        ("a cat)", [(5, ")")]),
        ("(a [cat) on]", [(3, "["), (11, "]")]),
        (r"\(a cat", []),
        ("<lora:a(b:1> (", [(13, "(")]),
        ("((a)", [(0, "(")]),
    ],
)
def test_brackets_without_a_partner_are_found(bare: Page, text: str, alone: list[tuple[int, str]]) -> None:
    found = called(bare, "prompt_text", "brackets", text)["alone"]
    assert [(one["at"], one["char"]) for one in found] == alone


@pytest.mark.parametrize(
    ("text", "kind", "name", "weight", "changed"),
    [
        ("<lora:ink:0.8>", "lora", "ink", 0.8, "<lora:ink:0.5>"),
        ("<lyco:ink>", "lora", "ink", None, "<lyco:ink:0.5>"),
        ("<hypernet:h:1>", "hypernet", "h", 1, "<hypernet:h:0.5>"),
        ("<lora:ink:1:0.4:dyn=8>", "lora", "ink", 1, "<lora:ink:0.5:0.4:dyn=8>"),
        ("<lora:ink:unet=0.4>", "lora", "ink", None, "<lora:ink:0.5:unet=0.4>"),
    ],
)
def test_tags_are_read_and_given_another_weight(
    bare: Page, text: str, kind: str, name: str, weight: float | None, changed: str
) -> None:
    (tag,) = called(bare, "prompt_text", "tagsIn", f"a {text} b")
    assert (tag["kind"], tag["name"], tag["weight"]) == (kind, name, weight)
    assert called(bare, "prompt_text", "withWeight", f"a {text} b", tag, 0.5) == f"a {changed} b"


@pytest.mark.parametrize(
    ("before", "after"),
    [("a, <x>, b", "a, b"), ("a <x> b", "a b"), ("<x> b", "b"), ("a <x>", "a"), ("a, <x>", "a"), ("a<x>b", "ab")],
)
def test_what_is_taken_out_leaves_no_comma_behind(bare: Page, before: str, after: str) -> None:
    start = before.index("<x>")
    assert called(bare, "prompt_text", "without", before, start, start + 3) == after


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7", True),
        ("Steps: 20, Sampler: Euler", True),
        ("Steps: 20", False),
        ("a cat, Steps: 20 of a ladder", False),
        ("a cat", False),
    ],
)
def test_a_generation_text_is_known_by_its_last_line(bare: Page, text: str, is_one: bool) -> None:
    assert called(bare, "prompt_text", "isInfotext", text) is is_one


COUNTING = f"""async () => {{
  const {{ Counter }} = await import("{SITE}counter.js");
  window.asked = [];
  window.answers = [];
  window.held = [];
  window.counter = new Counter(
    (asked) => {{ window.asked.push(asked.prompt); return new Promise((done) => window.held.push(done)); }},
    (answer) => window.answers.push(answer.prompt.used), 100);
  window.type = (prompt) => window.counter.note(() => ({{ prompt, negative: "", styles: [], steps: 20, rules: {{}} }}));
}}"""


def test_thirty_keys_ask_once_and_tags_ask_nothing(bare: Page) -> None:
    bare.evaluate(COUNTING)
    bare.evaluate(
        """async () => {
          for (let length = 1; length <= 30; length += 1) {
            window.type("x".repeat(length));
            await new Promise((done) => setTimeout(done, 5));
          }
          await new Promise((done) => setTimeout(done, 200));
        }"""
    )
    assert bare.evaluate("() => window.asked") == ["x" * 30]
    bare.evaluate(
        """async () => {
          window.type("x".repeat(30) + " <lora:ink:0.8>");
          await new Promise((done) => setTimeout(done, 200));
        }"""
    )
    assert bare.evaluate("() => window.asked.length") == 1


def test_an_older_answer_never_replaces_a_newer_one(bare: Page) -> None:
    bare.evaluate(COUNTING)
    bare.evaluate(
        """async () => {
          for (const text of ["one", "two"]) {
            window.type(text);
            await new Promise((done) => setTimeout(done, 200));
          }
          window.held[1]({ prompt: { used: 2 } });
          await new Promise((done) => setTimeout(done, 20));
          window.held[0]({ prompt: { used: 1 } });
          await new Promise((done) => setTimeout(done, 20));
        }"""
    )
    assert bare.evaluate("() => window.answers") == [2]


HISTORY = f"""async () => {{
  const {{ PromptHistory }} = await import("{SITE}prompt_history.js");
  const stored = new Map();
  window.stored = stored;
  const kept = (name) => stored.get(name) ?? null;
  window.past = new PromptHistory({{ kept, keep: (name, value) => stored.set(name, value) }});
}}"""


def test_the_history_is_bounded_searched_and_walked_through(bare: Page) -> None:
    bare.evaluate(HISTORY)
    bare.evaluate("() => { for (let at = 0; at < 300; at += 1) window.past.add(`cat ${at}`, 'dog', at); }")
    assert bare.evaluate("() => window.past.entries().length") == 200
    assert bare.evaluate("() => window.past.entries()[0].prompt") == "cat 299"
    assert bare.evaluate("() => window.past.search('DOG 123').map((one) => one.prompt)") == ["cat 123"]
    bare.evaluate("() => window.past.add('cat 250', 'dog')")
    assert bare.evaluate("() => window.past.entries().filter((one) => one.prompt === 'cat 250').length") == 1
    now = {"prompt": "typed", "negative": ""}
    walked = bare.evaluate(
        """(typed) => {
          const seen = [];
          let now = typed;
          for (const direction of [1, 1, -1, -1, -1]) {
            const found = window.past.walk(direction, now);
            seen.push(found && found.prompt);
            if (found) now = { prompt: found.prompt, negative: found.negative };
          }
          return seen;
        }""",
        now,
    )
    assert walked == ["cat 250", "cat 299", "cat 250", "typed", None]


def test_a_history_that_somebody_else_wrote_is_an_empty_one(bare: Page) -> None:
    bare.evaluate(HISTORY)
    for wrong in ("{", "5", '[{"prompt": 1}, null, {"prompt": "a", "negative": "b", "at": 1}]'):
        bare.evaluate("(text) => window.stored.set('prompts_v1', text)", wrong)
        assert bare.evaluate("() => window.past.entries().length") <= 1
    bare.evaluate("() => { window.past.clear(); window.past.add('x'.repeat(200000), ''); }")
    bare.evaluate("() => window.past.add('y'.repeat(200000), '')")
    assert bare.evaluate("() => window.past.entries().length") == 1

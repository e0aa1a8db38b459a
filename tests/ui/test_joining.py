"""Many modules in one file behave as they did one by one, and what cannot be joined is refused by name and line."""

import contextlib
from collections.abc import Container, Iterator, Mapping
from types import MappingProxyType

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.ui.fakes import FakeEngine
from webui.ui.assets import KINDS, Assets
from webui.ui.joining import SCRIPTS, STYLES, LateTab, together
from webui.ui.late_tabs import late_tabs
from webui.ui.mount import FIRST_SCRIPT, STATIC
from webui.ui.mount import STYLES as FIRST_STYLES
from webui.ui.page import build

ORIGIN = "http://joined.test/"
MODULES = {
    "count.js": """window.ran = (window.ran ?? 0) + 1;
export const words = ["a", "b"];
export function number() { return words.length; }
export class Thing { is = number(); }
export async function later() { return new URL("x", import.meta.url).pathname; }
const kept = 7;
export { kept, kept as also };
""",
    "user.js": """import {
  number,
  words as list,
} from "./count.js";
import * as all from "./count.js";
import "./side.js";
export { number };
export const seen = [number(), list[0], all.kept, window.side];
""",
    "side.js": "const of = 'done', exported = of;\nwindow.side = exported;\n",
    "broken.js": "export const x = 1;\nthrow new Error('no ' + (window.times = (window.times ?? 0) + 1));\n",
}


LATE = {
    "page.js": 'import "./both.js";\nimport "./talk.js";\nexport const page = 1;\n',
    "talk.js": "export const talk = [];\n",
    "both.js": 'import { talk } from "./talk.js";\ntalk.push("both");\nexport const both = 2;\n',
    "one.js": 'import { both } from "./both.js";\nimport { shared } from "./shared.js";\n'
    'import { talk } from "./talk.js";\ntalk.push("one");\nexport const one = both + shared;\n',
    "two.js": 'import { shared } from "./shared.js";\n'
    'export const two = () => import("./one.js").then((found) => found.one);\n',
    "shared.js": 'import { talk } from "./talk.js";\ntalk.push("shared");\nexport const shared = 40;\n',
    "one.css": "p { color: rgb(1, 2, 3) }",
}
TABS = {"first": LateTab(("one.js",), ("one.css",)), "second": LateTab(("two.js",))}


def joined(files: dict[str, str], late: Mapping[str, LateTab] = MappingProxyType({})) -> Assets:
    named = {name: text.encode() for name, text in {"z.css": "", **files}.items()}
    return together(Assets.of(named), ["z.css"], ["boot.js"], late)


@contextlib.contextmanager
def opened(browser: Browser, assets: Assets, refused: Container[str] = ()) -> Iterator[tuple[Page, list[str]]]:
    """A page that finds these files, and the names of those that it asked for; refused ones fail."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ORIGIN)
        asked.append(name)
        name = name.partition("?")[0]
        if asked[-1] in refused:
            route.abort()
        else:
            kind = KINDS.get(f".{name.rpartition('.')[2]}", "text/html")
            route.fulfill(body=assets.files.get(name, b"<!doctype html><p>Text</p>"), content_type=kind)

    context = browser.new_context()
    page = context.new_page()
    page.route(f"{ORIGIN}**", answer)
    page.goto(ORIGIN)
    yield page, asked
    context.close()


def test_joined_modules_behave_as_single_ones(browser: Browser) -> None:
    with opened(browser, joined(MODULES)) as (page, _):
        found = page.evaluate(
            """async () => {
              const { of } = await import("./joined.js");
              const untouched = window.ran ?? 0;
              const user = of("user.js");
              const [count, again] = [await import("./count.js"), of("count.js")];
              const errors = [];
              for (const name of ["broken.js", "broken.js", "none.js"]) {
                try { of(name); } catch (error) { errors.push(error.message); }
              }
              return {
                untouched, ran: window.ran, seen: user.seen, passed: user.number === count.number,
                one: count.words === again.words, also: count.also, thing: new count.Thing().is,
                later: await count.later(),
                names: Object.keys(count).sort(), errors,
              };
            }"""
        )
    assert found == {
        "untouched": 0, "ran": 1, "seen": [2, "a", 7, "done"], "passed": True, "one": True, "also": 7, "thing": 2,
        "later": "/x", "names": ["Thing", "also", "kept", "later", "number", "words"],
        "errors": ["no 1", "no 2", "none.js: there is no such module"],
    }  # fmt: skip


def test_a_tab_s_modules_and_styles_come_when_they_are_needed_and_in_order(browser: Browser) -> None:
    with opened(browser, joined(LATE, TABS)) as (page, asked):
        found = page.evaluate(
            """async () => {
              const { of, load } = await import("./joined.js");
              const start = of("page.js").page;
              let early = "";
              try { of("one.js"); } catch (error) { early = error.message; }
              const second = await load("two.js");
              const sum = await second.two();
              const single = await import("./one.js");
              const colour = getComputedStyle(document.querySelector("p")).color;
              return { start, early, sum, same: single.one === sum, colour, talk: of("talk.js").talk };
            }"""
        )
    assert found == {
        "start": 1, "early": "one.js: there is no such module", "sum": 42, "same": True, "colour": "rgb(1, 2, 3)",
        "talk": ["both", "shared", "one"],
    }  # fmt: skip
    files = [name for name in asked if name.startswith("joined")]
    assert sorted(files) == sorted({*files})
    assert files[0] == "joined.js"
    assert set(files[1:3]) == {"joined_shared.js", "joined_second.js"}
    assert set(files[3:]) == {"joined_first.js", "joined_first.css"}


@pytest.mark.parametrize("refused", ["joined_first.js", "joined_first.css", "joined_shared.js"])
def test_what_could_not_be_fetched_is_fetched_when_it_is_asked_for_again(browser: Browser, refused: str) -> None:
    with opened(browser, joined(LATE, TABS), {refused}) as (page, _):
        found = page.evaluate(
            """async () => {
              const { of, load } = await import("./joined.js");
              const first = await load("one.js").then(() => "", (error) => String(error));
              const second = await load("one.js");
              return [first !== "", second.one, of("talk.js").talk];
            }"""
        )
    assert found == [True, 42, ["both", "shared", "one"]]


def test_a_part_of_the_page_that_could_not_be_fetched_says_so_with_a_button(browser: Browser) -> None:
    assets = together(Assets.read(STATIC), FIRST_STYLES, [FIRST_SCRIPT], {"pnginfo": LateTab(("learn.js",))})
    with opened(browser, assets, {"joined_pnginfo.js"}) as (page, asked):
        page.evaluate(
            """async () => {
              window.webui = { t: (text) => text, base: location.href, kept: () => null };
              const { fetchFor, of } = await import("./joined.js");
              const place = document.querySelector("p");
              const { fetched } = of("late_parts.js");
              fetched(() => fetchFor("learn.js"), place).then(() => { place.textContent = "There"; });
            }"""
        )
        expect(page.get_by_role("alert")).to_contain_text("could not be fetched")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("p")).to_have_text("There")
    assert [name for name in asked if "pnginfo" in name] == ["joined_pnginfo.js", "joined_pnginfo.js?again=1"]


@pytest.mark.parametrize(
    "line",
    [
        "export default 1;",
        "export let x = 1;",
        "export const { x } = y;",
        'export * from "./b.js";',
        'import x from "./b.js";',
        'import { x } from "elsewhere";',
        "await x;",
    ],
)
def test_a_form_that_is_not_known_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"a\.js, line 2"):
        joined({"a.js": f"const one = 1;\n{line}\n", "b.js": ""})


def test_a_circle_and_a_module_that_is_not_there_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.js > b\.js > a\.js"):
        joined({"a.js": 'import "./b.js";\n', "b.js": 'import { x } from "./a.js";\n'})
    with pytest.raises(ValueError, match=r"a\.js imports c\.js"):
        joined({"a.js": 'import "./c.js";\n'})


def test_styles_stand_one_after_the_other_and_other_files_stay() -> None:
    assets = joined(
        {"a.css": "a {}", "z.css": "z {}", "b.css": "b {}", "boot.js": "import('./x.js')", "c.svg": "<svg/>"}
    )
    assert assets.files[STYLES].split() == b"z {} a {} b {}".split()
    assert (assets.files["boot.js"], assets.files["c.svg"]) == (b"import('./x.js')", b"<svg/>")


def test_all_of_the_page_s_own_can_be_joined(engine: FakeEngine) -> None:
    single, late = Assets.read(STATIC), late_tabs(build(engine))
    whole = together(single, FIRST_STYLES, [FIRST_SCRIPT], late)
    modules = [name for name in single.files if name.endswith(".js") and name != FIRST_SCRIPT]
    made = {name: data for name, data in whole.files.items() if name not in single.files}
    scripts = b"".join(data for name, data in made.items() if name.endswith(".js"))
    assert all(scripts.count(f'define("{name}",'.encode()) == 1 for name in modules)
    styles = [name for one in late.values() for name in one.styles]
    assert all((name in styles) != (single.files[name] in made[STYLES]) for name in single.files if name[-4:] == ".css")
    assert whole.version != single.version


def test_what_no_other_tab_but_one_needs_is_in_its_own_file(engine: FakeEngine) -> None:
    late = late_tabs(build(engine))
    assert {tab: one.scripts for tab, one in late.items()} == {
        "extras": ("upscale.js",), "image_browser": ("library.js",), "modelmerger": ("models_browser.js",),
        "pnginfo": ("learn.js",), "train": ("train.js",), "extensions": ("extensions_list.js",),
        "settings": ("settings.js",),
    }  # fmt: skip
    files = together(Assets.read(STATIC), FIRST_STYLES, [FIRST_SCRIPT], late).files
    assert b'define("learn_words.js",' in files["joined_pnginfo.js"]
    assert b'define("library_compare.js",' in files["joined_shared.js"]
    for name in ("stage.js", "settings_row.js", "late_parts.js"):
        assert f'define("{name}",'.encode() in files[SCRIPTS]

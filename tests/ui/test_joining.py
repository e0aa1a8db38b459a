"""Many modules in one file behave as they did one by one, and what cannot be joined is refused by name and line."""

import pytest
from playwright.sync_api import Browser, Route

from webui.ui.assets import KINDS, Assets
from webui.ui.joining import SCRIPTS, STYLES, together
from webui.ui.mount import FIRST_SCRIPT, STATIC
from webui.ui.mount import STYLES as FIRST_STYLES

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


def joined(files: dict[str, str]) -> Assets:
    named = {name: text.encode() for name, text in {"z.css": "", **files}.items()}
    return together(Assets.of(named), ["z.css"], ["boot.js"])


def test_joined_modules_behave_as_single_ones(browser: Browser) -> None:
    assets = joined(MODULES)

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ORIGIN)
        route.fulfill(body=assets.files.get(name, b"<!doctype html>"), content_type=KINDS.get(name[-3:], "text/html"))

    context = browser.new_context()
    page = context.new_page()
    page.route(f"{ORIGIN}**", answer)
    page.goto(ORIGIN)
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
            one: count.words === again.words, also: count.also, thing: new count.Thing().is, later: await count.later(),
            names: Object.keys(count).sort(), errors,
          };
        }"""
    )
    context.close()
    assert found == {
        "untouched": 0, "ran": 1, "seen": [2, "a", 7, "done"], "passed": True, "one": True, "also": 7, "thing": 2,
        "later": "/x", "names": ["Thing", "also", "kept", "later", "number", "words"],
        "errors": ["no 1", "no 2", "none.js: there is no such module"],
    }  # fmt: skip


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


def test_all_of_the_page_s_own_can_be_joined() -> None:
    single = Assets.read(STATIC)
    whole = together(single, FIRST_STYLES, [FIRST_SCRIPT])
    modules = [name for name in single.files if name.endswith(".js") and name != FIRST_SCRIPT]
    assert all(f'define("{name}",'.encode() in whole.files[SCRIPTS] for name in modules)
    assert set(whole.files) == {*single.files, SCRIPTS, STYLES}
    assert whole.version != single.version

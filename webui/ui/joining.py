"""Puts the page's many scripts and styles into few files, so that a browser asks a few times instead of 130 times.

The sources stay small modules. At the start each becomes a function, which runs when something first needs it: those
that the first view needs in `joined.js`, those that one other tab alone needs in `joined_<tab>.js`, and those that
several of them share in `joined_shared.js`. `load` in `joined.js` fetches what is missing. Whoever imports a single
module gets the same one, because the file of its name hands out what is in the joined files. Only the forms of `import`
and `export` that the sources use are known; another one is an error that names its line.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from webui.ui.assets import Assets

SCRIPTS = "joined.js"
STYLES = "joined.css"
SHARED = "shared"  # no tab: what several tabs need that the first view does not

IMPORT = re.compile(r'^import\s+(?:(?:\{([^}]*)\}|\* as (\w+))\s*from\s+)?"\./([\w./-]+\.js)";', re.MULTILINE)
LATER = re.compile(r'\bimport\("\./([\w./-]+\.js)"\)')
DECLARED = re.compile(r"^export (?=(?:async function|function\*?|class|const) (\w+))", re.MULTILINE)
LISTED = re.compile(r"^export \{([^}]*)\};", re.MULTILINE)
UNKNOWN = re.compile(r"^(?:import\b(?!\()|export\b|.*\bimport\.meta\.(?!url)|await\b).*$", re.MULTILINE)
START = """// The modules of the page, each in a function that runs when it is first needed.
const sources = new Map();
const made = new Map();
const fetched = new Map(); // tab -> promise of its modules
const failures = new Map(); // tab -> how often it could not be fetched: an address that failed is not asked for again
const tabs = TABS; // tab -> the files of its modules and styles, and what else it needs
const places = PLACES; // module that is not in this file -> its tab
export const define = (name, source) => sources.set(name, source);

/** Have the modules and styles of a tab ready; those of a tab without any are. */
export function fetchTab(tab) {
  if (!Object.hasOwn(tabs, tab)) return Promise.resolve();
  if (!fetched.has(tab)) {
    const files = tabs[tab].files.map((file) => fetchFile(file, failures.get(tab) ?? 0));
    const asked = Promise.all([...tabs[tab].needs.map(fetchTab), ...files]);
    fetched.set(tab, asked);
    asked.catch(() => {
      fetched.delete(tab);
      failures.set(tab, (failures.get(tab) ?? 0) + 1);
    });
  }
  return fetched.get(tab);
}

function fetchFile(file, failed) {
  const address = `./${file}${failed ? `?again=${failed}` : ""}`;
  if (file.endsWith(".js")) return import(address);
  return new Promise((resolve, reject) => {
    const sheet = document.createElement("link");
    Object.assign(sheet, { rel: "stylesheet", href: new URL(address, import.meta.url).href, onload: resolve });
    sheet.onerror = () => {
      sheet.remove();
      reject(new Error(`${file} could not be fetched`));
    };
    document.head.append(sheet);
  });
}

/** Have the file of a module there. */
export const fetchFor = (name) => fetchTab(places[name]);

/** What a module exports, once its file is there. @returns {Promise<object>} */
export async function load(name) {
  await fetchFor(name);
  return of(name);
}

/** What a module exports whose file is there. */
export function of(name) {
  if (made.has(name)) return made.get(name);
  const source = sources.get(name);
  if (!source) throw new Error(`${name}: there is no such module`);
  const exported = {};
  made.set(name, exported);
  try {
    source(of, (getters) => {
      for (const [key, get] of Object.entries(getters)) Object.defineProperty(exported, key, { get, enumerable: true });
    }, load);
  } catch (error) {
    made.delete(name);
    throw error;
  }
  return exported;
}
"""
DEFINE = f'import {{ define }} from "./{SCRIPTS}";'


@dataclass(frozen=True, slots=True)
class LateTab:
    """A tab whose files are fetched when it is opened.

    Attributes:
        scripts: the modules that it begins with; what they import comes with them.
        styles: its style sheets.
    """

    scripts: tuple[str, ...]
    styles: tuple[str, ...] = ()


def together(
    assets: Assets, first: Sequence[str], apart: Sequence[str], late: Mapping[str, LateTab] = MappingProxyType({})
) -> Assets:
    """The same files with the joined ones beside them; modules hand out what is in those.

    Args:
        first: the styles that stand before the others, which follow by name.
        apart: scripts that are no modules.
        late: the tabs that need files of their own, by their names.

    Raises:
        ValueError: a module is written in a way that is not known here, or modules import each other in a circle.
    """
    modules = {name: data.decode() for name, data in assets.files.items() if name.endswith(".js") and name not in apart}
    order = _in_order(modules)
    places = _places(modules, late)
    exports: dict[str, tuple[str, ...]] = {}
    bodies: dict[str, list[str]] = {"": [_start(places, late)], **{tab: [DEFINE] for tab in places.values()}}
    for name in order:
        body, exports[name] = _as_function(name, modules[name])
        bodies[places.get(name, "")].append(body)
    of_tabs = [name for tab in late.values() for name in tab.styles]
    others = sorted(name for name in assets.files if name.endswith(".css") and name not in {*first, *of_tabs})
    styles = {STYLES: (*first, *others), **{f"joined_{tab}.css": one.styles for tab, one in late.items() if one.styles}}
    return Assets.of(
        {
            **assets.files,
            **{name: _handing_out(name, names, is_late=name in places).encode() for name, names in exports.items()},
            **{file: b"\n".join(assets.files[name] for name in names) for file, names in styles.items()},
            **{_script_of(tab): "\n".join(parts).encode() for tab, parts in bodies.items()},
        }
    )


def _places(modules: Mapping[str, str], late: Mapping[str, LateTab]) -> dict[str, str]:
    """The tab of each module that the first view does not need."""
    needs = {tab: _reached(modules, one.scripts) for tab, one in late.items()}
    begins = {name for one in late.values() for name in one.scripts}
    imported = {needed for source in modules.values() for *_, needed in IMPORT.findall(source)}
    at_start = _reached(modules, [name for name in modules if name not in imported | begins])
    users = {name: [tab for tab, needed in needs.items() if name in needed] for name in modules}
    return {
        name: tabs[0] if len(tabs) == 1 else SHARED for name, tabs in users.items() if tabs and name not in at_start
    }


def _reached(modules: Mapping[str, str], begins: Sequence[str]) -> set[str]:
    """Modules and all that they import at once."""
    found: set[str] = set()
    waiting = [*begins]
    while waiting:
        name = waiting.pop()
        if name not in found and name in modules:
            found.add(name)
            waiting += [needed for *_, needed in IMPORT.findall(modules[name])]
    return found


def _start(places: Mapping[str, str], late: Mapping[str, LateTab]) -> str:
    """The head of `joined.js`, which knows where each other module is."""
    shared, tabs = SHARED in places.values(), {}
    for tab in [*late, *([SHARED] if shared else [])]:
        files = [_script_of(tab)] if tab in places.values() else []
        files += [f"joined_{tab}.css"] if tab in late and late[tab].styles else []
        tabs[tab] = {"files": files, "needs": [SHARED] if shared and tab != SHARED else []}
    return START.replace("TABS", json.dumps(tabs), 1).replace("PLACES", json.dumps(dict(places)), 1)


def _script_of(tab: str) -> str:
    return f"joined_{tab}.js" if tab else SCRIPTS


def _as_function(name: str, source: str) -> tuple[str, tuple[str, ...]]:
    """A module as a call of `define`, and what it exports; lines stay in order and number, `$` keeps names apart."""
    exported = {found: found for found in DECLARED.findall(source)}
    for listed in LISTED.findall(source):
        exported |= {outer: inner for inner, outer in map(_renamed, _each(listed))}
    body = LISTED.sub("", DECLARED.sub("", IMPORT.sub(_needed, source)))
    body = LATER.sub(r'$load("\1")', body)
    if strange := UNKNOWN.search(body):
        line = body.count("\n", 0, strange.start()) + 1
        raise ValueError(
            f"{name}, line {line}: {strange[0].strip()!r} is a form of import, export or await that cannot be joined "
            "(webui/ui/joining.py); write it as other modules do"
        )
    getters = ", ".join(f"{outer}: () => {inner}" for outer, inner in exported.items())
    head = f"define({json.dumps(name)}, ($of, $exported, $load) => {{ $exported({{ {getters} }});"
    return f"{head}\n{body}\n}});", tuple(exported)


def _needed(found: re.Match[str]) -> str:
    """An import as a call of `of`, on as many lines."""
    names, whole, module = found[1], found[2], json.dumps(found[3])
    if whole:
        return f"const {whole} = $of({module});"
    if names is None:
        return f"$of({module});"
    pairs = ", ".join(inner if inner == outer else f"{outer}: {inner}" for outer, inner in map(_renamed, _each(names)))
    return f"const {{ {pairs} }} = $of({module});" + "\n" * found[0].count("\n")


def _each(names: str) -> list[str]:
    return [one for one in names.split(",") if one.strip()]


def _renamed(text: str) -> tuple[str, str]:
    """`a as b` as (a, b), and `a` as (a, a)."""
    before, _, after = (part.strip() for part in text.strip().partition(" as "))
    return before, after or before


def _handing_out(name: str, names: Sequence[str], *, is_late: bool) -> str:
    taken = f"export const {{ {', '.join(names)} }} = " if names else ""
    how = "await load" if is_late else "of"
    return f'import {{ {how.split()[-1]} }} from "./{SCRIPTS}";\n{taken}{how}({json.dumps(name)});\n'


def _in_order(modules: Mapping[str, str]) -> list[str]:
    """The names, each after those that it imports; a circle is refused, as its names would be empty."""
    done: list[str] = []
    open_ones: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in open_ones:
            circle = " > ".join([*open_ones[open_ones.index(name) :], name])
            raise ValueError(f"{circle}: these modules import each other; one of them needs another way to the next")
        if name not in modules:
            raise ValueError(f"{open_ones[-1]} imports {name}, which is not there")
        open_ones.append(name)
        for *_, needed in IMPORT.findall(modules[name]):
            visit(needed)
        open_ones.pop()
        done.append(name)

    for name in sorted(modules):
        visit(name)
    return done

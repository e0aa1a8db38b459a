"""Puts the page's many scripts and styles into one file each, so that a browser asks once instead of 130 times.

The sources stay small modules. At the start each becomes a function in `joined.js`, which runs when something first
needs it. Whoever imports a single module gets the same one, because the file of its name hands out what is in the
joined file. Only the forms of `import` and `export` that the sources use are known; another one is an error that names
its line.
"""

import json
import re
from collections.abc import Mapping, Sequence

from webui.ui.assets import Assets

SCRIPTS = "joined.js"
STYLES = "joined.css"

IMPORT = re.compile(r'^import\s+(?:(?:\{([^}]*)\}|\* as (\w+))\s*from\s+)?"\./([\w./-]+\.js)";', re.MULTILINE)
LATER = re.compile(r'\bimport\("\./([\w./-]+\.js)"\)')
DECLARED = re.compile(r"^export (?=(?:async function|function\*?|class|const) (\w+))", re.MULTILINE)
LISTED = re.compile(r"^export \{([^}]*)\};", re.MULTILINE)
UNKNOWN = re.compile(r"^(?:import\b(?!\()|export\b|.*\bimport\.meta\.(?!url)|await\b).*$", re.MULTILINE)
START = """// The modules of the page, each in a function that runs when it is first needed.
const sources = new Map();
const made = new Map();
const define = (name, source) => sources.set(name, source);

/** What a module exports. */
export function of(name) {
  if (made.has(name)) return made.get(name);
  const source = sources.get(name);
  if (!source) throw new Error(`${name}: there is no such module`);
  const exported = {};
  made.set(name, exported);
  try {
    source(of, (getters) => {
      for (const [key, get] of Object.entries(getters)) Object.defineProperty(exported, key, { get, enumerable: true });
    });
  } catch (error) {
    made.delete(name);
    throw error;
  }
  return exported;
}
"""


def together(assets: Assets, first: Sequence[str], apart: Sequence[str]) -> Assets:
    """The same files with `joined.js` and `joined.css` beside them; modules hand out what is in the first.

    Args:
        first: the styles that stand before the others, which follow by name.
        apart: scripts that are no modules.

    Raises:
        ValueError: a module is written in a way that is not known here, or modules import each other in a circle.
    """
    modules = {name: data.decode() for name, data in assets.files.items() if name.endswith(".js") and name not in apart}
    exports: dict[str, tuple[str, ...]] = {}
    parts = [START]
    for name in _in_order(modules):
        body, exports[name] = _as_function(name, modules[name])
        parts.append(body)
    others = sorted(name for name in assets.files if name.endswith(".css") and name not in first)
    styles = b"\n".join(assets.files[name] for name in (*first, *others))
    handing = {name: _handing_out(name, names).encode() for name, names in exports.items()}
    return Assets.of({**assets.files, **handing, SCRIPTS: "\n".join(parts).encode(), STYLES: styles})


def _as_function(name: str, source: str) -> tuple[str, tuple[str, ...]]:
    """A module as a call of `define`, and what it exports; lines stay in order and number, `$` keeps names apart."""
    exported = {found: found for found in DECLARED.findall(source)}
    for listed in LISTED.findall(source):
        exported |= {outer: inner for inner, outer in map(_renamed, _each(listed))}
    body = LISTED.sub("", DECLARED.sub("", IMPORT.sub(_needed, source)))
    body = LATER.sub(r'Promise.resolve().then(() => $of("\1"))', body)
    if strange := UNKNOWN.search(body):
        line = body.count("\n", 0, strange.start()) + 1
        raise ValueError(
            f"{name}, line {line}: {strange[0].strip()!r} is a form of import, export or await that cannot be joined "
            "(webui/ui/joining.py); write it as other modules do"
        )
    getters = ", ".join(f"{outer}: () => {inner}" for outer, inner in exported.items())
    head = f"define({json.dumps(name)}, ($of, $exported) => {{ $exported({{ {getters} }});"
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


def _handing_out(name: str, names: Sequence[str]) -> str:
    taken = f"export const {{ {', '.join(names)} }} = " if names else ""
    return f'import {{ of }} from "./{SCRIPTS}";\n{taken}of({json.dumps(name)});\n'


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

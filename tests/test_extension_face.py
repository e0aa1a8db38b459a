"""Program and extensions know each other by one package alone, and the program knows no extension by its name."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.parsed import forget, nodes_of, over

ROOT = Path(__file__).parents[1]
FACE = "webui.extension_api"
DOORS = (FACE, f"{FACE}.tensors")
BUNDLED = sorted(place.parent.name for place in (ROOT / "extensions").glob("*/extension.toml"))
PLACED = re.compile(rf"extensions[./]({'|'.join(BUNDLED)})\b")
EXTENSIONS = sorted((ROOT / "extensions").rglob("*.py"))
PROGRAM = sorted([*(ROOT / "webui").rglob("*.py"), *(ROOT / "webui").rglob("*.js")])

# These are words of the field too (kinds of model files, tags of prompts, parts of requests, a setting): they may stand
# where they do not choose an extension.
WORDS = frozenset({"captions", "controlnet", "guidance", "lora", "regions", "tiled_vae", "tiles"})


@pytest.fixture(autouse=True, scope="module")
def _short_memory() -> Iterator[None]:
    yield
    forget()


def test_there_are_bundled_extensions() -> None:
    assert len(BUNDLED) == 18


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that a file imports absolutely, wherever it does."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((one.name, "") for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.module or "", one.name) for one in node.names)


def strangers(path: Path) -> set[str]:
    """What an extension imports that is neither the face, nor a library, nor its own."""
    return {
        module
        for module, _ in imports(path)
        if module.partition(".")[0] in ("webui", "extensions", "webui_extensions") and module not in DOORS
    }


@over(EXTENSIONS, ROOT)
def test_extensions_import_the_face_alone(path: Path) -> None:
    assert strangers(path) == set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= 1, "a neighbour extension is imported"


def test_an_import_past_the_face_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "plugin.py"
    file.write_text("def f():\n    from webui.plugins.loader import load\nimport webui.domain\nfrom torch import nn\n")
    assert strangers(file) == {"webui.plugins.loader", "webui.domain"}


@pytest.mark.parametrize("door", DOORS)
def test_the_face_lists_what_it_promises(door: str) -> None:
    """Each listed name is there, and no other public name is imported by an extension."""
    listed = __import__(door, fromlist=["__all__"])
    assert sorted(listed.__all__, key=str) == sorted(set(listed.__all__))
    assert all(hasattr(listed, name) for name in listed.__all__)
    taken = {name for path in EXTENSIONS for module, name in imports(path) if module == door}
    assert taken <= set(listed.__all__)


def test_functions_of_the_face_are_its_own() -> None:
    """A helper of another room is wrapped with a docstring; only types are handed on."""
    for door in DOORS:
        module = __import__(door, fromlist=["__all__"])
        for name in module.__all__:
            value = getattr(module, name)
            if type(value).__name__ == "function":
                assert value.__module__.startswith(FACE), name
                assert value.__doc__, name


def test_the_face_needs_no_torch() -> None:
    code = f"import sys, {FACE}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_host_stands_on_the_face_and_not_the_other_way_round() -> None:
    for path in (ROOT / "webui" / "extension_api").glob("*.py"):
        assert not [module for module, _ in imports(path) if module.startswith("webui.plugins")]


def named(path: Path) -> Iterator[tuple[int, str]]:
    """Where a file names a bundled extension: (line, name)."""
    if path.suffix == ".js":
        for at, text in enumerate(path.read_text().splitlines(), 1):
            yield from ((at, name) for name in BUNDLED if name not in WORDS and name in text)
        return
    has_texts = bool(bundled_in(nodes_of(path)))
    for node in nodes_of(path):
        at = getattr(node, "lineno", 0)
        for part in ("id", "attr", "name", "arg", "value", "module"):
            value = getattr(node, part, None)
            if isinstance(value, str):
                if value.lower() in BUNDLED and value.lower() not in WORDS:
                    yield at, value.lower()
                yield from ((at, name) for name in PLACED.findall(value))
        if has_texts:
            yield from ((at, text) for text in chosen(node))


def chosen(node: ast.AST) -> tuple[str, ...]:
    """Names that choose an extension: keys of `extensions`, and what a `name`, `title` or `folder` is compared with."""
    match node:
        case ast.Subscript(value=of, slice=key) if found := bundled_below([key]):
            return found if "extensions" in ast.unparse(of) else ()
        case ast.Call(func=of, args=given) if found := bundled_below(given):
            return found if "extensions" in ast.unparse(of) else ()
        case ast.Compare(left=left, comparators=others) if found := bundled_below([left, *others]):
            told = any(re.search(r"\b(name|title|folder|extension)\b", ast.unparse(one)) for one in (left, *others))
            return found if told else ()
    return ()


def bundled_below(parts: list[ast.expr]) -> tuple[str, ...]:
    """The texts in expressions that are names of bundled extensions."""
    return bundled_in(one for part in parts for one in ast.walk(part))


def bundled_in(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """The nodes that are such texts."""
    texts = (one.value for one in nodes if isinstance(one, ast.Constant))
    return tuple(text for text in texts if isinstance(text, str) and text.lower() in BUNDLED)


@over(PROGRAM, ROOT)
def test_the_program_names_no_extension(path: Path) -> None:
    assert list(named(path)) == []


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ('"""Like `extensions/lora`."""', "lora"),
        ("face_restore = 1", "face_restore"),
        ('x = {"step_film": 1}', "step_film"),
        ('x = f"extensions.guidance.{1}"', "guidance"),
        ('x = request.extensions["lora"]', "lora"),
        ('x = request.extensions.get("controlnet", {})', "controlnet"),
        ('x = info.name == "guidance"', "guidance"),
        ('x = title.lower() in ("ControlNet", "b")', "ControlNet"),
        ("from extensions.wildcards import plugin", "wildcards"),
    ],
)
def test_a_name_would_be_seen(tmp_path: Path, code: str, name: str) -> None:
    file = tmp_path / "a.py"
    file.write_text(code)
    assert name in {found for _, found in named(file)}

"""What belongs to a family stands in its folder: no other file compares its name or repeats its numbers."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parsed import forget, over, tree_of
from webui.library.family import Family
from webui.weights.families.registry import FAMILIES

ROOT = Path(__file__).parents[2]
OWN = ROOT / "webui" / "weights" / "families"
FILES = sorted(
    path for folder in ("webui", "extensions") for path in (ROOT / folder).rglob("*.py") if not path.is_relative_to(OWN)
)
NAMES = frozenset(name for family in FAMILIES for name in (family.name, family.label))
NUMBERS = {77, 75, 0.18215, 0.13025, 14.6146, 0.00085, 0.012}
SUSPECT = NUMBERS | {4, 8}  # no other number is looked at more closely
# (file, what stands there, why): what the walk below finds and is about something else
EXCEPTIONS = (
    ("webui/prompt/embeddings.py", "MAX_VECTORS = 75", "textual inversion is a format for CLIP alone"),
    ("extensions/controlnet/latents.py", "_BETAS = (0.00085, 0.012)", "ControlNets were trained on these levels"),
)
each_file = over(FILES, ROOT)


@pytest.fixture(autouse=True, scope="module")
def _short_memory() -> Iterator[None]:
    yield
    forget()


def names_compared(tree: ast.AST) -> Iterator[str]:
    """Comparisons, dictionaries' keys, match cases and `Literal`s in which a family's name stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            found = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            found = [node.value]
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal":
            found = [node.slice]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            found = list(node.args)
        else:
            continue
        words = {one.value for part in found for one in ast.walk(part) if isinstance(one, ast.Constant)}
        if words & NAMES or (words & {"sdxl"} and "family" in ast.unparse(node)):
            yield ast.unparse(node)


def numbers_repeated(tree: ast.AST) -> Iterator[str]:
    """What holds a number that only families know, counts pixels in eights, or takes the first four channels."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Call | ast.BinOp | ast.Subscript):
            continue
        own = {one.value for one in _parts(node) if isinstance(one, ast.Constant) and type(one.value) in (int, float)}
        if not own & SUSPECT:
            continue
        text = ast.unparse(node)
        if NUMBERS & own:
            yield text
        is_size = isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mult | ast.Mod)
        pixels = ("height", "width", "latent", "side", "cells")
        if is_size and 8 in own and any(word in text for word in pixels):
            yield text
        if isinstance(node, ast.Subscript) and 4 in own and any(word in text for word in ("sample", "latents[")):
            yield text


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below, statements inside left out: each statement is looked at by itself."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt):
            yield child
            yield from _parts(child)


@each_file
def test_no_name_of_a_family_is_compared(path: Path) -> None:
    assert list(names_compared(tree_of(path))) == []


@each_file
def test_no_number_of_a_family_is_repeated(path: Path) -> None:
    here = path.relative_to(ROOT).as_posix()
    allowed = {text for file, text, _ in EXCEPTIONS if file == here}
    found = set(numbers_repeated(tree_of(path)))
    assert {text for text in found if not any(text in one for one in allowed)} == set()


@pytest.mark.parametrize(
    "code",
    [
        'x = spec.family == "sd1"',
        'x = family in ("sdxl", "sdxl_refiner")',
        'x = {"sd2": 1}[family]',
        'match family:\n    case "sd1":\n        pass',
        'Family = Literal["sd1", "sd2"]',
        'x = family.startswith("sdxl")',
    ],
)
def test_the_walk_finds_names(code: str) -> None:
    assert list(names_compared(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "shape = (4, request.height // 8, request.width // 8)",
        "x = call.sample[:, :4]",
        "CHUNK = 75",
        "scale = 0.18215",
        "cells = height // 8 * 8",
        "f(latent[0] * 8)",
        "def f() -> int:\n    return 77",
    ],
)
def test_the_walk_finds_numbers(code: str) -> None:
    assert list(numbers_repeated(ast.parse(code)))


def test_every_exception_is_still_there() -> None:
    for file, text, _ in EXCEPTIONS:
        assert text in set(numbers_repeated(tree_of(ROOT / file)))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_sound(family: Family) -> None:
    assert family.size_multiple % family.latents.cell == 0
    assert len(family.latents.colours) == family.latents.channels
    assert [one.name for one in FAMILIES].count(family.name) == 1
    assert family.networks() is family.networks()


def test_the_registry_needs_no_torch() -> None:
    code = (
        "import sys; from webui.weights.families.registry import FAMILIES; import webui.server.app; "
        "assert 'torch' not in sys.modules and 'diffusers' not in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr

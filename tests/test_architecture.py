"""The shape of the code, checked: sizes, rooms of libraries, no changing module state."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "webui"
FILES = sorted([*SOURCE.rglob("*.py"), *(ROOT / "extensions").rglob("*.py"), ROOT / "launch.py"])
ROOMS = {  # a library, and the only rooms that may import it
    "gradio": {"ui"},
    "pluggy": {"plugins", "extension_api"},
    "fastapi": {"api"},
    "diffusers": {"weights"},
    "transformers": {"weights"},
    "tokenizers": {"prompt"},
    "piexif": {"output"},
    "spandrel": {"weights"},
    "sqlite3": {"jobs"},
}
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


@each_file
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@each_file
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 80, f"{node.name} is too long"


@each_file
def test_each_library_stays_in_its_room(path: Path) -> None:
    room = path.relative_to(ROOT).parts[1] if len(path.relative_to(ROOT).parts) > 1 else ""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for library in {name.split(".")[0] for name in names} & ROOMS.keys():
            assert room in ROOMS[library], f"{library} belongs in {ROOMS[library]}"


@each_file
def test_no_module_keeps_changing_state(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Global)]
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" not in ast.unparse(node):
            assert not isinstance(node.value, ast.List | ast.Set | ast.ListComp | ast.Dict), ast.unparse(node)


@each_file
def test_it_opens_with_what_lives_in_it(path: Path) -> None:
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))


@each_file
def test_nobody_names_a_package_registry_or_this_machine(path: Path) -> None:
    assert "torchvision" not in {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def test_every_pin_is_exact() -> None:
    for name in ("requirements.txt", "requirements-alone.txt", "requirements-dev.txt"):
        lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        assert all("==" in line or line.startswith("-r ") for line in lines if line)


def test_warnings_are_errors() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"


@each_file
def test_nobody_waits_by_looking_again_and_again(path: Path) -> None:
    loops = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.While | ast.For)]
    calls = [node for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Call)]
    assert not [call for call in calls if ast.unparse(call.func) in ("asyncio.sleep", "time.sleep", "sleep")]

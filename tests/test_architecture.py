"""The shape of the code, checked: sizes, rooms of libraries, no changing module state."""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.parsed import forget, nodes_of, over, tree_of

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
    "sqlite3": {"database", "jobs", "gallery", "cards"},
}
# what these are given is copied, or reachable through them alone
FREEZING = {"MappingProxyType", "tuple", "frozenset", "bytes", "words"}
CONSTANT = {  # what makes something that nobody changes
    "compile", "getLogger", "TypeVar", "ParamSpec", "TypeAdapter", "JSONDecoder", "HookspecMarker", "HookimplMarker",
    "range", "len", "float", "int", "str", "object", "uint64", "float32", "partial", "with_name", "resolve", "Path",
    "_samplers", "replace", "Struct", "Field",
}  # fmt: skip
CHANGING = (ast.List, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
WRITTEN = (".py", ".md", ".toml", ".txt", ".js", ".css", ".html")
# The parts are joined here so that this file does not name them.
PLACES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("download", "pytorch"), ("conda", "anaconda"), ("registry", "npmjs"),
        ("hf", "co/"), ("huggingface", "co/"),
    )
)  # fmt: skip
TORCH_BUILDS = ".".join(("download", "pytorch"))
MACHINE = re.compile(r"""(?:(?<=[\s"'`(=])|^)/(?:home/\w+|root|work|Users/\w+)/""", re.MULTILINE)
each_file = over(FILES, ROOT)


@pytest.fixture(autouse=True, scope="module")
def _short_memory() -> Iterator[None]:
    yield
    forget()


def test_a_law_over_files_names_each_that_breaks_it(tmp_path: Path) -> None:
    for name, text in {"good": "short", "long": "too long", "longer": "much too long"}.items():
        (tmp_path / name).write_text(text)

    def is_short(path: Path) -> None:
        """Five letters."""
        assert len(path.read_text()) <= 5, "it is long"

    law = over(sorted(tmp_path.iterdir()), tmp_path)(is_short)
    assert (law.__name__, law.__doc__) == ("is_short", "Five letters.")
    with pytest.raises(AssertionError) as told:
        law()
    assert re.findall("^(.*): it is long$", str(told.value), re.MULTILINE) == ["long", "longer"]
    with pytest.raises(AssertionError):
        over((), tmp_path)(is_short)()


@each_file
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@each_file
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 80, f"{node.name} is too long"


@each_file
def test_each_library_stays_in_its_room(path: Path) -> None:
    room = path.relative_to(ROOT).parts[1] if len(path.relative_to(ROOT).parts) > 1 else ""
    for node in nodes_of(path):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for library in {name.split(".")[0] for name in names} & ROOMS.keys():
            assert room in ROOMS[library], f"{library} belongs in {ROOMS[library]}"


def state_of(tree: ast.Module) -> Iterator[str]:
    """What a module would keep and could change: `global`, and values of modules and classes that are not constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield ast.unparse(node)
        for statement in node.body if isinstance(node, ast.Module | ast.ClassDef) else ():
            if isinstance(statement, ast.Assign | ast.AnnAssign) and not isinstance(statement.value, ast.Constant):
                names = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                is_default = isinstance(node, ast.ClassDef) and not isinstance(statement.value, CHANGING)
                if "__all__" in map(ast.unparse, names) or is_default or not changes(statement.value):
                    continue
                text = ast.unparse(tree)
                if not all(f"{ast.unparse(name)}.setflags(write=False)" in text for name in names):
                    yield ast.unparse(statement)


@cache
def frozen_makers() -> frozenset[str]:
    """Names of classes whose objects never change (frozen dataclasses and models, named tuples, enumerations), and of
    functions that answer with one.
    """
    nodes = [node for path in FILES for node in nodes_of(path)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    names = {"NamedTuple", "Enum", "StrEnum"}
    names |= {
        node.name
        for node in classes
        if "frozen=True" in "".join(map(ast.unparse, (*node.decorator_list, *node.body[:2])))
    }
    while found := {
        node.name for node in classes if node.name not in names and names & set(map(ast.unparse, node.bases))
    }:
        names |= found
    answers = names | {f"tuple[{name}, ...]" for name in names}
    return frozenset(names | {node.name for node in functions if node.returns and ast.unparse(node.returns) in answers})


def changes(value: ast.expr | None) -> bool:
    """Whether the expression may make something that can be changed later."""
    match value:
        case ast.Call(func=func, args=args, keywords=keywords):
            maker = ast.unparse(func).split(".")[-1]
            taken = () if maker in FREEZING else (*args, *(keyword.value for keyword in keywords))
            return maker not in CONSTANT | FREEZING | frozen_makers() or any(map(changes, taken))
        case ast.Starred(value=ast.GeneratorExp(elt=part)):  # within a tuple, which takes its values at once
            return changes(part)
        case ast.Lambda() | None:
            return False
        case _ if isinstance(value, CHANGING):
            return True
        case ast.Subscript(value=ast.Name() | ast.Attribute()):  # a type such as Callable[[int], str]
            return False
    return any(changes(part) for part in ast.iter_child_nodes(value) if isinstance(part, ast.expr))


@each_file
def test_no_module_keeps_changing_state(path: Path) -> None:
    assert list(state_of(tree_of(path))) == []


@pytest.mark.parametrize(
    "code",
    [
        "A = []", "A = {}", "A: dict[str, int] = {}", "A = dict()", "A = defaultdict(list)", "A = (1, [])",
        "A = {}.get", "A = collections.deque()", "A = B = set()", "A = np.zeros(3)", "class A:\n    seen = []",
        "def f():\n    global A\n    A = 1", "A = [n for n in range(3)]", "A = MappingProxyType(cache)(dict())",
        "A = 1 if B else []", "A = frozenset({1}), {2}",
    ],
)  # fmt: skip
def test_changing_state_is_found(code: str) -> None:
    assert list(state_of(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "A = (1, 2)", "A = MappingProxyType({1: [2]})", "A = frozenset({1})", "A = tuple(n for n in [1])",
        "A = re.compile('x')", "__all__ = ['A']", "A = Callable[[int], str]", "A = 2**16", "A = B.C",
        "def f():\n    a = []", "class A:\n    a: int = 3\n    b: str = Field('', max_length=3)",
    ],
)  # fmt: skip
def test_constants_are_not_taken_for_state(code: str) -> None:
    assert list(state_of(ast.parse(code))) == []


@each_file
def test_it_opens_with_what_lives_in_it(path: Path) -> None:
    assert not path.read_text().strip() or ast.get_docstring(tree_of(path))


@each_file
def test_nothing_asks_for_torchvision(path: Path) -> None:
    """Its compiled part fits one build of torch alone, so the program does without it."""
    for node in nodes_of(path):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert "torchvision" not in {name.split(".")[0] for name in names}


def texts() -> list[Path]:
    """Every file that somebody wrote and that ships: source, tests, documents, scripts and settings."""
    folders = ("webui", "extensions", "tests", "tools", "benchmarks", "docs", ".ci")
    found = [*ROOT.iterdir(), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    return sorted(path for path in found if path.is_file() and (path.suffix in WRITTEN or path.parent.name == ".ci"))


def test_there_are_texts_of_every_kind() -> None:
    kinds = {path.suffix for path in texts()}
    assert kinds >= set(WRITTEN) - {".html"}
    assert ROOT / "README.md" in texts()


def test_nobody_names_a_package_registry_or_this_machine() -> None:
    """Whoever installs chooses where packages come from, and the folders of one developer are nobody else's."""
    found = {path.relative_to(ROOT): named_places(path.read_text(encoding="utf-8")) for path in texts()}
    del found[Path("launch.py")]
    assert {path: places for path, places in found.items() if places} == {}


def named_places(text: str) -> list[str]:
    return [place for place in PLACES if place in text] + MACHINE.findall(text)


def test_the_launcher_alone_knows_where_builds_of_torch_lie() -> None:
    text = (ROOT / "launch.py").read_text(encoding="utf-8")
    assert named_places(text) == [TORCH_BUILDS]
    assert text.count(TORCH_BUILDS) == 1


def test_named_places_are_found() -> None:
    for text in (*PLACES, "see /" + "home/ann/models", "in /" + "root/x", 'Path("/' + 'work/main")'):
        assert named_places(text), text
    for text in ("docs/homework/x", "https://example.org/work/x", "the root/leaf", "GET /sdapi/v1/txt2img"):
        assert not named_places(text), text


def test_a_file_name_occurs_at_most_twice() -> None:
    """So that a name says which file is meant."""
    names = Counter(path.name for path in FILES if path.name not in ("plugin.py", "options.py", "__init__.py"))
    assert sorted(name for name, count in names.items() if count > 2) == []


def test_every_pin_is_exact() -> None:
    for name in ("requirements.txt", "requirements-alone.txt", "requirements-dev.txt"):
        lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        assert all("==" in line or line.startswith("-r ") for line in lines if line)


def test_warnings_are_errors() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"


@each_file
def test_nobody_waits_by_looking_again_and_again(path: Path) -> None:
    loops = [node for node in nodes_of(path) if isinstance(node, ast.While | ast.For)]
    calls = [node for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Call)]
    assert not [call for call in calls if ast.unparse(call.func) in ("asyncio.sleep", "time.sleep", "sleep")]

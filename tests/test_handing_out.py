"""Files of tests are handed to processes so that what is costly is set up in few of them."""

from pathlib import Path

from tests.handing_out import ANY, FIRST, KINDS, MODELS, PAGE, kind_of, next_file

ROOT = Path(__file__).parents[1]
FILES = {
    "tests/ui/test_a.py": PAGE,
    "tests/miniature/test_b.py": MODELS,
    "tests/jobs/test_c.py": ANY,
    "tests/ui/d.py": PAGE,
}


def handed(begun: set[str]) -> list[str]:
    """The kinds of all files in the order in which one process has them."""
    waiting, kinds = [*FILES], []
    while waiting:
        waiting.remove(file := next_file(waiting, begun))
        begun.add(kind_of(file))
        kinds.append(FILES[file])
    return kinds


def test_a_process_goes_on_with_what_it_has_begun_and_sets_up_something_else_last() -> None:
    assert handed({PAGE}) == [PAGE, PAGE, ANY, MODELS]
    assert handed({MODELS}) == [MODELS, ANY, PAGE, PAGE]


def test_of_one_kind_the_first_comes_first() -> None:
    assert next_file([*FILES], {PAGE}) == "tests/ui/test_a.py"
    assert next_file(["tests/jobs/test_e.py", *FILES], {MODELS, PAGE}) == "tests/ui/test_a.py"


def test_every_kind_is_begun_with_and_every_pattern_meets_files() -> None:
    assert {*FIRST} == {kind for _, kind in KINDS}
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    assert all(kind_of(file) == kind for file, kind in FILES.items())
    assert all(any(Path(file).match(pattern) for file in files) for pattern, _ in KINDS)

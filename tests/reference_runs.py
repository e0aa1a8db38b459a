"""How the tests over reference cases run: over the clone's own, or over those of other folders.

`pytest tests --references DIR`, which may be given more than once, runs nothing but tests over reference cases: those
of the folders, and of the clone's own whose names none of them has. A folder holds `index.json`, `cases/`, `inputs/`
and `models/`.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

from tests.reference import cases, folders_of

GROUP = "group of reference cases"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--references", metavar="DIR", action="append", default=[], type=Path,
        help="run the tests over reference cases alone, and over the cases of this folder",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "reference_cases(endings, where): run with each reference case, as `case`")
    config.addinivalue_line("markers", "reference_files(pattern): run with each file beside reference cases, as `file`")
    for folder in config.getoption("references"):
        if not (folder / "index.json").is_file():
            raise pytest.UsageError(
                f"--references {folder}: there is no index.json; a folder of reference cases holds index.json, cases/, "
                "inputs/ and models/"
            )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folders = folders_of(metafunc.config)
    for mark in metafunc.definition.iter_markers("reference_cases"):
        endings, where = mark.args
        found = cases(*endings, where=where, folders=folders)
        metafunc.parametrize("case", found, ids=[case.name for case in found])
    for mark in metafunc.definition.iter_markers("reference_files"):
        files = [file for folder in folders for file in sorted(folder.glob(mark.args[0]))]
        metafunc.parametrize("file", files, ids=[file.name.partition(".")[0] for file in files])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("references"):
        marks = ("reference_cases", "reference_files")
        others = [item for item in items if not any(item.get_closest_marker(mark) for mark in marks)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


def pytest_runtest_setup(item: pytest.Item) -> None:
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if item.get_closest_marker("reference_cases"):
        item.user_properties.append((GROUP, parameters["case"].group))
    elif item.get_closest_marker("reference_files"):
        item.user_properties.append((GROUP, parameters["file"].parent.name))


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("references"):
        return
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            for name, group in getattr(report, "user_properties", ()):  # a file that could not be read has none
                if name == GROUP:
                    counts.setdefault(str(group), Counter())[outcome] += 1
    terminalreporter.section("tests over reference cases, by group")
    for group, count in sorted(counts.items()):
        terminalreporter.write_line(f"{group}: {count['passed']} of {sum(count.values())} passed")

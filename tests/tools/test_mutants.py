"""The list of mutations fits the code, and trying one tells whether a test notices it."""

from pathlib import Path

import pytest

from tools.mutants.__main__ import picked
from tools.mutants.mutation import Mutation, listed
from tools.mutants.trial import COPIED, Copy, tried

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutation", listed(), ids=lambda one: one.name)
def test_every_mutation_can_be_made(mutation: Mutation) -> None:
    assert (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.text) == 1
    assert mutation.replacement != mutation.text
    assert all((ROOT / test.partition("::")[0]).is_file() for test in mutation.tests)


def test_there_are_enough_and_no_name_is_given_twice() -> None:
    names = [one.name for one in listed()]
    assert len(set(names)) == len(names) >= 45


def test_they_are_chosen_by_their_place_and_by_words_of_their_names() -> None:
    every = list(listed())
    assert picked([]) == every
    assert picked(["2-3"]) == every[1:3]
    assert picked(["2-3", every[0].name]) == every[:3]
    assert picked(["no such fault"]) == []


def project(root: Path) -> Path:
    for name in COPIED:
        if "." not in name:
            (root / name).mkdir(parents=True)
    (root / "models").mkdir()
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    (root / "launch.py").touch()
    (root / "webui" / "sums.py").write_text("def double(x):\n    return 2 * x\n")
    (root / "tests" / "test_sums.py").write_text(
        "from webui.sums import double\n\ndef test_it():\n    assert double(3) == 6\n"
    )
    return root


def test_a_fault_is_caught_survives_or_cannot_be_tried(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    place = tmp_path / "copy"
    place.mkdir()
    copy = Copy(root, place)
    faults = {"2 * x": "3 * x", "return": "return 0 +", "return 2": "return (", "4 * x": "5 * x"}
    mutations = [
        Mutation(text, "webui/sums.py", text, replacement, ("tests/test_sums.py",))
        for text, replacement in faults.items()
    ]
    outcomes = list(tried(copy, mutations))
    assert [one.verdict for one in outcomes] == ["caught", "survived", "cannot be tried", "cannot be tried"]
    assert "holds the text 0 times instead of once" in outcomes[3].told
    assert copy.read("webui/sums.py") == (root / "webui" / "sums.py").read_text()

"""The values that forms start with: kept whole or not at all, and never in the way of a start."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.request import GenerationRequest
from webui.jobs.starting_values import StartingValues


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "starting_values.json"


def test_changes_last(path: Path) -> None:
    StartingValues(path).change({"steps": 7, "noise.eta": 0.5, "refiner.checkpoint": "other", "styles": ["a", "b"]})
    request = StartingValues(path).get()
    assert (request.steps, request.noise.eta, request.styles) == (7, 0.5, ("a", "b"))
    assert request.refiner is not None
    assert request.refiner.checkpoint == "other"
    assert json.loads(path.read_text()).keys() == {"steps", "noise", "refiner", "styles"}


def test_a_part_can_be_taken_away_as_a_whole_and_come_back(path: Path) -> None:
    values = StartingValues(path)
    values.change({"refiner.checkpoint": "other"})
    assert values.change({"refiner": None}).refiner is None
    assert values.change({"refiner.checkpoint": "third"}).refiner is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"steps": 5, "clip_skip": 99}, "clip_skip"),
        ({"noise.eta": "much"}, "noise.eta"),
        ({"no_such": 1}, "no_such"),
        ({"prompt.text": "x"}, "prompt"),
        ({"sampler": "[none of ours]"}, "sampler"),
    ],
)
def test_one_wrong_value_changes_nothing(path: Path, changes: dict[str, Any], field: str) -> None:
    values = StartingValues(path)
    values.change({"steps": 9})
    with pytest.raises(BadRequestError) as error:
        values.change(changes)
    assert error.value.field == field
    assert values.get() == StartingValues(path).get() == GenerationRequest(steps=9)


def test_a_damaged_file_is_kept_aside(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"steps": ')
    assert StartingValues(path).get() == GenerationRequest()
    (aside,) = path.parent.glob("*.damaged-*")
    assert aside.read_text() == '{"steps": '


def test_only_values_that_are_no_longer_valid_are_left_out(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"steps": 7, "gone": 1, "clip_skip": 99}')
    assert StartingValues(path).get() == GenerationRequest(steps=7)


def test_a_crash_while_writing_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = StartingValues(path)
    values.change({"steps": 7})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WebuiError, match="No space left on device"):
        values.change({"steps": 8})
    assert values.get().steps == StartingValues(path).get().steps == 7
    assert [file.name for file in path.parent.iterdir()] == [path.name]

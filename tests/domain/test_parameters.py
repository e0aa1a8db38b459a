"""The table of fields: no leaf of a request is forgotten, and no row says what is not so."""

from collections import Counter
from typing import Literal

import pytest
from pydantic import BaseModel

from webui.domain.parameters.leaves import MISSING, bounds, leaves, optional_parts, replaced, value_at
from webui.domain.parameters.row import Row, words
from webui.domain.parameters.table import ROWS, keyed, row_of
from webui.domain.request import GenerationRequest, Img2Img, Refiner, Txt2Img

FIELDS = dict(leaves())
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)


def test_every_leaf_of_a_request_has_a_row() -> None:
    missing = sorted(FIELDS.keys() - {row.path for row in ROWS})
    assert not missing, (
        f"no row for {', '.join(missing)}: add one to a file of webui/domain/parameters/, where the key shall stand, "
        "with the key or with the reason why there is none (CONTRIBUTING.md, Add a field)"
    )


def test_every_row_is_of_one_leaf_or_of_a_part_that_may_be_missing() -> None:
    paths = Counter(row.path for row in ROWS)
    assert {path for path, count in paths.items() if count > 1} == set()
    assert paths.keys() - FIELDS.keys() <= set(optional_parts())


@each_row
def test_a_row_has_a_key_or_a_reason(row: Row) -> None:
    assert (row.key is None) is bool(row.why_no_key), f"{row.path} needs a key or why_no_key, and not both"


def test_leaves_that_share_a_key_are_of_two_kinds_of_task() -> None:
    """One key of the second pass of txt2img and of img2img tells the same of both; no other key is two things."""
    names = Counter(key.name for _, key in keyed())
    shared = {name: [row.path for row, key in keyed() if key.name == name] for name in names if names[name] > 1}
    assert shared == {
        "Denoising strength": ["task.denoising_strength", "task.hires.denoising_strength"],
        "Extra noise": ["task.extra_noise", "task.hires.extra_noise"],
    }


@each_row
def test_what_is_handy_to_drag_lies_in_what_is_allowed_and_is_not_the_same(row: Row) -> None:
    if row.span is not None:
        low, high = bounds(FIELDS[row.path])
        assert low <= row.span[0] < row.span[1] <= high
        assert row.span[:2] != (low, high) or row.span[2] not in (1, 0.01, 0.05), "the bounds of the field say it"


def test_a_field_without_a_row_is_named() -> None:
    with pytest.raises(LookupError, match=r"noise\.colour"):
        row_of("noise.colour")


class _Inner(BaseModel):
    kind: Literal["inner"] = "inner"
    depth: int = 0


class _Other(BaseModel):
    width: float | None = None


class _Outer(BaseModel):
    plain: str = ""
    numbers: tuple[int, ...] = ()
    named: dict[str, int] = {}
    maybe: _Inner | None = None
    either: _Inner | _Other = _Inner()


def test_the_walk_goes_through_optional_parts_and_unions() -> None:
    assert [path for path, _ in leaves(_Outer)] == [
        "plain", "numbers", "named", "maybe.kind", "maybe.depth", "either.kind", "either.depth", "either.width",
    ]  # fmt: skip
    assert [*optional_parts(_Outer)] == ["maybe"]


def test_values_are_found_and_replaced_at_any_depth() -> None:
    request = GenerationRequest(refiner=Refiner(checkpoint="b"))
    assert value_at(request, "refiner.checkpoint") == "b"
    assert value_at(GenerationRequest(), "refiner.checkpoint") is MISSING
    assert value_at(request, "task.image_cfg_scale") is MISSING
    changed = replaced(request, {"task.hires.enabled": True, "noise.eta": 0.5, "steps": 3, "refiner.switch_at": 0.5})
    assert isinstance(changed.task, Txt2Img)
    assert not isinstance(changed.task, Img2Img)
    assert (changed.task.hires.enabled, changed.noise.eta, changed.steps) == (True, 0.5, 3)
    assert changed.refiner == Refiner(checkpoint="b", switch_at=0.5)


def test_a_word_that_stands_for_no_value_is_refused() -> None:
    codec = words({True: "yes", False: "no"})
    assert [codec.decode(codec.encode(value)) for value in (True, False)] == [True, False]
    with pytest.raises(ValueError, match="yes, no"):
        codec.decode("maybe")

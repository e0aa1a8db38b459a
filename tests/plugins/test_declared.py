"""What an extension declares of A1111's words: it travels with the description, and a wrong one costs only itself."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.extensions.toys import toy
from webui.commands.extensions_cli import line
from webui.domain.dialect import Dialect, Told, Word
from webui.plugins.describe import INFO
from webui.plugins.describing import describe_all
from webui.plugins.loader import load_all

OPTIONS = """
from pydantic import BaseModel

class Inner(BaseModel):
    depth: int = 0

class ToyOptions(Options):
    amount: float = 0.0
    inner: Inner = Inner()

@hookimpl
def request_options():
    return ToyOptions

@hookimpl
def dialect():
    return {}
"""
GOOD = (
    'Dialect(generation=(Word(name="a", asks=True, option="amount", meanings={"x": {"inner.depth": 2}}),), '
    'infotext=(Word(name="Toy amount", codec="number", option="amount"),), '
    'info=(Told(key="toy", words={"inner": 1}),), script_names=("Toy",))'
)


def test_it_travels_with_the_description(tmp_path: Path) -> None:
    toy(tmp_path / "e", "good", OPTIONS.format(GOOD))
    wanted = Dialect(
        generation=(Word(name="a", asks=True, option="amount", meanings={"x": {"inner.depth": 2}}),),
        infotext=(Word(name="Toy amount", codec="number", option="amount"),),
        info=(Told(key="toy", words={"inner": 1}),),
        script_names=("Toy",),
    )
    (here,) = load_all(tmp_path / "e").infos
    for _ in range(2):  # from another process, then from the cache
        (info,) = describe_all(tmp_path / "e", tmp_path / "cache.json")
        assert info == here
        assert (info.state, info.notice, info.dialect) == ("ok", "", wanted)
    assert INFO.validate_python(json.loads(json.dumps(INFO.dump_python(info, mode="json")))) == info


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ('Dialect(extras=(Word(name="a", option="nothing"),))', "a: there is no option 'nothing'"),
        ('Dialect(extras=(Word(name="a", option="amount.x"),))', "a: there is no option 'amount.x'"),
        ('Dialect(extras=(Word(name="a", option="inner.x"),))', "a: there is no option 'inner.x'"),
        ('Dialect(extras=(Word(name="a", meanings={"x": {"no": 1}}),))', "a: there is no option 'no'"),
        ('Dialect(infotext=(Word(name="a", otherwise={"no": 1}),))', "a: there is no option 'no'"),
        ('Dialect(info=(Told(key="a", words={"no": 1}),))', "a: there is no option 'no'"),
        ('Dialect(infotext=(Word(name="a", codec="hex"),))', "codec: Input should be"),
        ('Dialect(extras=(Word(name="a", setting=True),))', "there are settings only in generation"),
        ('Dialect(gestures=("wave",))', "gestures: Extra inputs are not permitted"),
        ('{"extras": []}', "dialect returned dict, expected a Dialect"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_wrong_one_is_set_aside_with_a_notice(tmp_path: Path, returned: str, said: str) -> None:
    toy(tmp_path, "odd", OPTIONS.format(returned))
    (info,) = load_all(tmp_path).infos
    assert (info.state, info.error, info.dialect) == ("ok", "", Dialect())
    assert info.options is not None
    assert info.notice.startswith("odd: what it declares of A1111's words is set aside: ")
    assert said in info.notice
    assert info.notice in line(info)


def test_without_options_there_is_nothing_to_set(tmp_path: Path) -> None:
    toy(tmp_path, "odd", '@hookimpl\ndef dialect():\n    return Dialect(extras=(Word(name="a", option="amount"),))')
    (info,) = load_all(tmp_path).infos
    assert "there is no option 'amount'" in info.notice


def test_a_word_has_a_name() -> None:
    with pytest.raises(ValidationError):
        Word(name="")

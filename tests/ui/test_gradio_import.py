"""Gradio is imported without the stubs that it writes for editors."""

from importlib.util import module_from_spec
from pathlib import Path

from tests.narrowing import known
from webui.ui.gradio_import import WRITES_STUBS, WithoutStubs

SOURCE = """
def create_or_modify_pyi(component_class, class_name, events):
    raise RuntimeError("a stub is written")

class ComponentMeta(type):
    def __new__(cls, name, bases, attrs):
        made = super().__new__(cls, name, bases, attrs)
        create_or_modify_pyi(made, name, [])
        return made
"""


def test_a_component_is_made_and_no_stub_written(tmp_path: Path) -> None:
    (tmp_path / "component_meta.py").write_text(SOURCE)
    spec = known(WithoutStubs().find_spec(WRITES_STUBS, [str(tmp_path)]))
    module = module_from_spec(spec)
    known(spec.loader).exec_module(module)
    assert module.ComponentMeta("Slider", (), {}).__name__ == "Slider"


def test_other_modules_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "blocks.py").write_text("")
    assert WithoutStubs().find_spec("gradio.blocks", [str(tmp_path)]) is None


def test_the_module_is_where_gradio_has_it() -> None:
    from gradio import component_meta

    assert component_meta.__name__ == WRITES_STUBS
    assert callable(component_meta.create_or_modify_pyi)

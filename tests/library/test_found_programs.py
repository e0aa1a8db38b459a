"""Other programs of the field are found by the names of their folders, each once, and not those in use."""

from pathlib import Path

from webui.library.found_programs import found_programs, usual_places
from webui.library.machine import this_machine


def test_programs_are_found_where_they_usually_lie(tmp_path: Path) -> None:
    (tmp_path / "stable-diffusion-webui" / "models" / "Stable-diffusion").mkdir(parents=True)
    (tmp_path / "ComfyUI" / "models" / "checkpoints").mkdir(parents=True)
    (tmp_path / "stable-diffusion-webui-forge").mkdir()  # nothing of the program is in it
    (tmp_path / "comfyui").symlink_to(tmp_path / "ComfyUI")
    found = found_programs([tmp_path, tmp_path / "nowhere"])
    assert [(one.name, one.folder.name.lower()) for one in found] == [
        ("A1111 or Forge", "stable-diffusion-webui"),
        ("ComfyUI", "comfyui"),
    ]
    assert [one.name for one in found_programs([tmp_path], used=[tmp_path / "ComfyUI"])] == ["A1111 or Forge"]


def test_the_place_of_this_program_is_looked_at_first(tmp_path: Path) -> None:
    assert usual_places(tmp_path / "program")[0] == tmp_path


def test_the_names_of_cards_are_read_from_the_system(tmp_path: Path) -> None:
    for number, name in enumerate(("One", "Two")):
        folder = tmp_path / f"000{number}"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {name}\nIRQ: 7\n")
    machine = this_machine(tmp_path)
    assert machine.cards == ("One", "Two")
    assert this_machine(tmp_path / "nowhere").cards == ()
    assert machine.threads >= 1
    assert machine.memory > 2**28

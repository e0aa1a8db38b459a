"""ComfyUI's list of further model folders, in the forms in which people write it, whole and broken."""

from pathlib import Path

import pytest

from webui.library.extra_paths import MAX_BYTES, read_extra_paths


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for name in ("home/sd/models/Lora", "home/sd/models/LyCORIS", "big/ckpt", "beside/vae"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("BIG_DISK", str(tmp_path / "big"))
    return tmp_path / "extra_model_paths.yaml"


def _read(file: Path, text: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    file.write_text(text, encoding="utf-8")
    found = read_extra_paths(file)
    return [(folder.kind, folder.path.relative_to(file.parent).as_posix()) for folder in found.folders], found.remarks


def test_sections_lines_and_bases_are_understood(file: Path) -> None:
    folders, remarks = _read(
        file,
        """
# a remark
a1111:
    base_path: ~/sd/
    loras: |
         models/Lora

         models/LyCORIS
relative:
    base_path: beside
    vae: vae/
alone:
    checkpoints: $BIG_DISK/ckpt
    embeddings: [beside, "big"]
""",
    )
    assert folders == [
        ("lora", "home/sd/models/Lora"),
        ("lora", "home/sd/models/LyCORIS"),
        ("vae", "beside/vae"),
        ("checkpoint", "big/ckpt"),
        ("embedding", "beside"),
        ("embedding", "big"),
    ]
    assert remarks == ()


@pytest.mark.parametrize("word", ["true", "True", "yes", "'true'"])
def test_a_default_section_comes_first(file: Path, word: str) -> None:
    folders, _ = _read(file, f"a:\n  vae: beside/vae\nb:\n  is_default: {word}\n  vae: big\n")
    assert folders == [("vae", "big"), ("vae", "beside/vae")]
    folders, _ = _read(file, "a:\n  vae: beside/vae\nb:\n  is_default: false\n  vae: big\n")
    assert folders == [("vae", "beside/vae"), ("vae", "big")]


def test_one_folder_may_hold_two_kinds(file: Path) -> None:
    assert _read(file, "a:\n  facerestore_models: big\n  t2i_adapter: big\n")[0] == [
        ("gfpgan", "big"),
        ("codeformer", "big"),
        ("controlnet", "big"),
    ]


def test_what_is_not_used_is_said(file: Path) -> None:
    folders, remarks = _read(
        file,
        "a:\n  text_encoders: big\n  custom_nodes: big\n  vae: nowhere\n  loras: 5\n  7: x\n"
        "b:\n  base_path: 3\nc: text\nd:\n",
    )
    assert folders == [("vae", "nowhere")]  # it may come to be there later
    assert [remark.replace(str(file.parent), "") for remark in remarks] == [
        "/extra_model_paths.yaml: section a: there is no use here for text_encoders, custom_nodes, 7",
        "/extra_model_paths.yaml: section a: expected a folder on each line of loras",
        "/extra_model_paths.yaml: section a: not there now: /nowhere",
        "/extra_model_paths.yaml: section b is left out; its base_path is not a text",
        "/extra_model_paths.yaml: section c is left out; expected folders by kind in it",
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [1, 2", "not YAML"),
        (b"a:\n\t- b", "not YAML"),
        (b"\xff\xfe\x00", "not YAML"),
        (b"- a\n- b\n", "expected sections"),
        (b"just words", "expected sections"),
        (b"!!python/object/apply:os.system ['true']", "not YAML"),
        (b"a: &a [b]\nc: [" + b"*a, " * 65 + b"]", "too large"),
        (b"#" * (MAX_BYTES + 1), "too large"),
        (b"[" * 5000, "not YAML"),
    ],
)
def test_a_broken_file_gives_nothing_and_a_sentence(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    found = read_extra_paths(file)
    assert found.folders == ()
    assert len(found.remarks) == 1
    assert reason in found.remarks[0]
    assert str(file) in found.remarks[0]


def test_a_file_without_sections_or_no_file_at_all(file: Path) -> None:
    assert _read(file, "# all of it is commented out\n") == ([], ())
    file.unlink()
    assert "No such file" in read_extra_paths(file).remarks[0]
    file.mkdir()
    assert read_extra_paths(file).folders == ()

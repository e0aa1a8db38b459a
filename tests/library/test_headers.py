"""Reading safetensors headers: good files are read as they were written, damaged ones refused with the reason."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from webui.domain.errors import UnusableFileError
from webui.library import headers
from webui.library.headers import read_header


def file_of(folder: Path, table: object, body: bytes = b"") -> Path:
    text = table if isinstance(table, bytes) else json.dumps(table).encode()
    path = folder / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def tensor(start: int, end: int, shape: list[int], dtype: str = "U8") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def test_a_saved_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.zeros(2, 3, dtype=torch.float16), "b": torch.tensor(1.0)}, path, {"made by": "hand"})
    header = read_header(path)
    assert header.shapes == {"a": (2, 3), "b": ()}
    assert header.tensors["a"].dtype == "F16"
    assert header.tensors["a"].end - header.tensors["a"].start == 12
    assert max(info.end for info in header.tensors.values()) == path.stat().st_size
    assert header.metadata == {"made by": "hand"}


@pytest.mark.parametrize(
    ("table", "body", "words"),
    [
        ({"a": tensor(0, 4, [4])}, b"123", "truncated"),
        ({"a": tensor(0, 4, [4])}, b"12345", "unexpected bytes"),
        ({"a": tensor(0, 4, [5])}, b"1234", "span the 5 bytes"),
        ({"a": tensor(0, 4, [4]), "b": tensor(2, 6, [4])}, b"123456", "overlap"),
        ({"a": tensor(0, 2, [2]), "b": tensor(3, 5, [2])}, b"12345", "gap"),
        ({"a": tensor(-4, 0, [4])}, b"1234", "malformed"),
        ({"a": {"dtype": "F7", "shape": [1], "data_offsets": [0, 1]}}, b"1", "unknown dtype"),
        ({"a": {"dtype": "U8", "shape": [True], "data_offsets": [0, 1]}}, b"1", "malformed"),
        ({"a": 3}, b"", "no description"),
        ({"__metadata__": {"a": 1}}, b"", "__metadata__"),
        ([1], b"", "not a JSON object"),
        (
            b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, '
            b'"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}}',
            b"12",
            "gap",
        ),
        (b"{nonsense", b"", "not valid JSON"),
        (b"[" * 100_000, b"", "not valid JSON"),
    ],
)
def test_damaged_headers_are_refused(tmp_path: Path, table: object, body: bytes, words: str) -> None:
    with pytest.raises(UnusableFileError, match=words):
        read_header(file_of(tmp_path, table, body))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 bytes"),
        (b"<!DOCTYPE html><html>not found</html>", "text file"),
        (b"PK\x03\x04 and so on, a zip", "pickle"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        ((200_000).to_bytes(8, "little") + b"{}", "truncated"),
    ],
)
def test_other_files_are_named_for_what_they_are(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UnusableFileError, match=words):
        read_header(path)


def test_a_missing_file_is_an_unusable_one(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="cannot be read"):
        read_header(tmp_path / "gone.safetensors")


def test_caps_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of(tmp_path, {str(n): tensor(0, 0, [0]) for n in range(5)})
    assert len(read_header(path).tensors) == 5
    monkeypatch.setattr(headers, "MAX_TENSORS", 4)
    with pytest.raises(UnusableFileError, match="limit of 4"):
        read_header(path)
    monkeypatch.setattr(headers, "MAX_HEADER_BYTES", 20)
    with pytest.raises(UnusableFileError, match="limit of 20"):
        read_header(path)


@given(st.binary(max_size=200))
def test_no_bytes_bring_anything_but_an_answer_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.safetensors"
    path.write_bytes(data)
    with suppress(UnusableFileError):
        assert all(info.end <= len(data) for info in read_header(path).tensors.values())


def test_a_header_of_20_megabytes_with_a_preview_in_it_is_read(tmp_path: Path) -> None:
    preview = "data:image/png;base64," + "QUJD" * 5_000_000
    tags = json.dumps({"folder": {f"tag {n}": n for n in range(200_000)}})
    table = {"__metadata__": {"preview": preview, "ss_tag_frequency": tags}, "x": tensor(0, 4, [4])}
    header = read_header(file_of(tmp_path, table, bytes(4)))
    assert header.tensors["x"].shape == (4,)
    assert header.metadata == table["__metadata__"]


def test_the_limit_is_the_formats_own(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((100_000_001).to_bytes(8, "little"))
        file.truncate(200_000_000)
    with pytest.raises(UnusableFileError, match="header of 100000001 bytes is over the limit of 100000000"):
        read_header(path)


@pytest.mark.parametrize("piece", [b"[],", b"0,", b'"",', b'"\\\\",', b"{},", b"[[],[]],", b'"a":{"dtype":"F32"},'])
def test_a_large_header_of_very_many_values_is_refused_before_it_takes_memory(tmp_path: Path, piece: bytes) -> None:
    path, count = tmp_path / "x.safetensors", 18_000_000 // len(piece)
    content = b'{"a":[' + piece * count + b"0]}"
    path.write_bytes(len(content).to_bytes(8, "little") + content)
    tracemalloc.start()
    try:
        with pytest.raises(UnusableFileError, match=r"more than 2500000 values|not valid JSON"):
            read_header(path)
        assert tracemalloc.get_traced_memory()[1] < 250_000_000
    finally:
        tracemalloc.stop()

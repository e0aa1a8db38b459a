"""Textual inversion files: every format read, everything else refused with a sentence."""

import base64
import io
import json
import pickle
import struct
import zipfile
import zlib

import pytest
import torch
from safetensors.torch import save

from webui.domain.errors import UnusableFileError
from webui.prompt.embeddings import read_embedding

VECTORS = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def torch_bytes(data: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(data, buffer)
    return buffer.getvalue()


def png(data: object, kind: bytes = b"tEXt") -> bytes:
    text = base64.b64encode(json.dumps(data).encode())
    body = b"sd-ti-embedding\0" + (b"\0" + zlib.compress(text) if kind == b"zTXt" else text)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), (kind, body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


STORED = {"name": "stored", "string_to_param": {"*": {"TORCHTENSOR": VECTORS.tolist()}}}


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        ("a.safetensors", save({"<token>": VECTORS}), "a"),
        ("a.b.safetensors", save({"emb_params": VECTORS.half()}), "a.b"),
        ("a.safetensors", save({"string_to_param.*": VECTORS, "string_to_token.*": torch.tensor(265)}), "a"),
        ("a.png", png(STORED), "stored"),
        ("a.png", png(STORED, b"zTXt"), "stored"),
    ],
)
def test_formats(tmp_path, file: str, content: bytes, name: str) -> None:
    (tmp_path / file).write_bytes(content)
    embedding = read_embedding(tmp_path / file)
    assert (embedding.name, embedding.length) == (name, 2)
    assert torch.equal(embedding.parts["only"], VECTORS)
    assert read_embedding(tmp_path / file, "given").name == "given"


def test_one_vector_without_a_row_axis(tmp_path) -> None:
    (tmp_path / "a.safetensors").write_bytes(save({"<token>": VECTORS[0]}))
    assert read_embedding(tmp_path / "a.safetensors").parts["only"].shape == (1, 3)


def test_sdxl_has_a_part_for_each_encoder(tmp_path) -> None:
    (tmp_path / "a.safetensors").write_bytes(save({"clip_l": torch.zeros(2, 3), "clip_g": torch.ones(2, 5)}))
    embedding = read_embedding(tmp_path / "a.safetensors")
    assert {slot: tuple(part.shape) for slot, part in embedding.parts.items()} == {"clip_l": (2, 3), "clip_g": (2, 5)}


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code was run')",))


def compressed() -> bytes:
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(torch_bytes({"a": VECTORS}))) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in source.namelist():
            archive.writestr(member, source.read(member))
    return target.getvalue()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.pt", pickle.dumps(Evil())),
        ("a.pt", b""),
        ("a.pt", b"nonsense"),
        ("a.pt", torch_bytes({"string_to_param": {"*": VECTORS}})[:-200]),
        ("a.pt", torch_bytes([VECTORS])),
        ("a.pt", torch_bytes({"string_to_param": {}})),
        ("a.pt", torch_bytes({3: VECTORS, 4: VECTORS})),
        ("a.pt", compressed()),
        ("a.bin", torch_bytes({"a": VECTORS, "b": VECTORS})),
        ("a.bin", torch_bytes({"a": torch.zeros(76, 3)})),
        ("a.bin", torch_bytes({"a": torch.zeros(1).expand(10, 10**9)})),
        ("a.bin", torch_bytes({"a": torch.zeros(0, 3)})),
        ("a.bin", torch_bytes({"a": torch.tensor([[float("nan")]])})),
        ("a.safetensors", b"\xff" * 40),
        ("a.safetensors", save({"clip_l": torch.zeros(2, 3), "clip_g": torch.ones(3, 5)})),
        ("a.png", png([1])),
        ("a.png", png({"string_to_param": {"*": {"TORCHTENSOR": [["x"]]}}})),
        ("a.png", b"\x89PNG\r\n\x1a\n"),
        ("a.webp", b"RIFF"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UnusableFileError, match=rf"^{file}: "):
        read_embedding(tmp_path / file)


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(UnusableFileError, match=r"none\.pt: cannot be read"):
        read_embedding(tmp_path / "none.pt")

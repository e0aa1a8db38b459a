"""Textual inversion files: every format read, everything else refused with a sentence."""

import base64
import io
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save, save_file

from webui.domain.errors import UnusableFileError
from webui.library.embeddings import EmbeddingFacts, facts_of
from webui.library.library import ModelLibrary
from webui.library.pictures import embedding_data
from webui.prompt.embeddings import read_embedding
from webui.weights.families.registry import FAMILIES

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
def test_formats(tmp_path: Path, file: str, content: bytes, name: str) -> None:
    (tmp_path / file).write_bytes(content)
    embedding = read_embedding(tmp_path / file)
    assert (embedding.name, embedding.length) == (name, 2)
    assert torch.equal(embedding.parts["only"], VECTORS)
    assert read_embedding(tmp_path / file, "given").name == "given"


def test_one_vector_without_a_row_axis(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(save({"<token>": VECTORS[0]}))
    assert read_embedding(tmp_path / "a.safetensors").parts["only"].shape == (1, 3)


def test_sdxl_has_a_part_for_each_encoder(tmp_path: Path) -> None:
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
def test_anything_else_is_refused_by_name(tmp_path: Path, file: str, content: bytes) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UnusableFileError, match=rf"^{file}: "):
        read_embedding(tmp_path / file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"none\.pt: cannot be read"):
        read_embedding(tmp_path / "none.pt")


def generator(count: int) -> list[int]:
    """The numbers that packed embeddings are XORed with, one after another."""
    state, numbers = 0, []
    for _ in range(count):
        state = (1664525 * state + 1013904223) % 2**32
        numbers.append(state % 255 & 15)
    return numbers


def packed(data: object, height: int = 16) -> Image.Image:
    """A picture with the data in the blocks at its sides, behind black columns, inside a black border."""
    content = zlib.compress(json.dumps(data).encode(), 9)
    columns = len(content) // (3 * height) + 1
    content += bytes(3 * height * columns - len(content))
    halves = [[byte & 15 for byte in content], [byte >> 4 for byte in content]]
    noise = generator(len(content))
    lower, upper = (
        np.array([half ^ number for half, number in zip(one, noise, strict=True)], np.uint8).reshape(height, columns, 3)
        for one in halves
    )
    black, middle = np.zeros((height, 1, 3), np.uint8), np.full((height, 20, 3), 0x77, np.uint8)
    row = np.concatenate([lower | 0x80, black | 0x40, middle, black | 0x40, upper | 0xF0], axis=1)
    return Image.fromarray(np.pad(row, ((3, 3), (5, 5), (0, 0))))


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_an_embedding_packed_in_pixels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"shared.{suffix}"
    packed(STORED).save(path, lossless=True)
    embedding = read_embedding(path)
    assert (embedding.name, embedding.length) == ("stored", 2)
    assert torch.equal(embedding.parts["only"], VECTORS)


def test_a_picture_without_an_embedding_is_only_a_picture(tmp_path: Path) -> None:
    plain = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8))
    plain.save(tmp_path / "plain.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "black.png")
    striped = np.asarray(plain).copy()
    striped[:, [10, 20]] = 0x40
    Image.fromarray(striped).save(tmp_path / "striped.png")
    for name in ("plain", "black", "striped"):
        assert embedding_data(tmp_path / f"{name}.png") is None
        with pytest.raises(UnusableFileError, match="no embedding in this picture"):
            read_embedding(tmp_path / f"{name}.png")


def test_pictures_in_the_folder_are_listed_only_with_an_embedding(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "embeddings"
    folder.mkdir(parents=True)
    packed(STORED).save(folder / "shared.png")
    packed(STORED).save(folder / "shared.preview.png")
    Image.new("RGB", (8, 8), (9, 9, 9)).save(folder / "other.png")
    save_file({"emb_params": VECTORS}, folder / "other.safetensors", {"step": "7"})
    library = ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)
    assert [file.name for file in library.embeddings()] == ["other.safetensors", "shared.png"]
    assert [facts_of(library, file) for file in library.embeddings()] == [
        EmbeddingFacts(2, 3, 7),
        EmbeddingFacts(2, 3),
    ]

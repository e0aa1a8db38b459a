"""Converting pickles: tensors come through exactly, code never runs, bombs and junk are refused with the reason."""

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.library.small import small_checkpoint
from tests.pickles_here import converted_here
from webui.domain.errors import UnusableFileError
from webui.library.headers import read_header
from webui.library.library import ModelLibrary
from webui.prompt.embeddings import read_embedding
from webui.weights.convert import converted, ensure_safetensors
from webui.weights.families.registry import FAMILIES
from webui.weights.unpickle import RefusedError, check_archive, flatten


class Bomb:
    """Runs code when unpickled by an ordinary unpickler."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self._mark)!r}, 'w').close()",))


def test_a_checkpoint_is_converted_once_and_then_usable(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    tensors = small_checkpoint(1)
    torch.save({"state_dict": tensors, "global_step": 7, "optimizer_states": [torch.ones(3)]}, folder / "old.ckpt")
    library = ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)
    told: list[str] = []
    file = library.checkpoint("old")
    path = ensure_safetensors(library, file, told.append)
    assert told == ["converting old.ckpt"]
    read = load_file(path)
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    stamp = path.stat().st_mtime_ns
    assert ensure_safetensors(library, file) == path
    assert path.stat().st_mtime_ns == stamp
    assert library.spec(file).family.name == "sd1"
    library.refresh()
    assert library.checkpoint("old").reason == ""


def test_the_older_form_of_pickles_is_read_too(tmp_path: Path) -> None:
    tensors = small_checkpoint(1)
    torch.save({"state_dict": tensors}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    with converted_here():
        read = load_file(converted(tmp_path / "old.ckpt", tmp_path / "cache"))
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_nested_files_get_dotted_names_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "embedding.pt"
    torch.save(
        {"string_to_param": {"*": torch.ones(2, 4)}, "name": "tiny", "step": 3, "nets": [{"w": torch.zeros(1)}]}, path
    )
    with converted_here():
        header = read_header(converted(path, tmp_path / "cache"))
    assert header.shapes == {"string_to_param.*": (2, 4), "nets.0.w": (1,)}
    assert header.metadata == {"name": "tiny", "step": "3"}


def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    evil = tmp_path / "evil.ckpt"
    torch.save({"state_dict": {"a": torch.ones(1)}, "x": Bomb(mark)}, evil)
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(UnusableFileError, match="cannot be converted"):
        converted(evil, tmp_path / "cache")
    with converted_here(), pytest.raises(UnusableFileError, match="cannot be converted"):
        converted(plain, tmp_path / "cache")
    assert not mark.exists()
    assert list((tmp_path / "cache" / "converted").iterdir()) == []


@pytest.mark.parametrize("content", [b"\x80\x02 nonsense", b"PK\x03\x04 nonsense", b""])
def test_junk_is_refused_with_the_files_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk.pt"
    path.write_bytes(content)
    with converted_here(), pytest.raises(UnusableFileError, match=r"junk\.pt"):
        converted(path, tmp_path / "cache")


def test_compressed_archives_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(RefusedError, match="compressed"):
        check_archive(path, path.stat().st_size)


def test_too_slow_is_too_slow(tmp_path: Path) -> None:
    path = tmp_path / "slow.pt"
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(UnusableFileError, match="took more than"):
        converted(path, tmp_path / "cache", timeout=0.01)


def test_tensors_that_share_memory_are_parted() -> None:
    base = torch.arange(6.0)
    tensors, _ = flatten({"a": base, "b": base[2:], "c": base.reshape(2, 3).T})
    assert len({tensor.data_ptr() for tensor in tensors.values()}) == 3
    assert all(tensor.is_contiguous() for tensor in tensors.values())
    assert tensors["c"].shape == (3, 2)


def test_files_without_tensors_or_nested_without_end_are_refused() -> None:
    with pytest.raises(RefusedError, match="no tensors"):
        flatten({"a": "text"})
    deep: object = torch.ones(1)
    for _ in range(20):
        deep = [deep]
    with pytest.raises(RefusedError, match="nested"):
        flatten(deep)


def test_a_textual_inversion_of_the_first_programs(tmp_path: Path) -> None:
    """Its vectors lie in a torch.nn.ParameterDict, which is no plain dictionary."""
    vectors = torch.tensor([[1.0, 2.0, 3.0]])
    content = {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": torch.nn.ParameterDict({"*": vectors})}
    torch.save(content, tmp_path / "old.pt")
    with converted_here():
        copy = converted(tmp_path / "old.pt", tmp_path / "cache")
    assert torch.equal(read_embedding(copy, "old").parts["only"], vectors)

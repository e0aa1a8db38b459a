"""Which file a name means, with the hash that was written beside it, and what is told where it is not clear."""

from dataclasses import replace
from pathlib import Path

import pytest

from webui.library.files import ModelFile
from webui.library.hashes import old_hash, sha256_of
from webui.library.naming import HASHED_AT_ONCE, choose, named


class OnDisk:
    """Hashes as they are; `known` are those that were computed before, `asked` those that are computed now."""

    def __init__(self, known: tuple[ModelFile, ...] = ()) -> None:
        self.known = set(known)
        self.asked: list[str] = []

    def known_sha256(self, file: ModelFile) -> str | None:
        return sha256_of(file.path) if file in self.known else None

    def sha256(self, file: ModelFile) -> str:
        self.asked.append(file.name)
        self.known.add(file)
        return sha256_of(file.path)

    def old_hash(self, file: ModelFile) -> str:
        return old_hash(file.path)


@pytest.fixture
def files(tmp_path: Path) -> tuple[ModelFile, ...]:
    made = []
    for number, name in enumerate(("one/ink.safetensors", "oil.safetensors", "two/ink.safetensors")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes([number]) * (1 << 21))
        made.append(ModelFile(path, "checkpoint", name))
    return tuple(made)


def test_the_hash_decides_between_files_of_one_name(files: tuple[ModelFile, ...]) -> None:
    for file in (files[0], files[2]):
        digits = sha256_of(file.path)
        for form in (f"ink [{digits[:10]}]", f"ink.safetensors [{digits[:12]}]", f"ink [{digits}]"):
            digests = OnDisk()
            choice = choose(files, form, digests)
            assert choice is not None
            assert (choice.file, choice.told) == (file, "")
            assert "oil.safetensors" not in digests.asked  # only candidates of that name are read


def test_the_old_hash_too(files: tuple[ModelFile, ...]) -> None:
    for file in files:
        for form in (f"{file.stem} [{old_hash(file.path)}]", old_hash(file.path), f"[{old_hash(file.path)}]"):
            choice = choose(files, form, OnDisk())
            assert choice is not None
            assert (choice.file, choice.told) == (file, "")


def test_a_renamed_file_is_found_by_a_hash_that_is_known(files: tuple[ModelFile, ...]) -> None:
    digits = sha256_of(files[1].path)[:10]
    choice = choose(files, f"watercolour [{digits}]", OnDisk(known=files))
    assert choice is not None
    assert (choice.file, choice.told) == (files[1], "")


@pytest.mark.parametrize("length", [10, 12, 64])
def test_a_hash_alone(files: tuple[ModelFile, ...], length: int) -> None:
    choice = choose(files, sha256_of(files[1].path)[:length].upper(), OnDisk())
    assert choice is not None
    assert choice.file == files[1]


def test_a_hash_alone_does_not_read_a_whole_collection(tmp_path: Path, files: tuple[ModelFile, ...]) -> None:
    big = tmp_path / "big.safetensors"
    with big.open("wb") as file:
        file.truncate(HASHED_AT_ONCE + 1)
    digests = OnDisk()
    assert choose((ModelFile(big, "checkpoint", big.name),), "0123456789", digests) is None
    assert not digests.asked


def test_who_is_used_where_no_file_has_the_hash_is_told(files: tuple[ModelFile, ...]) -> None:
    choice = choose(files, "oil [0123456789]", OnDisk())
    assert choice is not None
    assert choice.file == files[1]
    shown = f"oil.safetensors [{sha256_of(files[1].path)[:10]}]"
    assert choice.told == f"no file has the hash 0123456789 of 'oil [0123456789]'; {shown} was used"


def test_a_part_of_a_title_is_told(files: tuple[ModelFile, ...]) -> None:
    choice = choose(files, "oi", OnDisk())
    assert choice is not None
    assert choice.told == "there is no checkpoint 'oi'; oil.safetensors was used"
    assert choose(files, "nothing", OnDisk()) is None
    assert choose(files, "", OnDisk()) is None


def test_the_folder_decides_and_a_plain_name_is_told(files: tuple[ModelFile, ...]) -> None:
    for name in ("two/ink", "two/ink.safetensors", "two_ink"):
        assert named(files, name) == (files[2],)
    choice = choose(files, "ink", OnDisk())
    assert choice is not None
    assert choice.file == files[0]
    assert choice.told.startswith("one/ink.safetensors and two/ink.safetensors are both called 'ink'; one/ink")


def test_a_file_that_can_be_used_is_taken_before_one_that_cannot(files: tuple[ModelFile, ...]) -> None:
    broken = replace(files[0], usable=False, reason="torn")
    assert named((broken, *files[1:]), "ink") == (files[2],)
    assert named((broken,), "ink") == (broken,)

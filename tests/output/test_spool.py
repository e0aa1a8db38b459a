"""The place where pictures wait for room: whole, with all that the saving needs, and nothing half there."""

from pathlib import Path

import pytest
from PIL import Image

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.output.metadata import read_text, safe_open
from webui.output.spool import Spool

REQUEST = GenerationRequest(prompt="a \U0001f600", seed=7)


def image(index: int = 0) -> GeneratedImage:
    return GeneratedImage(Image.new("RGB", (8, 8), (index, 2, 3)), REQUEST, "a cat\nSteps: 2, Seed: 7", index, 5)


def test_a_picture_comes_back_as_it_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.waiting() == ()
    paths = [spool.add(image(index), folder="img2img-images", job_id="job") for index in range(3)]
    assert spool.waiting() == tuple(paths)
    assert read_text(safe_open(paths[1])) == image().infotext
    back = spool.read(paths[1])
    assert (back.job_id, back.folder, back.path) == ("job", "img2img-images", paths[1])
    assert (back.image.index, back.image.subseed, back.image.request, back.image.infotext) == (
        1, 5, REQUEST, image().infotext,
    )  # fmt: skip
    assert back.image.image.tobytes() == image(1).image.tobytes()
    spool.remove(paths[1])
    assert spool.waiting() == (paths[0], paths[2])


def test_what_a_kill_left_unfinished_is_swept_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    whole, torn = (spool.add(image(), folder="txt2img-images", job_id="job") for _ in range(2))
    torn.with_suffix(".json").unlink()
    assert spool.waiting() == (whole,)
    spool.sweep()
    assert sorted(tmp_path.iterdir()) == sorted([whole, whole.with_suffix(".json")])


@pytest.mark.parametrize("suffix", [".png", ".json"])
def test_a_damaged_entry_is_told_and_stays(tmp_path: Path, suffix: str) -> None:
    spool = Spool(tmp_path)
    path = spool.add(image(), folder="txt2img-images", job_id="job")
    path.with_suffix(suffix).write_bytes(b"{")
    with pytest.raises(WebuiError, match="stays where it is"):
        spool.read(path)
    assert spool.waiting() == (path,)

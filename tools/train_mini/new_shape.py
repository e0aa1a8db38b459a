"""Teaches the miniature a shape that it does not know, by the program's own training, and has what it draws judged:
`python -m tools.train_mini.new_shape`.

Twenty-four drawn pictures of hearts with captions are the data set, the same ones that the tab Train offers as an
example (`--write-example` writes its file); captions that are asked for afterwards name combinations of colour and
background that none of them had.
"""

import argparse
import io
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from extensions.trainer import data_set_example
from tools.train_mini.captions import caption
from tools.train_mini.drawing import draw
from tools.train_mini.evaluate import ROOT, paint
from tools.train_mini.judge import compare, judge
from tools.train_mini.scenes import NEW_SHAPE, Scene, random_scene
from webui.domain.extensions import ActionCall, ActionProgress
from webui.domain.settings import BackSettings
from webui.processing.back import Back, build

NAME = "hearts"
PICTURES = 24
SETTINGS: Mapping[str, Any] = {
    **data_set_example.SETTINGS, "base": "mini", "data_set": NAME, "output": NAME, "sample_prompts": "",
}  # fmt: skip
_DRAWN, _ASKED = 77, 991  # seeds


def example() -> Iterator[tuple[Image.Image, str]]:
    """The pictures with their captions."""
    for number in range(PICTURES):
        generator = np.random.default_rng((_DRAWN, number))
        scene = random_scene(generator, shapes=(NEW_SHAPE,))
        yield draw(scene), caption(scene, generator)


def write_example(path: Path) -> None:
    """Write the file that the trainer ships; no time of day is in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for number, (picture, words) in enumerate(example(), 1):
            memory = io.BytesIO()
            picture.save(memory, "PNG", optimize=True)
            for ending, data in (("png", memory.getvalue()), ("txt", words.encode())):
                file.writestr(zipfile.ZipInfo(f"{number:02}.{ending}"), data, zipfile.ZIP_DEFLATED)


def put_data_set(folder: Path) -> None:
    """Put the pictures, and their captions beside them, into `folder/10_heart`."""
    place = folder / f"10_{NEW_SHAPE}"
    place.mkdir(parents=True)
    for number, (picture, words) in enumerate(example(), 1):
        picture.save(place / f"{number:02}.png")
        (place / f"{number:02}.txt").write_text(words)


def asked(count: int) -> list[tuple[Scene, str]]:
    """Scenes of combinations that the data set does not have, with a caption each."""
    found = []
    for number in range(count):
        generator = np.random.default_rng((_ASKED, number))
        scene = random_scene(generator, test=True, shapes=(NEW_SHAPE,))
        found.append((scene, caption(scene, generator)))
    return found


def drawn(
    back: Back, scenes: Sequence[tuple[Scene, str]], tag: str, *, checkpoint: str = "mini", steps: int = 12
) -> int:
    """For how many captions every shape that is named is on the picture.

    Args:
        tag: put behind each caption.
    """
    right = 0
    for number, (scene, words) in enumerate(scenes):
        picture = paint(back, f"{words}{tag}", checkpoint, seed=number, cfg_scale=5.0, steps=steps)
        right += compare(scene, judge(picture)).shape
    return right


def train(back: Back, **changes: Any) -> None:
    """Train the LoRA by the program's action; the options are `SETTINGS` with changes."""

    def tell(progress: ActionProgress) -> None:
        if progress.total and progress.done % 25 == 0 and progress.text.startswith("step"):
            sys.stderr.write(f"{progress.text}\n")

    back.act(ActionCall("trainer", "train", {**SETTINGS, **changes}), tell, lambda: False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.train_mini.new_shape", description="Teach a new shape.")
    parser.add_argument("--work", type=Path, default=ROOT / "data" / "new_shape", help="emptied at the start")
    parser.add_argument("--count", type=int, default=50, help="captions that are asked for")
    parser.add_argument("--steps", type=int, default=SETTINGS["steps"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write-example", action="store_true", help="write the trainer's example, and no more")
    given = parser.parse_args()
    if given.write_example:
        write_example(data_set_example.FILE)
        return 0
    shutil.rmtree(given.work, ignore_errors=True)
    for name in ("Stable-diffusion", "Lora"):
        (given.work / "models" / name).mkdir(parents=True)
    place = "models/Stable-diffusion/mini.safetensors"
    shutil.copyfile(ROOT / place, given.work / place)
    put_data_set(given.work / "data" / "data_sets" / NAME)
    back = build(
        BackSettings(
            models_dir=given.work / "models", data_dir=given.work / "data", extensions_dir=ROOT / "extensions",
            device="cpu", precision="fp32", threads=given.threads,
        )
    )  # fmt: skip
    began, spent = time.monotonic(), time.process_time()
    train(back, steps=given.steps)
    print(f"trained in {time.monotonic() - began:.0f} s, {time.process_time() - spent:.0f} s of CPU time")
    scenes = asked(given.count)
    print(f"without it: {drawn(back, scenes, '')} of {given.count} captions drawn")
    print(f"with it: {drawn(back, scenes, f' <lora:{NAME}:1>')} of {given.count} captions drawn")
    back.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

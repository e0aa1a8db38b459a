"""Makes pictures for held-out captions and has them judged: `python tools/train_mini/evaluate.py`.

Pictures are made by the program itself (DPM++ 2M Karras, 20 steps), and half of the scenes hold two objects.
"""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.train_mini.captions import caption  # noqa: E402  (the line above makes it found when run as a script)
from tools.train_mini.judge import Marks, compare, judge  # noqa: E402
from tools.train_mini.scenes import SIZE, Scene, random_scene  # noqa: E402
from webui.domain.recording import RecordedPart  # noqa: E402
from webui.domain.request import GenerationRequest  # noqa: E402
from webui.domain.result import GeneratedImage, Progress  # noqa: E402
from webui.domain.settings import BackSettings  # noqa: E402
from webui.processing.back import Back, build  # noqa: E402

SEED = 5
TARGETS = {"colour": 0.95, "shape": 0.90, "background": 0.95, "place": 0.85, "relation": 0.70}


class Quiet:
    """A reporter that ignores everything."""

    def progress(self, progress: Progress) -> None:
        """Not shown."""

    def image(self, image: GeneratedImage) -> None:
        """Taken from the result instead."""

    def recorded(self, part: RecordedPart) -> None:
        """Not kept."""

    def stopped(self) -> str:
        return ""

    def finishing(self) -> bool:
        return False


def paint(back: Back, prompt: str, checkpoint: str, *, seed: int, cfg_scale: float, steps: int) -> Image.Image:
    """One picture by the program."""
    request = GenerationRequest(
        prompt=prompt,
        checkpoint=checkpoint,
        sampler="DPM++ 2M",
        scheduler="Karras",
        steps=steps,
        cfg_scale=cfg_scale,
        seed=seed,
        width=SIZE,
        height=SIZE,
    )
    return back.run(request, Quiet()).images[0].image


def held_out_scenes(count: int) -> list[tuple[Scene, str]]:
    """Scenes of combinations that were kept from training, with a caption each."""
    found = []
    for index in range(count):
        generator = np.random.default_rng((SEED, index))
        scene = random_scene(generator, test=True)
        found.append((scene, caption(scene, generator)))
    return found


def score(marks: list[Marks]) -> dict[str, tuple[float, int]]:
    """For each mark, the share that is right, and of how many."""
    scores = {}
    for field in fields(Marks):
        seen = [getattr(mark, field.name) for mark in marks if getattr(mark, field.name) is not None]
        scores[field.name] = (sum(seen) / max(1, len(seen)), len(seen))
    return scores


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    back = build(
        BackSettings(
            models_dir=options.models_dir, data_dir=options.data_dir, precision=options.precision,
            threads=options.threads,
        )
    )  # fmt: skip
    marks: list[Marks] = []
    wrong: list[tuple[Image.Image, str]] = []
    for index, (scene, words) in enumerate(held_out_scenes(options.count)):
        picture = paint(back, words, options.checkpoint, seed=index, cfg_scale=options.cfg_scale, steps=options.steps)
        marks.append(compare(scene, judge(picture)))
        if not all(getattr(marks[-1], field.name) in (True, None) for field in fields(Marks)):
            wrong.append((picture, words))
        if (index + 1) % 25 == 0:
            sys.stderr.write(f"{index + 1} of {options.count}\n")
    lines = [f"{options.checkpoint}, {options.count} held-out captions, cfg_scale {options.cfg_scale}:"]
    for name, (share, count) in score(marks).items():
        target = f", asked for {TARGETS[name]:.0%}" if name in TARGETS else ""
        lines.append(f"  {name:<10} {share:6.1%} of {count}{target}")
    sys.stdout.write("\n".join(lines) + "\n")
    if options.wrong is not None and wrong:
        sheet(wrong).save(options.wrong)
        sys.stdout.writelines(f"{words}\n" for _, words in wrong)
    return 0


def sheet(pictures: list[tuple[Image.Image, str]], columns: int = 10) -> Image.Image:
    """Pictures side by side."""
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (SIZE + 2), rows * (SIZE + 2)), "white")
    for index, (picture, _) in enumerate(pictures):
        page.paste(picture, (index % columns * (SIZE + 2), index // columns * (SIZE + 2)))
    return page


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How well a miniature checkpoint follows held-out captions.")
    parser.add_argument("--checkpoint", default="mini.safetensors")
    parser.add_argument("--models-dir", type=Path, default=ROOT / "models")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg-scale", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: all cores")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "auto"))
    parser.add_argument("--wrong", type=Path, help="write what was judged wrong to this picture")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

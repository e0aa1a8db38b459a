"""Measures whether memory grows over jobs of mixed kinds with the miniature, by the resident size after each job.

The kinds need memory of their own, so that the size goes up and down within a round of all of them: rounds are
compared, by the size after their last job. The first rounds fill caches (networks, allocator, compiled kernels) and are
left out.
"""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.children import ROOT, answer, measure
from benchmarks.report import Row

PART = "memory"
ROUNDS = 10  # of all kinds
SETTLED = 3  # rounds
TARGET = 0.1  # MiB a job
MIB = 2**20


def rows(cache: Path) -> Iterator[Row]:
    """Measured in a process of its own."""
    sizes: list[float] = measure(__name__, cache)
    count = len(kinds())
    rounds = sizes[count - 1 :: count][SETTLED:]
    settled = sizes[count * SETTLED :]
    note = f"{len(sizes)} jobs of {count} kinds, the first {count * SETTLED} left out"
    yield Row(PART, "growth of resident memory, a job", slope(rounds) / count, "MiB", target=TARGET, note=note)
    yield Row(PART, f"resident after round {SETTLED + 1}", rounds[0], "MiB")
    yield Row(PART, f"resident after round {ROUNDS}", rounds[-1], "MiB")
    yield Row(PART, "resident after any job", settled[-1], "MiB", spread=(min(settled), max(settled)))


def slope(values: Sequence[float]) -> float:
    """Of the least-squares line through the values, per value."""
    middle_x, middle_y = (len(values) - 1) / 2.0, sum(values) / len(values)
    over = sum((x - middle_x) * (y - middle_y) for x, y in enumerate(values))
    return over / sum((x - middle_x) ** 2 for x in range(len(values)))


def kinds() -> tuple[dict[str, object], ...]:
    """The requests of the jobs, one after the other, as changes of a common request."""
    from PIL import Image, ImageDraw

    from webui.domain.hires import Hires
    from webui.domain.images import Picture
    from webui.domain.inpainting import Inpainting, Outpainting
    from webui.domain.masks import Mask
    from webui.domain.request import Img2Img, Refiner, Txt2Img
    from webui.domain.upscale import Upscale

    drawing = Image.new("RGB", (128, 128), "blue")
    ImageDraw.Draw(drawing).ellipse((30, 30, 90, 90), fill="red")
    mask = Image.new("L", (128, 128))
    mask.paste(255, (0, 0, 64, 128))
    picture = Picture.of(drawing)
    unit = {"enabled": True, "module": "canny", "model": "mini-edges", "image": picture.to_base64()}
    inpainting = Inpainting(mask=Mask.of(mask))
    return (
        {},
        {"batch_size": 3},
        {"width": 192, "height": 128, "sampler": "Euler a"},
        {"prompt": "a red circle <lora:mini-ink:0.8> <lora:mini-heart:0.5>"},
        {"task": Txt2Img(hires=Hires(enabled=True, upscaler="Latent", steps=3))},
        {"task": Txt2Img(hires=Hires(enabled=True, upscaler="mini-x2", steps=3))},
        {"task": Img2Img(image=picture, denoising_strength=0.6)},
        {"task": Img2Img(image=picture, inpainting=inpainting)},
        {"task": Img2Img(image=picture, inpainting=inpainting), "checkpoint": "mini-inpainting"},
        {"task": Img2Img(image=picture, outpainting=Outpainting(right=64))},
        {"checkpoint": "mini-dusk"},
        {"refiner": Refiner(checkpoint="mini-dusk", switch_at=0.5)},
        {"extensions": {"controlnet": {"units": [unit]}}},
        {"extensions": {"checkpoint_merge": {"b": "mini-dusk", "method": "weighted_sum", "alpha": 0.5}}},
        {"prompt": "mini-beacon, [red:green:0.5] (circle:1.3) AND a square"},
        {"task": Upscale(images=(picture,), upscaler="mini-x2", scale=2.0)},
    )


def resident() -> float:
    """MiB of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def main(cache: Path) -> None:
    """Run the jobs in this process and answer with the resident size after each."""
    import torch

    from tools.train_mini.evaluate import Quiet
    from webui.domain.request import GenerationRequest
    from webui.domain.settings import BackSettings
    from webui.processing.back import build

    torch.set_num_threads(1)
    config = BackSettings(
        models_dir=ROOT / "models",
        data_dir=cache / "memory",
        extensions_dir=ROOT / "extensions",
        device="cpu",
        precision="fp32",
        threads=1,
        checkpoints_in_memory=2,
    )
    back = build(config)
    asked = kinds()
    sizes = []
    for number in range(ROUNDS * len(asked)):
        request = GenerationRequest(
            prompt="a red circle on a blue background", checkpoint="mini", steps=6, width=128, height=128, seed=number
        )
        back.run(request.with_(**asked[number % len(asked)]), Quiet())
        gc.collect()
        sizes.append(resident())
    back.close()
    answer(sizes)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

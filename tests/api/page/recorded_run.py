"""A recording as an extension makes one, of a run that never was."""

import io
import json
from typing import Any

import numpy as np
from PIL import Image

STEPS, BLOCKS, GRID, TOKENS = 5, 2, 16, 77
CELLS, CHANNELS = 4, 4  # cells in a channel of activations, channels that are shown
PART = "down_blocks.1.resnets.0"  # the one that has activations
ADDS = {
    "skips": {PART: [0.0, 0.5, 0.25]}, "levels": {}, "attention": {}, "weights": {PART: 0.02, "conv_out": 0.01},
}  # fmt: skip


def parts(steps: int = STEPS) -> dict[str, bytes]:
    """All parts, by their names."""
    found = {f"latents_{at}": png(24, 8, at) for at in range(steps)}
    found |= {f"clean_{at}": png(64, 64, at) for at in range(steps)}
    found |= {f"maps_{at}": maps(at).tobytes() for at in range(steps)}
    found |= {f"self_{at}": looks(at).tobytes() for at in range(steps)}
    told = {"run": run(steps), "parts": network(), "activations": activations(steps), "adds": ADDS}
    cells = bytes(range(CELLS * CHANNELS)) * 16
    return {**found, f"cells_{steps - 1}": cells, **{name: json.dumps(one).encode() for name, one in told.items()}}


def run(steps: int = STEPS) -> dict[str, Any]:
    """The facts of the run."""
    sigmas = [*np.geomspace(14.6, 0.03, steps), 0.0]
    facts = [
        {"index": at, "sigma": sigmas[at], "next": sigmas[at + 1], "t": 999 - 100 * at, "abar": 0.1, "push": 0.05}
        | {"moved": 0.2, "top": 0.1, "maps": True, "points": True, "decoded": True}
        for at in range(steps)
    ]
    return {
        "sampler": "DPM++ 2M", "scheduler": "Karras", "cfg_scale": 5, "width": 64, "height": 64, "checkpoint": "mini",
        "family": "sd1", "prediction": "epsilon", "latents": [4, 8, 8], "total": steps, "every": 1, "is_done": True,
        "steps": facts, "blocks": ["down_blocks.0.attentions.0", "up_blocks.1.attentions.1"], "tokens": TOKENS,
        "grid": GRID, "scales": {}, "text": "", "muted": {"words": [], "tokens": []}, "text_widths": [768, 1280],
        "looking": ["down_blocks.0.attentions.0"],
    }  # fmt: skip


def maps(step: int) -> np.ndarray:
    """(blocks, T, grid, grid): shares that sum to 1 over the tokens."""
    values = np.random.default_rng(step).random((BLOCKS, TOKENS, GRID, GRID))
    return np.asarray(values / values.sum(1, keepdims=True), np.float16)


def looks(step: int) -> np.ndarray:
    """(1, grid x grid, grid, grid): where each cell looks; the first one at itself alone."""
    values = np.random.default_rng(step).random((1, GRID * GRID, GRID, GRID))
    values[0, 0] = 0
    values[0, 0, 0, 0] = 1
    return np.asarray(values / values.sum((2, 3), keepdims=True), np.float16)


def activations(steps: int) -> dict[str, Any]:
    """Of one part, at the last step."""
    place = {"at": 0, "size": [2, 2], "channels": [3, 5, 8, 13]}
    return {
        "steps": [steps - 1],
        "places": [{PART: place}],
        "shapes": {PART: {"enters": [48, 4, 4], "leaves": [64, 4, 4]}},
    }


def network() -> list[dict[str, Any]]:
    """A few parts."""

    def part(name: str, kind: str, side: str, level: int, enters: int, leaves: int) -> dict[str, Any]:
        sizes = {"enters": enters, "leaves": leaves, "parameters": 1000 + level, "depth": 0, "heads": 0, "context": 0}
        return {"name": name, "kind": kind, "side": side, "level": level, **sizes}

    return [
        part("time_embedding", "embedding", "in", 0, 32, 128),
        part("conv_in", "conv", "in", 0, 4, 32),
        part("down_blocks.0.resnets.0", "resnet", "down", 0, 32, 32),
        part("down_blocks.0.attentions.0", "transformer", "down", 0, 32, 32),
        part("down_blocks.0.downsamplers.0", "down", "down", 0, 32, 32),
        part("down_blocks.1.resnets.0", "resnet", "down", 1, 32, 64),
        part("mid_block.resnets.0", "resnet", "middle", 1, 64, 64),
        part("up_blocks.0.resnets.0", "resnet", "up", 1, 128, 64),
        part("up_blocks.0.upsamplers.0", "up", "up", 1, 64, 64),
        part("up_blocks.1.attentions.1", "transformer", "up", 0, 32, 32),
        part("conv_out", "conv", "out", 0, 32, 4),
    ]


def png(width: int, height: int, seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    kept = io.BytesIO()
    Image.fromarray(values).save(kept, "PNG")
    return kept.getvalue()

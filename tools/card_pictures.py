"""Paints the pictures on the cards of the miniature's files, with themselves.

`python -m tools.card_pictures URL`, where the program serves its API with the models of this checkout.
"""

import base64
import io
import sys
from pathlib import Path
from typing import Any

import requests
from PIL import Image

MODELS = Path(__file__).resolve().parents[1] / "models"
SIDE = 128  # which the miniature was trained at; a card shows its middle
PAINTED = (  # file, checkpoint, prompt, seed
    ("Stable-diffusion/mini", "mini", "a yellow star on a green background", 7),
    ("Stable-diffusion/mini-dusk", "mini-dusk", "a red circle on a blue background", 7),
    ("Stable-diffusion/mini-inpainting", "mini-inpainting", "a blue triangle on a yellow background", 7),
    ("Lora/mini-heart", "mini", "a red heart on a white background <lora:mini-heart:1>", 7),
    ("Lora/mini-ink", "mini", "a blue square on a yellow background <lora:mini-ink:1>", 7),
    ("embeddings/mini-beacon", "mini", "mini-beacon", 7),
)


def main(address: str) -> None:
    """Ask the program at `address` for each picture, and lay it beside its file."""
    for file, checkpoint, prompt, seed in PAINTED:
        asked: dict[str, Any] = {"prompt": prompt, "seed": seed, "steps": 24, "width": SIDE, "height": SIDE}
        asked["override_settings"] = {"sd_model_checkpoint": checkpoint}
        answer = requests.post(f"{address}/sdapi/v1/txt2img", json=asked, timeout=600)
        answer.raise_for_status()
        picture = Image.open(io.BytesIO(base64.b64decode(answer.json()["images"][0]))).convert("RGB")
        picture.save(MODELS / f"{file}.preview.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])

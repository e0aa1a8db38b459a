"""By meaning: a few steps of training on drawn pictures teach the miniature a shape that it does not know.

`python -m tools.train_mini.new_shape` is the long form of this, with 50 captions.
"""

import shutil
from pathlib import Path

from tests.exact_back import exact_back, some_extensions
from tools.train_mini.new_shape import NAME, asked, drawn, put_data_set, train

ROOT = Path(__file__).parents[2]
CAPTIONS = 6


def test_a_shape_that_the_base_does_not_know_is_learned_from_drawn_pictures(tmp_path: Path) -> None:
    models = tmp_path / "models"
    for name in ("Stable-diffusion", "Lora"):
        (models / name).mkdir(parents=True)
    shutil.copyfile(
        ROOT / "models" / "Stable-diffusion" / "mini.safetensors", models / "Stable-diffusion/mini.safetensors"
    )
    put_data_set(tmp_path / "data" / "data_sets" / NAME)
    extensions = some_extensions(tmp_path, "lora", "trainer")
    back = exact_back(models_dir=models, data_dir=tmp_path / "data", extensions_dir=extensions)
    train(back, steps=60, batch_size=4, learning_rate=5e-3)
    scenes = asked(CAPTIONS)
    taught = drawn(back, scenes, f" <lora:{NAME}:1>", steps=10)
    assert taught >= CAPTIONS / 2
    base = drawn(back, scenes[::2], "", steps=10)
    assert base <= taught / 4, "the networks that make pictures stay as they were"  # half as many were asked for
    back.close()

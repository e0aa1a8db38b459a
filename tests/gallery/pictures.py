"""Pictures as files, with the texts that programs write into them, and rows by the thousand without any file."""

import random
import sqlite3
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from webui.gallery.gallery import Gallery
from webui.gallery.words import spaced

SAMPLERS = ("Euler a", "DPM++ 2M", "DDIM")
CHECKPOINTS = ("dreamshaper_8", "inkwash_15", "landscape_xl")
NOUNS = ("castle", "river", "winter", "old town", "portrait", "cat", "cathedral", "雪山", "猫")


def infotext(prompt: str, *, negative: str = "", seed: int = 1, model: str = "dreamshaper_8", more: str = "") -> str:
    """Generation parameters in A1111's form."""
    lines = [prompt, *([f"Negative prompt: {negative}"] if negative else [])]
    details = (
        f"Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: {seed}, Size: 8x8, Model: {model}{more}, Version: v1.10.1"
    )
    return "\n".join([*lines, details])


def save_picture(path: Path, text: str = "", *, colour: tuple[int, int, int] = (10, 20, 30), size: int = 8) -> Path:
    """A PNG of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    chunks = PngInfo()
    if text:
        chunks.add_text("parameters", text)
    Image.new("RGB", (size, size), colour).save(path, pnginfo=chunks)
    return path


def scanned(gallery: Gallery) -> Gallery:
    """The gallery after a scan that came to its end."""
    gallery.scanner.start()
    assert gallery.scanner.wait(60)
    return gallery


def fill(gallery: Gallery, count: int, *, seed: int = 0, owners: tuple[str, ...] = ("",)) -> None:
    """Put rows into the index that have no files, all at once."""
    chance = random.Random(seed)

    def change(connection: sqlite3.Connection) -> None:
        traits = [
            (number, model, sampler, "Karras", kind, "webui", size, month, loras)
            for number, (model, sampler, kind, size, month, loras) in enumerate(
                (
                    (model, sampler, kind, size, f"2026-{month:02}", loras)
                    for model in CHECKPOINTS
                    for sampler in SAMPLERS
                    for kind in ("txt2img", "img2img")
                    for size in ("512x512", "512x768")
                    for month in range(1, 7)
                    for loras in ("", "ink", "film\nink", "neon")
                ),
                1,
            )
        ]
        connection.executemany("INSERT INTO traits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", traits)
        rows, texts, loras, tags, words = [], [], [], [], []
        for number in range(1, count + 1):
            trait = chance.choice(traits)
            width, height = (int(side) for side in trait[6].split("x"))
            prompt = " ".join(chance.sample(NOUNS, 3)) + f", picture {number}"
            negative = chance.choice(("blurry", "lowres, text", ""))
            rows.append(
                (number, 1, f"a/{number:06}.png", 1000, number, f"{number:032x}", width, height, width * height,
                 1.7e9 + chance.randrange(10**7), trait[0], chance.choice((0, 0, 0, 3, 5)), str(chance.randrange(50)),
                 float(chance.choice((20, 30))), 7.0, chance.choice(owners))
            )  # fmt: skip
            texts.append((number, prompt, negative, f"{prompt}\nSteps: 20", chance.choice(("", "", "print this"))))
            loras += [(number, one) for one in trait[8].split("\n") if one]
            own = chance.sample(("finished", "best of"), chance.randrange(2))
            tags += [(number, one) for one in own]
            words.append((number, (prompt, negative, f"{number:06}.png", texts[-1][4], " ".join(own))))
        connection.executemany(
            "INSERT INTO pictures (id, folder, place, bytes, modified, digest, width, height, area, created, trait,"
            " rating, seed, steps, cfg_scale, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        connection.executemany(
            "INSERT INTO texts (picture, prompt, negative, infotext, notes) VALUES (?, ?, ?, ?, ?)", texts
        )
        connection.executemany("INSERT INTO loras VALUES (?, ?)", loras)
        connection.executemany("INSERT INTO tags VALUES (?, ?)", tags)
        connection.executemany(
            "INSERT INTO words (rowid, prompt, negative, name, notes, tags) VALUES (?, ?, ?, ?, ?, ?)",
            [(number, *map(spaced, line)) for number, line in words],
        )

    gallery.index.write(change)


def put_many(index: sqlite3.Connection, count: int = 100_000) -> None:
    """Rows of many pictures in the folder of the first row, without files and with empty texts; quicker than `fill`."""
    index.execute("INSERT INTO traits VALUES (1, 'one', 'Euler', 'Karras', 'txt2img', 'webui', '8x8', '2026-01', '')")
    index.execute(
        "WITH RECURSIVE one (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM one WHERE n < ?)"
        " INSERT INTO pictures (id, folder, place, bytes, modified, digest, width, height, area, created, trait,"
        " rating, seed, steps, cfg_scale, owner) SELECT n, 1, 'a/' || n || '.png', 1000, n, printf('%032x', n),"
        " 512, 512, 262144, 1.7e9 + n % 1000, 1, 0, '1', 20.0, 7.0, '' FROM one",
        (count,),
    )
    index.execute(
        "INSERT INTO texts (picture, prompt, negative, infotext, notes) SELECT id, '', '', '', '' FROM pictures"
    )

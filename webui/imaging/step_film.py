"""The steps of a run as a file that somebody takes along: a strip (PNG), an animation (GIF), a film (MP4)."""

import io
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Literal

import numpy as np
from PIL import Image

from webui.imaging.step_atlas import WIDEST

FilmRow = Literal["noisy", "noise", "guidance", "clean"]
FilmKind = Literal["png", "gif", "mp4"]
MEDIA_TYPES = MappingProxyType({"png": "image/png", "gif": "image/gif", "mp4": "video/mp4"})
PLACES = MappingProxyType({"noisy": 0, "noise": 1, "guidance": 2})  # in the strip of a step's latents
MOST_STEPS = 150
MOST_SIDE = 1024  # pixels of a recorded picture, which are far fewer as a rule
SMALLEST = 256  # pixels of the longer side of a frame, to which cells are enlarged
RATE = 5  # frames a second
HELD = 8  # frames more that the last one stays
SOFT = "17"  # constant rate factor of x264: 0 loses nothing, 51 is worst
HEAT = ((0.0, (18, 0, 40)), (0.35, (96, 20, 60)), (0.7, (190, 70, 60)), (1.0, (250, 200, 130)))
# The above are the colours of `static/learn_run.js`, where a share of 1 is what the brightest steps but a few have.
COUNTED = 0.8  # of the steps, from the weakest guidance: the last ones are far above all others


@dataclass(frozen=True, slots=True)
class Film:
    """What is shown of a run.

    Attributes:
        row: which of its four pictures.
        strips: PNG files, one a step: of three squares beside each other, or of the clean estimate alone.
        tops: the level at which the grey of guidance is white, for each step.
    """

    row: FilmRow
    strips: Sequence[bytes]
    tops: Sequence[float] = ()

    def frames(self) -> Iterator[Image.Image]:
        """One picture (RGB) a step, all of the size of the first, enlarged cell by cell.

        Raises:
            ValueError: there is no step, or there are too many, or a picture is too large.
        """
        if not 0 < len(self.strips) <= MOST_STEPS:
            raise ValueError(f"has {len(self.strips)} steps; a film has 1 to {MOST_STEPS}")
        size: tuple[int, int] | None = None
        for place, strip in enumerate(self.strips):
            picture = self._picture(strip)
            if size is None:
                times = max(1, math.ceil(SMALLEST / max(picture.size)))
                size = _even(picture.width * times), _even(picture.height * times)
            if self.row == "guidance":
                picture = _heat(picture, self._share(place))
            yield picture.resize(size, Image.Resampling.NEAREST)

    def _picture(self, strip: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(strip))
        if max(image.size) > MOST_SIDE:
            raise ValueError(f"a picture of a step has {image.width} x {image.height} pixels, more than {MOST_SIDE}")
        whole = image.convert("RGB")
        if self.row == "clean":
            return whole
        side, place = whole.width // len(PLACES), PLACES[self.row]
        return whole.crop((place * side, 0, (place + 1) * side, whole.height))

    def _share(self, step: int) -> float:
        """How bright the white of a step is on the scale of the whole run."""
        tops = sorted(self.tops)
        white = tops[int((len(tops) - 1) * COUNTED)] if tops else 1.0
        return self.tops[step] / white if step < len(self.tops) and white > 0 else 1.0


def film_file(film: Film, kind: FilmKind) -> bytes:
    """The file. Raises ValueError, as `Film.frames` does."""
    return {"png": _strip, "gif": _animation, "mp4": _video}[kind](film)


def _strip(film: Film) -> bytes:
    """All frames beside each other; where that would be wider than 4096 pixels, in several lines."""
    frames = film.frames()
    first = next(frames)
    width, height = first.size
    columns = min(len(film.strips), max(1, WIDEST // width))
    whole = Image.new("RGB", (columns * width, -(-len(film.strips) // columns) * height))
    for place, frame in enumerate((first, *frames)):
        whole.paste(frame, (place % columns * width, place // columns * height))
    kept = io.BytesIO()
    whole.save(kept, "PNG")
    return kept.getvalue()


def _animation(film: Film) -> bytes:
    frames = film.frames()
    first, each = next(frames), 1000 // RATE
    durations = [each] * (len(film.strips) - 1) + [each * (1 + HELD)]
    kept = io.BytesIO()
    first.save(kept, "GIF", save_all=True, append_images=frames, duration=durations, loop=0)
    return kept.getvalue()


def _video(film: Film) -> bytes:
    """H.264 with colours at half the resolution (yuv420p), which is what every player takes."""
    import av  # FFmpeg is large, and few ask for a film

    frames = _held(film.frames())
    first = next(frames)
    kept = io.BytesIO()
    with av.open(kept, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": SOFT})
        stream.width, stream.height = first.size
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, RATE)
        for at, frame in enumerate(itertools.chain([first], frames)):
            shown = av.VideoFrame.from_ndarray(np.asarray(frame), format="rgb24")
            shown.pts = at
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    return kept.getvalue()


def _held(frames: Iterator[Image.Image]) -> Iterator[Image.Image]:
    """The frames, and the last one some more times."""
    last = None
    for last in frames:
        yield last
    if last is not None:
        yield from (last for _ in range(HELD))


def _heat(picture: Image.Image, share: float) -> Image.Image:
    """Grey as heat, where `share` is how bright white is."""
    values = np.asarray(picture.convert("L"), np.float64) / 255 * share
    shares = [at for at, _ in HEAT]
    colours = [np.interp(values, shares, [colour[part] for _, colour in HEAT]) for part in range(3)]
    return Image.fromarray(np.stack(colours, -1).round().astype(np.uint8))


def _even(pixels: int) -> int:
    """Halved colours need even sizes."""
    return max(2, pixels - pixels % 2)

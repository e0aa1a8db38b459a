"""Cheap pictures of latents while they are made: one matrix, no network."""

import io
import logging
import threading

from PIL import Image
from torch import Tensor

from webui.library.family import LatentFormat
from webui.sampling.colours import latent_colours

SIDE = 512  # pixels; a preview is not larger

log = logging.getLogger(__name__)


class Previews:
    """Makes previews beside the run. On a device a thread waits for the latents and writes the JPEG, and the picture
    is taken with a later step; on a CPU, which has nothing else to do meanwhile, it is there at once.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._made: bytes | None = None

    def begin(self, latents: Tensor, form: LatentFormat) -> None:
        """Make a preview of (B, C, h, w) latents, unless the last one is still being made."""
        if latents.device.type == "cpu":
            self._made = preview(latents, form)
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._make, args=(latents, form), name="preview", daemon=True)
            self._thread.start()

    def take(self) -> bytes | None:
        """The preview that was made last, once."""
        made, self._made = self._made, None
        return made

    def _make(self, latents: Tensor, form: LatentFormat) -> None:
        try:
            self._made = preview(latents, form)
        except Exception:  # a run goes on without previews
            log.exception("a preview could not be made")


def preview(latents: Tensor, form: LatentFormat) -> bytes:
    """A JPEG of the first image of (B, C, h, w) latents, by a linear fit of colour to latent channels."""
    small = Image.fromarray(latent_colours(latents[0], form).numpy())
    scale = min(float(form.cell), SIDE / max(small.size))
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    out = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=80)
    return out.getvalue()

"""Pictures of latents while they are made: by one matrix, by a tiny autoencoder, or by the VAE itself."""

import io
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PIL import Image
from torch import Tensor

from webui.domain.errors import WebuiError
from webui.domain.settings import PreviewKind
from webui.library.family import LatentFormat
from webui.processing.decode import to_image
from webui.sampling.colours import latent_colours
from webui.weights.model import LoadedModel
from webui.weights.tiny_vae import TinyVaes

SIDE = 512  # pixels; a preview is not larger

log = logging.getLogger(__name__)


class Previews:
    """Makes previews beside the run. On a device a thread waits for the latents and writes the JPEG, and the picture
    is taken with a later step; on a CPU, which has nothing else to do meanwhile, it is there at once.
    """

    def __init__(self, paint: Callable[[Tensor], bytes], *, alone: bool = True) -> None:
        """Args:
        paint: a JPEG of the first of (B, C, h, w) latents.
        alone: it uses no network that the run may use meanwhile, so that a thread may do it.
        """
        self._paint = paint
        self._alone = alone
        self._thread: threading.Thread | None = None
        self._made: bytes | None = None

    def begin(self, latents: Tensor) -> None:
        """Make a preview, unless the last one is still being made."""
        if latents.device.type == "cpu" or not self._alone:
            self._make(latents)
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._make, args=(latents,), name="preview", daemon=True)
            self._thread.start()

    def take(self) -> bytes | None:
        """The preview that was made last, once."""
        made, self._made = self._made, None
        return made

    def _make(self, latents: Tensor) -> None:
        try:
            self._made = self._paint(latents)
        except Exception:  # a run goes on without previews
            log.exception("a preview could not be made")


@dataclass(frozen=True, slots=True)
class PreviewMaker:
    """What the user wants previews to be made by."""

    kind: PreviewKind
    tiny: TinyVaes

    def previews(self, model: LoadedModel, tell: Callable[[str], None]) -> Previews:
        """Those of one run. Where a file of a tiny autoencoder is missing, that is told, and the matrix makes them."""
        if self.kind == "Full":
            return Previews(lambda latents: _jpeg(to_image(model.vae.decode(latents[:1])[0])), alone=False)
        if self.kind == "TAESD":
            try:
                decode = self.tiny.half(model, "decoder")
            except WebuiError as error:
                tell(f"live previews are made by a matrix of colours: {error}")
            else:
                return Previews(lambda latents: _jpeg(to_image(decode(latents[:1])[0])), alone=False)
        return Previews(partial(preview, form=model.latents))


def preview(latents: Tensor, form: LatentFormat) -> bytes:
    """A JPEG of the first image of (B, C, h, w) latents, by a linear fit of colour to latent channels."""
    return _jpeg(Image.fromarray(latent_colours(latents[0], form).numpy()), float(form.cell))


def _jpeg(picture: Image.Image, enlarged: float = 1.0) -> bytes:
    scale = min(enlarged, SIDE / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    out = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=80)
    return out.getvalue()

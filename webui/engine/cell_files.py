"""Pictures of cells that later requests of the same experiment need, and that no other file holds pixel for pixel."""

import json
import logging
import shutil
from pathlib import Path

from PIL import Image

from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts
from webui.experiments.course import Place
from webui.imaging.encoding import file_bytes
from webui.library.unfinished import write_atomically
from webui.output.grammar import split

NOTE = "cell.json"  # written last, so a cell without one was never finished

log = logging.getLogger(__name__)


class CellFiles:
    """A folder for each cell below one for each plot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, plot_id: str, at: Place, index: int) -> Path:
        """Where a picture of a cell lies, if it is kept here."""
        return self._of(plot_id, at) / f"{index}.png"

    def keep(self, plot_id: str, at: Place, result: GenerationResult) -> None:
        """Keep what a cell has come to. Raises OSError."""
        folder = self._of(plot_id, at)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        told = []
        for image in result.images:
            write_atomically(folder / f"{image.index}.png", file_bytes(image.image, "PNG"), durable=True)
            own = {name: getattr(image.request, name) for name in ("seed", "subseed", "prompt", "negative_prompt")}
            told.append({"index": image.index, "infotext": image.infotext, "drawn": image.subseed, **own})
        write_atomically(folder / NOTE, json.dumps(told, ensure_ascii=False).encode(), durable=True)

    def read(self, plot_id: str, at: Place, request: GenerationRequest) -> GenerationResult | None:
        """What was kept of the cell that this request made; None where nothing was, or it cannot be read."""
        folder = self._of(plot_id, at)
        try:
            told = json.loads((folder / NOTE).read_bytes())
            images = tuple(self._image(folder, one, request) for one in told)
        except FileNotFoundError:
            return None
        except (OSError, SyntaxError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read and is made again: %s", folder, error)
            return None
        return GenerationResult(request, images, facts_of(images[0].infotext)) if images else None

    def forget(self, plot_id: str) -> None:
        """Remove what is kept of a plot; where that cannot be done, the log says so."""
        folder = self._folder / plot_id
        if folder.is_dir():
            shutil.rmtree(folder, onerror=lambda _, path, error: log.warning("%s was not removed: %s", path, error[1]))

    def _image(self, folder: Path, told: dict[str, object], request: GenerationRequest) -> GeneratedImage:
        with Image.open(folder / f"{told['index']}.png") as opened:
            pixels = opened.copy()
        own = {name: told[name] for name in ("seed", "subseed", "prompt", "negative_prompt")}
        one = request.model_copy(update=own)
        return GeneratedImage(pixels, one, str(told["infotext"]), int(str(told["index"])), int(str(told["drawn"])))

    def _of(self, plot_id: str, at: Place) -> Path:
        return self._folder / plot_id / "-".join(map(str, at))


def facts_of(infotext: str) -> ModelFacts:
    """The models that an infotext names."""
    fields = split(infotext)[2]
    return ModelFacts(
        fields.get("Model", ""), fields.get("Model hash", ""), fields.get("VAE", ""), fields.get("VAE hash", "")
    )

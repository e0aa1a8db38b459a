"""The back of the program, as a worker builds it: the models' owner behind two methods."""

from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.library.checkpoints import ModelLibrary
from webui.processing.config import BackConfig
from webui.processing.ports import Reporter
from webui.processing.run import Pipeline
from webui.processing.texts import Texts
from webui.weights.cache import ModelCache
from webui.weights.precision import resolve


class Back:
    """Runs one job at a time with models it keeps."""

    def __init__(self, library: ModelLibrary, models: ModelCache, pipeline: Pipeline) -> None:
        self._library = library
        self._models = models
        self._pipeline = pipeline

    def run(self, request: GenerationRequest, reporter: Reporter) -> GenerationResult:
        """Make the images of a request."""
        self._library.refresh()
        return self._pipeline.run(request, reporter)

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) ahead of the next job."""
        self._library.refresh()
        self._pipeline.load(checkpoint)

    def close(self) -> None:
        """Give the models' memory back."""
        self._models.clear()

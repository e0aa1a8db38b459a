"""The protocol by which the caller of the pipeline hears of progress, and stops the work."""

from typing import Protocol

from webui.domain.result import GeneratedImage, Progress


class Reporter(Protocol):
    """Gets progress and images, and says whether to stop.

    `stopped` is called between steps. "" means go on, "skip" end this batch, "interrupt" end the job. `finishing` is
    asked between batches: whether no further one is to be begun.
    """

    def progress(self, progress: Progress) -> None: ...
    def image(self, image: GeneratedImage) -> None: ...
    def stopped(self) -> str: ...
    def finishing(self) -> bool: ...

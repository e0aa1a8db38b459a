"""Protocols through which processing speaks to whoever runs it: what it reports, what stops it."""

from typing import Protocol

from webui.domain.result import GeneratedImage, Progress


class Reporter(Protocol):
    """Told what happens; may stop the work.

    `stopped` is asked between steps: "" goes on, "skip" ends this batch, "interrupt" ends the job.
    """

    def progress(self, progress: Progress) -> None: ...
    def image(self, image: GeneratedImage) -> None: ...
    def stopped(self) -> str: ...

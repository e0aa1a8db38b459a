"""Reporters that tests hand to the back of the program. Those that count or stop stand with their tests."""

from webui.domain.recording import RecordedPart
from webui.domain.result import GeneratedImage, Progress


class Silent:
    """Lets everything run and remembers nothing."""

    def progress(self, progress: Progress) -> None: ...
    def image(self, image: GeneratedImage) -> None: ...
    def stopped(self) -> str:
        return ""

    def recorded(self, part: RecordedPart) -> None: ...
    def finishing(self) -> bool:
        return False

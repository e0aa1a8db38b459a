"""Records the run that Learn shows before there is one of one's own: `webui/api/page/example_run.zip`.

    .venv/bin/python tools/record_example.py

On one thread of the CPU in float32, so that another machine gets the same but for rounding.
"""

import json
import sys
import tempfile
from pathlib import Path

if not __package__:  # started as a script: Python has put this folder where the project's should be
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from webui.api.page.example_run import FILE, ExampleRun, packed  # these need the line above
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Progress
from webui.domain.settings import BackSettings
from webui.processing.back import build

ROOT = Path(__file__).resolve().parents[1]
RECORDER = "run_recorder"
PROMPT = "a red circle on a blue background"
REQUEST = GenerationRequest(
    prompt=PROMPT, checkpoint="mini.safetensors", sampler="DPM++ 2M", scheduler="Karras", steps=20, cfg_scale=5, seed=7,
    width=128, height=128, extensions={RECORDER: {"enabled": True}},
)  # fmt: skip


class Kept:
    """A reporter that keeps what is recorded, and stops after some steps where that is wanted.

    Args:
        steps: after which it stops; 0: never.
    """

    def __init__(self, steps: int = 0) -> None:
        self.parts: dict[str, bytes] = {}
        self._steps = steps

    def recorded(self, part: RecordedPart) -> None:
        self.parts[part.name] = part.data

    def stopped(self) -> str:
        return "interrupt" if self._steps and f"clean_{self._steps - 1}" in self.parts else ""

    def progress(self, progress: Progress) -> None: ...
    def image(self, image: GeneratedImage) -> None: ...
    def finishing(self) -> bool:
        return False


def record(steps: int = 0) -> ExampleRun:
    """Make the picture and record its run.

    Args:
        steps: after which it is stopped; 0: all of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = BackSettings(
            models_dir=ROOT / "models", data_dir=Path(folder), extensions_dir=ROOT / "extensions", device="cpu",
            precision="fp32", threads=1,
        )  # fmt: skip
        back, kept = build(settings), Kept(steps)
        try:
            back.run(REQUEST, kept)
        finally:
            back.close()
    return ExampleRun(REQUEST.with_(extensions={}), kept.parts)


def main() -> None:
    """Write the file."""
    run = record()
    told = json.loads(run.parts["run"])
    told["words"] = len(PROMPT.split())  # of the miniature's words each is one token
    whole = ExampleRun(run.request, {**run.parts, "run": json.dumps(told).encode()})
    data = packed(whole)
    FILE.write_bytes(data)
    print(f"{FILE.relative_to(ROOT)}: {len(data)} bytes, {len(told['steps'])} steps, {len(told['blocks'])} blocks")


if __name__ == "__main__":
    main()

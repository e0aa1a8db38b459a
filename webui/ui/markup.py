"""Makes every piece of HTML that the page shows, and escapes all text in it. It does not use Gradio."""

import base64
import html
from collections.abc import Sequence

from webui.domain.result import Notice, Phase, Progress

PHASES: tuple[tuple[Phase, str], ...] = (
    ("waiting", "Waiting"),
    ("loading", "Loading the model"),
    ("encoding", "Reading the prompt"),
    ("sampling", "Sampling"),
    ("upscaling", "Upscaling"),
    ("decoding", "Decoding"),
    ("saving", "Saving"),
)


def clock(seconds: float) -> str:
    """`75.4` -> `1:15`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"


def progress_text(progress: Progress, eta: float | None) -> str:
    """One line: phase, step, batch, share, time left (seconds, None where it is not known)."""
    parts = [dict(PHASES)[progress.phase]]
    if progress.steps:
        parts.append(f"step {progress.step}/{progress.steps}")
    if progress.batches > 1:
        parts.append(f"batch {min(progress.batch + 1, progress.batches)}/{progress.batches}")
    parts.append(f"{progress.fraction:.0%}")
    if eta is not None:
        parts.append(f"{clock(eta)} left")
    return " · ".join(parts)


def progress_bar(progress: Progress, eta: float | None) -> str:
    """The bar with its line of text."""
    share = f"{100 * progress.fraction:.1f}%"
    text = html.escape(progress_text(progress, eta))
    return (
        f'<div class="bar" role="progressbar" aria-valuenow="{100 * progress.fraction:.0f}">'
        f'<div class="done" style="width:{share}"></div><span>{text}</span></div>'
    )


def share_bar(fraction: float, text: str) -> str:
    """The bar of an action, with its own words."""
    share = f"{100 * fraction:.1f}%"
    return (
        f'<div class="bar" role="progressbar" aria-valuenow="{100 * fraction:.0f}">'
        f'<div class="done" style="width:{share}"></div><span>{html.escape(text or share)}</span></div>'
    )


def queued_bar(position: int) -> str:
    """The bar of a job that waits behind others."""
    behind = f", {position} before it" if position > 0 else ""
    return f'<div class="bar"><span>Queued{behind}</span></div>'


def preview(jpeg: bytes | None) -> str:
    """The preview as an image inside the HTML, so that no file is written for it."""
    if not jpeg:
        return ""
    return f'<img class="preview" alt="Live preview" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'


def message(kind: str, text: str) -> str:
    """One box: `kind` is `error`, `notice` or `done`."""
    return f'<div class="message {html.escape(kind)}">{html.escape(text)}</div>'


def notices(entries: Sequence[Notice]) -> str:
    """Each notice with its source."""
    return "".join(message("notice", f"{entry.source}: {entry.text}") for entry in entries)

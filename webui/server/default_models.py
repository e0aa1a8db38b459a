"""Which checkpoint and which VAE a program begins with where nobody has chosen one yet."""

import contextlib
import logging

from webui.domain.errors import UnknownModelError, UnusableFileError
from webui.domain.settings import Settings
from webui.engine.engine import Engine
from webui.library.library import AUTOMATIC

LOOKED_AT = 20  # jobs among which the checkpoint that was used last is looked for

log = logging.getLogger(__name__)


def choose_defaults(engine: Engine, settings: Settings) -> None:
    """Choose checkpoint and VAE of the settings, where none was chosen yet; else the checkpoint that was used last.

    One that is not there stops no start.
    """
    starting, library = engine.starting_values(), engine.library
    for role, name, is_chosen, find in (
        ("checkpoint", settings.default_checkpoint, bool(starting.checkpoint), library.checkpoint),
        ("vae", settings.default_vae, starting.vae != AUTOMATIC, library.named_vae),
    ):
        if not name or is_chosen:
            continue
        try:
            find(name)
        except (UnknownModelError, UnusableFileError) as error:
            log.warning("setting default_%s: %s", role, error)
        else:
            engine.change_starting_values({role: name})
    if not engine.starting_values().checkpoint and (last := _last_used(engine)):
        engine.change_starting_values({"checkpoint": last})


def _last_used(engine: Engine) -> str:
    """The checkpoint of the newest job of an earlier run that used one which is still here; "" for none."""
    for record in engine.queue.ended(limit=LOOKED_AT):
        request = engine.request_of(record.id)
        with contextlib.suppress(UnknownModelError, UnusableFileError):
            if request is not None and request.checkpoint:
                return engine.library.checkpoint(request.checkpoint).name
    return ""

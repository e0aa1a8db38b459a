"""Runs the ASGI application in uvicorn: the socket, the signals, and an end that finishes the picture in work."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from webui.domain.errors import WebuiError
from webui.domain.settings import Settings
from webui.engine.engine import Engine
from webui.jobs.job import JobStatus
from webui.server.app import App, make
from webui.server.guard import is_loopback

BACKLOG = 2048
FINISHING = 30.0  # seconds that the picture in work gets after SIGTERM
GOODBYE = 3.0  # seconds that open answers get after that
INTERRUPTED = 130

log = logging.getLogger(__name__)


class StoppingServer(uvicorn.Server):
    """uvicorn with our way to stop: refuse new work, finish the picture, exit with 0; a second Ctrl+C ends at once."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app
        self._told = False
        app.stopping.connect(self._asked)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise a noted signal again at the end, which would make the exit code that of a killed process
        if self._told:
            if sig == signal.SIGINT:
                os._exit(INTERRUPTED)  # workers notice that their parent has gone
            return
        self._told = True
        # the thread does the rest: this code may interrupt whatever the main thread does, also while it holds a lock
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _asked(self, at_once: bool) -> None:
        """A client wants the end."""
        if at_once:
            self._app.closing.set()
            self.should_exit = True
        else:
            self.handle_exit(signal.SIGTERM, None)

    def _drain(self) -> None:
        self._app.closing.set()
        log.info("stopping; the picture in work is finished first (Ctrl+C again to stop at once)")
        finish_picture(self._app.engine, FINISHING)
        self.should_exit = True


def finish_picture(engine: Engine, patience: float) -> None:
    """Wait until each running job has made its picture, then end the job; later jobs stay in the queue."""
    made = {job: len(job.images) for job in engine.running()}
    end = time.monotonic() + patience
    for job, before in made.items():
        job.wait_for(partial(_has_made, before), end - time.monotonic())
        if job.state == "running":
            job.cancel()
    for job in made:
        job.wait_for(lambda now: now.state != "running", end - time.monotonic())


def _has_made(before: int, now: JobStatus[Any, Any]) -> bool:
    """Whether a job that had so many images has another one, or runs no more."""
    return now.state != "running" or len(now.images) != before


def listen(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        WebuiError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there, it would let two servers share the port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host.strip("[]"), port))
        bound.listen(BACKLOG)  # now, so that a second server is refused while this one still starts
    except OSError as error:
        bound.close()
        reason = error.strerror or "no such address"
        raise WebuiError(f"cannot listen on {host}, port {port}: {reason}; choose another with --port") from None
    return bound


def address(host: str, port: int) -> str:
    """The URL to open in a browser on this machine."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host.strip("[]")
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def run_server(settings: Settings) -> int:
    """Serve until a signal; returns the exit code."""
    bound = listen(settings.host, settings.port)
    port = bound.getsockname()[1]
    with bound, make(settings.model_copy(update={"port": port})) as app:
        config = uvicorn.Config(
            app.asgi,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the client's own word about its address would undo the brake on guessing
            timeout_graceful_shutdown=int(GOODBYE),
            timeout_keep_alive=30,
            lifespan="on",
        )
        server = StoppingServer(config, app)
        only = "" if is_loopback(settings.host) else " (and this machine's other addresses)"
        sys.stdout.write(f"Running on {address(settings.host, port)}{only}\n")
        sys.stdout.flush()
        server.run(sockets=[bound])
    return 0

"""Runs the ASGI application in uvicorn: the socket, the signals, and an end that finishes the picture in work."""

import logging
import os
import signal
import socket
import ssl
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from functools import partial
from types import FrameType, MappingProxyType
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
    """Wait until each running job has made its picture; no other is begun.

    A job whose pictures are saved goes on at the next start. Any other is ended, so that who waits for it gets what
    there is.
    """
    engine.rest()
    made = {job: len(job.images) for job in engine.running()}
    end = time.monotonic() + patience
    for job, before in made.items():
        job.wait_for(partial(_has_made, before), end - time.monotonic())
        if job.state == "running" and not job.save:
            job.cancel()
    for job in made:
        if not job.save:
            job.wait_for(lambda now: now.state != "running", end - time.monotonic())


def _has_made(before: int, now: JobStatus[Any, Any]) -> bool:
    """Whether a job that had so many images has another one, or runs no more."""
    return now.state != "running" or len(now.images) != before


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, whose connections send what they have at once.

    An answer leaves in two writes, its head and its body. The second would wait for the client's acknowledgement of
    the first (Nagle's algorithm, RFC 896), which clients hold back for 40 ms. asyncio turns that off, but only for
    sockets that are told to be TCP, and neither the default of `socket.socket` nor uvicorn's own sockets are.

    Raises:
        WebuiError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def address(host: str, port: int, *, tls: bool = False) -> str:
    """The URL to open in a browser on this machine."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host.strip("[]")
    scheme = "https" if tls else "http"
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def check_tls(settings: Settings) -> None:
    """Raises WebuiError, naming the setting, where key and certificate do not make a server that speaks https."""
    key, certificate = settings.tls_keyfile, settings.tls_certfile
    if certificate is None:
        if key is not None:
            raise WebuiError("tls_keyfile: a key alone is no https; give its certificate by --tls-certfile too")
        return
    for name, path in (("tls_certfile", certificate), ("tls_keyfile", key)):
        if path is not None and not path.is_file():
            raise WebuiError(f"{name}: there is no file {path}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl's own errors are OSErrors
        reason = getattr(error, "reason", None) or error
        raise WebuiError(f"tls_certfile: {certificate} and its key cannot be used ({reason})") from None


def _no_password() -> str:
    raise ValueError("the key has a password; only keys without one can be used")


def show_in_browser(url: str) -> None:
    """Open the page in this machine's browser, where it has a screen. Returns at once."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        log.info("open_browser: there is no screen here; open %s yourself", url)
        return  # a browser for terminals would take this one over

    def show() -> None:
        try:
            opened = webbrowser.open(url)
        except (OSError, webbrowser.Error):
            opened = False
        if not opened:
            log.info("open_browser: no browser was found; open %s yourself", url)

    threading.Thread(target=show, name="browser", daemon=True).start()


def run_server(settings: Settings, given: Mapping[str, str] = MappingProxyType({})) -> int:
    """Serve until a signal; returns the exit code.

    Args:
        given: the settings that a flag or a variable gives, each with its name.
    """
    check_tls(settings)
    bound = listen(settings.host, settings.port)
    port = bound.getsockname()[1]
    with bound, make(settings.model_copy(update={"port": port}), given) as app:
        config = uvicorn.Config(
            app.asgi,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the client's own word about its address would undo the brake on guessing
            timeout_graceful_shutdown=int(GOODBYE),
            timeout_keep_alive=settings.timeout_keep_alive,
            ssl_keyfile=settings.tls_keyfile,
            ssl_certfile=settings.tls_certfile,
            lifespan="on",
        )
        server = StoppingServer(config, app)
        only = "" if is_loopback(settings.host) else " (and this machine's other addresses)"
        url = address(settings.host, port, tls=settings.tls_certfile is not None) + settings.subpath
        sys.stdout.write(f"Running on {url}{only}\n")
        sys.stdout.flush()
        if settings.open_browser and settings.webui:
            show_in_browser(url)
        server.run(sockets=[bound])
    return 0

"""The server with a certificate: https from start to end, and what does not make one is a sentence."""

import os
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request
import webbrowser
from pathlib import Path

import pytest

from tests.narrowing import known
from webui.domain.errors import WebuiError
from webui.domain.settings import Settings
from webui.server import serving
from webui.server.app import policy_of
from webui.server.serving import check_tls

ROOT = Path(__file__).parents[1]
KEY, CERTIFICATE = ROOT / "tests" / "tls" / "key.pem", ROOT / "tests" / "tls" / "certificate.pem"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_server_with_a_certificate_speaks_https(tmp_path: Path) -> None:
    flags = [
        "--nowebui",
        "--port",
        "0",
        "--threads",
        "1",
        "--tls-keyfile",
        str(KEY),
        "--tls-certfile",
        str(CERTIFICATE),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "WEBUI_DATA_DIR": str(tmp_path / "data"),
        "COMMANDLINE_ARGS": "--subpath sd --xformers --autolaunch",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "webui", *flags], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        assert server.stderr is not None
        url = server.stdout.readline().split()[-1]
        assert url.startswith("https://127.0.0.1:")
        assert url.endswith("/sd")
        trusting = ssl.create_default_context(cafile=CERTIFICATE)
        for address in (f"{url}/health", url.removesuffix("/sd") + "/health"):
            with urllib.request.urlopen(address, timeout=20, context=trusting) as answer:
                assert answer.status == 200
        with pytest.raises(OSError, match=r"reset|closed|disconnect|BadStatusLine|timed out"):
            urllib.request.urlopen(url.replace("https", "http"), timeout=5)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        assert "without effect here: --xformers" in server.stderr.read()
    finally:
        server.kill()
        server.wait()
        known(server.stdout).close()
        known(server.stderr).close()


def test_what_does_not_make_a_server_with_tls_is_a_sentence(tmp_path: Path) -> None:
    check_tls(Settings())
    check_tls(Settings(tls_keyfile=KEY, tls_certfile=CERTIFICATE))
    both = tmp_path / "both.pem"
    both.write_bytes(KEY.read_bytes() + CERTIFICATE.read_bytes())
    check_tls(Settings(tls_certfile=both))
    with pytest.raises(WebuiError, match=r"tls_keyfile: .* --tls-certfile"):
        check_tls(Settings(tls_keyfile=KEY))
    with pytest.raises(WebuiError, match=r"tls_certfile: there is no file .*nowhere"):
        check_tls(Settings(tls_certfile=tmp_path / "nowhere", tls_keyfile=KEY))
    with pytest.raises(WebuiError, match=r"tls_keyfile: there is no file"):
        check_tls(Settings(tls_certfile=CERTIFICATE, tls_keyfile=tmp_path))
    (tmp_path / "bad.pem").write_text("no certificate")
    for pair in ((tmp_path / "bad.pem", KEY), (CERTIFICATE, tmp_path / "bad.pem"), (CERTIFICATE, None)):
        with pytest.raises(WebuiError, match=r"tls_certfile: .* and its key cannot be used"):
            check_tls(Settings(tls_certfile=pair[0], tls_keyfile=pair[1]))


def test_the_usual_port_is_that_of_the_scheme() -> None:
    assert policy_of(Settings()).usual_port == 80
    assert policy_of(Settings(tls_certfile=CERTIFICATE)).usual_port == 443
    assert serving.address("::", 443, tls=True) == "https://127.0.0.1:443"
    assert serving.address("::1", 443, tls=True) == "https://[::1]:443"


@pytest.mark.parametrize(
    ("screen", "answer", "opened"), [("", True, []), (":0", True, ["http://x"]), (":0", False, ["http://x"])]
)
def test_the_browser_is_opened_where_there_is_a_screen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, screen: str, answer: bool, opened: list[str]
) -> None:
    shown: list[str] = []

    def look(url: str) -> bool:
        shown.append(url)
        return answer

    class Now(threading.Thread):
        def start(self) -> None:
            self.run()

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(webbrowser, "open", look)
    monkeypatch.setattr(threading, "Thread", Now)
    with caplog.at_level("INFO"):
        serving.show_in_browser("http://x")
    assert shown == opened
    assert ("yourself" in caplog.text) == (not opened or not answer)

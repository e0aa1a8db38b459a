"""The page says of a setting by which flag or variable of this start it is given."""

from pathlib import Path

import pytest

from webui.commands.arguments import parse, parser
from webui.commands.given_settings import NAMES, given_settings


@pytest.mark.parametrize(
    ("arguments", "variables", "given"),
    [
        ([], {}, {}),
        (["--port", "8000", "--api"], {}, {"port": "--port", "api": "--api"}),
        (["--listen"], {}, {"host": "--listen"}),
        (["--nowebui"], {}, {"webui": "--nowebui", "api": "--nowebui"}),
        ([], {"WEBUI_PORT": "1", "WEBUI_NOTHING": "1", "PATH": "x"}, {"port": "WEBUI_PORT"}),
        (["--port", "2"], {"WEBUI_PORT": "1"}, {"port": "--port"}),
        (["--theme", "light"], {}, {"theme": "--theme"}),
        (["--autolaunch"], {}, {"open_browser": "--autolaunch"}),
        (["--allowed-host", "a"], {}, {"allowed_hosts": "--allowed-host"}),
    ],
)
def test_each_is_named(arguments: list[str], variables: dict[str, str], given: dict[str, str], tmp_path: Path) -> None:
    assert given_settings(parse(arguments, {}), variables) == given


def test_the_flags_that_are_called_otherwise_are_there() -> None:
    text = parser().format_help()
    assert [flag for flag in NAMES.values() if f"{flag} " not in text] == []

"""The marks that connect extensions to hooks, and the version of the hooks. Needs no torch."""

import pluggy

PROJECT = "webui"
HOOKS_VERSION = 1  # grows when a hook changes its meaning or goes; a new hook or a new argument does not change it

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

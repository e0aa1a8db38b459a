"""Page and API below a path of a site, as a proxy in front of the program puts them there.

Proxies either keep the path (`/sd/api` arrives as it is) or take it off (`/api` arrives). Both are answered. The guard
between the two layers sees paths without it, so that its rules hold either way.
"""

from webui.server.guard import Application, Receive, Scope, Send


def without(subpath: str, app: Application) -> Application:
    """An application that is called with the path behind `subpath` (`/sd`, or "" for none)."""
    if not subpath:
        return app

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path == subpath:
            # relative addresses of the page would be looked for beside it, not in it
            query = scope.get("query_string", b"")
            location = f"{subpath}/".encode() + (b"?" + query if query else b"")
            headers = [(b"location", location), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 307, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if path.startswith(f"{subpath}/"):
            raw = scope.get("raw_path")
            shorter = raw[len(subpath) :] if raw and raw.startswith(f"{subpath}/".encode()) else raw
            scope = {**scope, "path": path[len(subpath) :], "raw_path": shorter}
        await app(scope, receive, send)

    return called


def below(subpath: str, app: Application) -> Application:
    """An application that is told that it hangs at `subpath`, in ASGI's form: `path` begins with `root_path`."""
    if not subpath:
        return app

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            raw = scope.get("raw_path")
            scope = {
                **scope,
                "root_path": subpath,
                "path": subpath + scope["path"],
                "raw_path": subpath.encode() + raw if raw else raw,
            }
        await app(scope, receive, send)

    return called

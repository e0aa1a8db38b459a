"""A server of plots that a test drives: it answers the page's routes, and tells of cells as the event stream does."""

import io
import itertools
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from playwright.sync_api import Page, Route

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.engine.engine import Engine
from webui.experiments.axis_values import texts_of, values_of

ROUTES = "**/internal/page/{experiments,experiments/pace,plots,plots/**,cells/**}"
COLOURS = ((214, 90, 90), (90, 160, 214), (110, 190, 120), (200, 170, 80), (150, 110, 190))
AXES: tuple[dict[str, Any], ...] = (
    {"id": "cfg_scale", "label": "CFG Scale", "group": "Sampling", "kind": "number", "low": 1, "high": 30, "step": 0.5},
    {"id": "steps", "label": "Steps", "group": "Sampling", "kind": "number", "low": 1, "high": 150, "step": 1},
    {"id": "seed", "label": "Seed", "group": "Sampling", "kind": "number", "low": -1, "high": 2**32, "step": 1},
    {
        "id": "sampler", "label": "Sampler", "group": "Sampling", "kind": "choice",
        "choices": ["DPM++ 2M", "Euler a", "UniPC", "DDIM"],
    },
    {"id": "prompt_sr", "label": "Prompt S/R", "group": "Prompt", "kind": "text"},
    {
        "id": "checkpoint", "label": "Checkpoint name", "group": "Models", "kind": "choice", "load": True,
        "choices": ["mini.safetensors", "sdxl/other.safetensors"],
    },
)  # fmt: skip
BOTH = ["txt2img", "img2img"]
SCRIPTS: tuple[dict[str, Any], ...] = (
    {"name": "x/y/z plot", "kind": "xyz", "modes": BOTH, "options": []},
    {
        "name": "prompt matrix", "kind": "matrix", "modes": BOTH, "options": [
            {"name": "put_at_start", "label": "Put variable parts at start of prompt", "kind": "flag", "value": False},
            {
                "name": "prompt_type", "label": "Select prompt", "kind": "choice", "value": "positive",
                "choices": ["positive", "negative"],
            },
        ],
    },
    {
        "name": "prompts from file or textbox", "kind": "lines", "modes": BOTH, "options": [
            {"name": "checkbox_iterate", "label": "Iterate seed every line", "kind": "flag", "value": False},
            {"name": "prompt_txt", "label": "List of prompt inputs", "kind": "text", "value": ""},
        ],
    },
    {
        "name": "loopback", "kind": "loopback", "modes": ["img2img"], "options": [
            {"name": "loops", "label": "Loops", "kind": "number", "value": 4, "low": 1, "high": 32, "step": 1},
        ],
    },
    {"name": "sd upscale", "kind": "tiles", "modes": ["img2img"], "options": []},
)  # fmt: skip


def painted(number: int, side: int = 96) -> bytes:
    buffer = io.BytesIO()
    red, green, blue = COLOURS[number % len(COLOURS)]
    Image.new("RGB", (side, side), (red, green, (blue + 40 * number) % 256)).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class PlotsStandIn:
    """The routes of one page.

    Attributes:
        sent: plans that Generate sent.
        asked: paths and bodies of what else was asked, without pictures.
        plots: by id.
        refusal: what the next plan is refused with.
    """

    page: Page | None = None
    sent: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    plots: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusal: BadRequestError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, engine: Engine, plan: str, request: GenerationRequest, *, save: bool, owner: str) -> str:
        """In the place of `webui.ui.create.plan_start.start_plan`."""
        if self.refusal is not None:
            raise self.refusal
        told = json.loads(plan)
        with self._lock:
            self.sent.append(told)
            if "axes" in told:
                self._made(f"plot{len(self.sent)}", told, request.prompt)
        return f"job{len(self.sent)}"

    def _made(self, plot_id: str, plan: dict[str, Any], title: str) -> None:
        known = {axis["id"]: axis for axis in AXES}
        axes = []
        for one in plan["axes"]:
            about = known[one["id"]]
            kind = "text" if about["kind"] != "number" else "int" if float(about["step"]).is_integer() else "float"
            texts = texts_of(one["values"]) if isinstance(one["values"], str) else tuple(one["values"])
            values = [str(value).removesuffix(".0") for value in values_of(kind, texts)]  # type: ignore[arg-type]
            axes.append({"label": about["label"], "values": values})
        self.plots[plot_id] = {
            "id": plot_id, "title": title, "plan": plan, "axes": axes, "cells": [], "sheets": [],
            "job": plot_id.replace("plot", "job"),
        }  # fmt: skip
        self._fill(plot_id)

    def _fill(self, plot_id: str) -> None:
        """Empty cells where there are none yet."""
        plot = self.plots[plot_id]
        known = {tuple(cell["at"]) for cell in plot["cells"]}
        sides = [range(len(axis["values"])) for axis in plot["axes"]]
        for at in itertools.product(*reversed(sides)):
            place = (*reversed(at), 0, 0)[:3]
            if place not in known:
                plot["cells"].append({"at": [*place], "state": "empty", "picture": None, "infotext": "", "error": ""})

    def attach(self, page: Page) -> None:
        """Answer this page from now on."""
        self.page = page
        page.route(ROUTES, self._answer)

    def _answer(self, route: Route) -> None:
        path = route.request.url.partition("internal/page/")[2]
        body = json.loads(route.request.post_data) if route.request.post_data else None
        if path.startswith("cells/"):
            route.fulfill(body=painted(int(path.rpartition("/")[2])), content_type="image/png")
            return
        self.asked.append((path, body))
        parts = path.split("/")
        if path == "experiments":
            route.fulfill(json={"scripts": SCRIPTS, "axes": AXES})
        elif path == "experiments/pace":
            route.fulfill(json={"seconds_per_step_megapixel": {"mini.safetensors": 2.0}})
        elif path == "plots":
            rows = [
                {"id": one["id"], "title": one["title"], "kind": "xyz", "made": "2026-11-28T10:00:00Z",
                 "sizes": [len(axis["values"]) for axis in one["axes"]], "state": "done", "count": len(one["cells"]),
                 "done": sum(cell["state"] == "there" for cell in one["cells"])}
                for one in self.plots.values()
            ]  # fmt: skip
            route.fulfill(json=rows)
        elif parts[1] not in self.plots:
            route.fulfill(status=404, json={"detail": "there is no such plot"})
        elif body is not None and parts[2:] == ["extend"]:
            self.plots[parts[1]]["axes"][body["axis"]]["values"] += body["values"]
            self._fill(parts[1])
            route.fulfill(json={"job": self.plots[parts[1]]["job"]})
        elif parts[2:] == ["go_on"]:
            route.fulfill(json={"job": self.plots[parts[1]]["job"]})
        elif parts[2:3] and parts[2].startswith("export."):
            route.fulfill(body=b"x", headers={"Content-Disposition": f'attachment; filename="sheet.{parts[2][7:]}"'})
        else:
            route.fulfill(json=self.plots[parts[1]])

    # ---- what the event stream says

    def say(self, name: str, data: dict[str, Any]) -> None:
        assert self.page is not None
        script = """async ([name, data]) => {
          const { take } = await import(`${window.webui.base}internal/page/static/${window.webui.version}/stream.js`);
          take(name, data);
        }"""
        self.page.evaluate(script, [name, data])

    def run(self, plot_id: str, state: str = "running") -> None:
        """Tell of the job of a plot."""
        plot = self.plots[plot_id]
        row = {
            "id": plot["job"], "kind": "experiment", "title": plot["title"], "facts": "", "state": state, "mine": True,
            "position": None, "reason": "", "pictures": 0, "expected": len(plot["cells"]), "thumb": None,
            "created": 1.0, "forever": False, "notices": [], "plot": plot_id,
        }  # fmt: skip
        self.say("job", row)

    def cell(
        self, plot_id: str, at: list[int], state: str = "there", error: str = "", *, tells_text: bool = True
    ) -> None:
        """Something became of a cell; the program itself tells its text only to who asks for the plot."""
        plot = self.plots[plot_id]
        number = next(index for index, one in enumerate(plot["cells"]) if one["at"] == at)
        there = state == "there"
        address = f"internal/page/cells/{number}" if there else None
        told = {
            "at": at, "state": state, "picture": address, "thumb": address, "error": error,
            "infotext": f"a cell\nSteps: 5, CFG scale: {4 + at[0]}, Seed: {number}, Size: 64x64" if there else "",
        }  # fmt: skip
        plot["cells"][number].update(told)
        told["infotext"] = told["infotext"] if tells_text else ""
        self.say("cell", {**told, "job": plot["job"], "plot": plot_id})

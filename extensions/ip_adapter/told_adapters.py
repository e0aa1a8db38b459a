"""How units are told in infotexts, and how others' requests ask for them. It needs no torch."""

from collections.abc import Mapping, Sequence
from typing import Any

from webui.extension_api import Dialect, Item, Word

from .options import AdapterUnit

NAME = "ip_adapter"
HANDING = "controlnet"  # the extension whose units may be pictures as prompts
_MODULES = ("ip-adapter", "instant_id_face_embedding")


def is_handed(extensions: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a request has units of ControlNet that this extension makes."""
    units = extensions.get(HANDING, {}).get("units", ())
    return isinstance(units, list | tuple) and any(
        isinstance(unit, Mapping) and str(unit.get("module")).startswith(_MODULES) for unit in units
    )


def fields_of(units: Sequence[AdapterUnit]) -> dict[str, str]:
    """Infotext fields `IP-Adapter 0`, ... in the form of ControlNet's."""
    return {f"IP-Adapter {number}": _described(unit) for number, unit in enumerate(units) if not unit.told_by}


def _described(unit: AdapterUnit) -> str:
    values: dict[str, object] = {"Model": unit.model, "Weight": unit.weight, "Weight Type": unit.weight_type}
    values |= {"Guidance Start": unit.start, "Guidance End": unit.end}
    plain = AdapterUnit()
    more = {"Composition Weight": "composition_weight", "Fit": "fit", "Combine": "combine", "Encoder": "encoder"}
    more |= {"Hr Option": "passes", "Scaling": "embeds_scaling"}
    values |= {name: getattr(unit, key) for name, key in more.items() if getattr(unit, key) != getattr(plain, key)}
    if any(mark in str(value) for value in values.values() for mark in ",:"):
        return ""
    return ", ".join(f"{name}: {value}" for name, value in values.items())


def dialect_of_adapters() -> Dialect:
    """A unit is restored without its picture, which no text can hold."""
    return Dialect(
        infotext=(
            Word(
                name="IP-Adapter #",
                asks=True,
                option="units",
                always={"enabled": True},
                reminder="the unit is restored, but not its picture; choose one, or switch the unit off",
                items=(
                    Item(name="Model", options=("model",)),
                    Item(name="Weight", options=("weight",), codec="number"),
                    Item(name="Weight Type", options=("weight_type",)),
                    Item(name="Composition Weight", options=("composition_weight",), codec="number"),
                    Item(name="Guidance Start", options=("start",), codec="number"),
                    Item(name="Guidance End", options=("end",), codec="number"),
                    Item(name="Fit", options=("fit",)),
                    Item(name="Combine", options=("combine",)),
                    Item(name="Encoder", options=("encoder",)),
                    Item(name="Hr Option", options=("passes",)),
                    Item(name="Scaling", options=("embeds_scaling",)),
                ),
            ),
        )
    )

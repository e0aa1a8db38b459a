"""The keys `ControlNet 0`, ... of infotexts as units: the items of A1111's extension, and of its older releases."""

from webui.extension_api import Dialect, Item, Word

from .options import NO_MODEL


def dialect_of_units() -> Dialect:
    """A unit is restored without its picture, which no text can hold."""
    return Dialect(
        infotext=(
            Word(
                name="ControlNet #",
                asks=True,
                option="units",
                always={"enabled": True},
                reminder="the unit is restored, but not its picture; choose one, or switch the unit off",
                items=(
                    Item(name="Module", options=("module",)),
                    Item(name="preprocessor", options=("module",)),
                    Item(name="Model", options=("model",), none=NO_MODEL),
                    Item(name="Weight", options=("weight",), codec="number"),
                    Item(name="Resize Mode", options=("resize_mode",)),
                    Item(name="Processor Res", options=("processor_res",), codec="number"),
                    Item(name="Threshold A", options=("threshold_a",), codec="number"),
                    Item(name="Threshold B", options=("threshold_b",), codec="number"),
                    Item(
                        name="preprocessor params",
                        options=("processor_res", "threshold_a", "threshold_b"),
                        codec="number",
                    ),
                    Item(name="Guidance Start", options=("guidance_start",), codec="number"),
                    Item(name="Guidance End", options=("guidance_end",), codec="number"),
                    Item(name="starting/ending", options=("guidance_start", "guidance_end"), codec="number"),
                    Item(name="Pixel Perfect", options=("pixel_perfect",), codec="boolean"),
                    Item(name="Control Mode", options=("control_mode",)),
                    Item(name="Hr Option", options=("hr_option",)),
                ),
            ),
        )
    )

"""What axe-core finds wrong on an open page. Its file and licence (MPL-2.0) are in `tests/data/axe`."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.narrowing import untyped

AXE = Path(__file__).parents[1] / "data" / "axe" / "axe.min.js"
GRAVE = ("serious", "critical")
OF_COLOURS = ("color-contrast", "link-in-text-block")  # the rules whose outcome another theme can change

STILL = """() => Promise.all(document.getAnimations()
  .filter((one) => one.playState === "running" && one.effect.getComputedTiming().endTime !== Infinity)
  .map((one) => one.finished.catch(() => null)))"""

# What a rule finds has the rule's own weight, so the rules of other weights need not be run.
FOUND = """async ([within, impacts, options]) => {
  const counts = (rule) => impacts.includes(rule.impact) && axe.utils.ruleShouldRun(rule, { page: true }, {});
  options.runOnly ??= axe._audit.rules.filter(counts).map((rule) => rule.id);
  return (await axe.run(within || document, options)).violations;
}"""


def axe_in_both_themes(page: Page, within: str) -> list[str]:
    """What is found in a part of the dark page, and what the colours of the light one make wrong; it is dark then.

    Args:
        within: a selector of the part that is looked at.
    """
    page.evaluate("webui.setTheme('dark')")
    found = axe(page, within)
    page.evaluate("webui.setTheme('light')")
    found += axe(page, within, rules=OF_COLOURS)
    page.evaluate("webui.setTheme('dark')")
    return found


def axe(
    page: Page,
    within: str = "",
    impacts: tuple[str, ...] = GRAVE,
    *,
    rules: tuple[str, ...] = (),
) -> list[str]:
    """One line for each finding: rule, weight, and the elements that it is about. What fades in has its colours then.

    Args:
        within: a selector of the part that is looked at; the whole page otherwise.
        impacts: the weights that count (minor, moderate, serious, critical).
        rules: those that are looked for; all that are usual otherwise.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    page.evaluate(STILL)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options |= {"runOnly": list(rules), "preload": False}  # what is loaded before is for other rules
    found: list[dict[str, Any]] = untyped(page.evaluate(FOUND, [within, impacts, options]))
    return [
        f"{one['id']} ({one['impact']}): " + " | ".join(" ".join(map(str, node["target"])) for node in one["nodes"])
        for one in found
        if one["impact"] in impacts
    ]

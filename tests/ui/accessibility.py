"""What axe-core finds wrong on an open page. Its file and licence (MPL-2.0) are in `tests/data/axe`."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.narrowing import untyped

AXE = Path(__file__).parents[1] / "data" / "axe" / "axe.min.js"
GRAVE = ("serious", "critical")
# What a rule finds has the rule's own weight, so the rules of other weights need not be run.
RUN = """async ([within, impacts]) => {
  const counts = (rule) => impacts.includes(rule.impact) && axe.utils.ruleShouldRun(rule, { page: true }, {});
  const values = axe._audit.rules.filter(counts).map((rule) => rule.id);
  const options = { resultTypes: ["violations"], runOnly: { type: "rule", values } };
  return (await axe.run(within || document, options)).violations;
}"""


def axe(page: Page, within: str = "", impacts: tuple[str, ...] = GRAVE) -> list[str]:
    """One line for each finding: rule, weight, and the elements that it is about.

    Args:
        within: a selector of the part that is looked at; the whole page otherwise.
        impacts: the weights that count (minor, moderate, serious, critical).
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = untyped(page.evaluate(RUN, [within, impacts]))
    return [
        f"{one['id']} ({one['impact']}): " + " | ".join(" ".join(map(str, node["target"])) for node in one["nodes"])
        for one in found
        if one["impact"] in impacts
    ]

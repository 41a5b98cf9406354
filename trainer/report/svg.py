"""SVG of matplotlib made fit to stand inside an HTML page: small, without names of its own, in the page's colours."""

from __future__ import annotations

import re

from trainer.report.colours import STAND_INS, variables

PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
ATTRIBUTES = re.compile(r' xmlns(:\w+)?="[^"]*"| version="1.1"')
IDENTIFIER = re.compile(r' id="([^"]+)"')
USED = re.compile(r'(?:url\(#|href="#)([^")]+)')
SIZE = re.compile(r'<svg width="[^"]*" height="[^"]*"')


def inline_svg(text: str, name: str, label: str) -> str:
    """Returns an SVG to stand inside HTML.

    Args:
        text: SVG file as matplotlib writes it, with the colours ``STAND_INS``.
        name: Prefix of the identifiers, which have to differ from those of the other pictures on the page.
        label: Description for those who do not see it, escaped for an attribute.

    Example:
        >>> file = '<?xml ?><svg width="1pt" height="1pt" xmlns="u"><g id="a" style="fill: #010100"/></svg>'
        >>> inline_svg(file, "p", "x")
        '<svg role="img" aria-label="x"><g style="fill: var(--ink)"/></svg>'
    """
    text = METADATA.sub("", PROLOGUE.sub("", text))
    text = ATTRIBUTES.sub("", text).replace("xlink:href", "href")
    used = set(USED.findall(text))
    text = IDENTIFIER.sub(lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", text)
    text = USED.sub(lambda match: match[0].replace(f"#{match[1]}", f"#{name}-{match[1]}"), text)
    for variable, colour in variables(STAND_INS).items():
        text = text.replace(colour, f"var({variable})")
    return SIZE.sub(f'<svg role="img" aria-label="{label}"', text, count=1).strip()

"""Pages in headless Chromium: their sizes, and pictures of them.

``python -m tests.browser FILE.html FOLDER`` makes pictures of a page in light and dark, wide and narrow.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from html import escape, unescape
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium")
HOW_TO_INSTALL = "chromium is not installed; apt-get install -y chromium"

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--allow-file-access-from-files", "--virtual-time-budget=3000", "--disable-extensions"),
)
WIDTHS = (1600, 400)

# A window of 400 pixels is not to be had everywhere, and the page allows no scripts: so it stands in a frame.
FRAME = """<!DOCTYPE html><meta charset="utf-8">
<style>body {{ margin: 0 }} iframe {{ border: 0; display: block }}</style>
<iframe id="page" src="{address}" width="{width}" height="{height}"></iframe><pre id="found"></pre><script>
document.getElementById("page").addEventListener("load", event => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const inside = [...page.querySelectorAll("body *")].filter(each => !each.closest(".scroll, pre, svg"));
  const wide = inside.filter(each => each.getBoundingClientRect().right > root.clientWidth + 1);
  const tables = [...page.querySelectorAll(".scroll")].filter(each => each.scrollWidth > each.clientWidth);
  document.getElementById("found").textContent = JSON.stringify({{
    scroll: root.scrollWidth, client: root.clientWidth, height: root.scrollHeight,
    wide: wide.map(each => each.tagName + " " + each.className + " " + each.textContent.trim().slice(0, 40)),
    tables: tables.map(each => each.closest("section").id),
    images: [...page.images].every(each => each.complete && each.naturalWidth > 0),
    ground: page.defaultView.getComputedStyle(page.body).backgroundColor,
  }});
}});
</script>"""


def _chromium(arguments: list[str], page: str, dark: bool) -> str:
    assert BROWSER, HOW_TO_INSTALL
    with tempfile.TemporaryDirectory() as folder:
        wrapper = Path(folder) / "frame.html"
        wrapper.write_text(page)
        look = ["--blink-settings=preferredColorScheme=0"] if dark else []
        command = [BROWSER, *FLAGS, *look, f"--user-data-dir={folder}/profile", *arguments, wrapper.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def sizes_of(page: Path, width: int, *, dark: bool = False) -> dict[str, Any]:
    """Returns the sizes of a page in a window of a width, and what stands out of it."""
    frame = FRAME.format(address=escape(page.resolve().as_uri()), width=width, height=1000)
    printed = _chromium(["--window-size=1700,1000", "--dump-dom"], frame, dark)
    match = re.search(r'<pre id="found">(.*?)</pre>', printed, re.DOTALL)
    assert match, printed
    return json.loads(unescape(match[1]))


def screenshot(page: Path, picture: Path, width: int, *, dark: bool = False) -> None:
    """Makes a picture of a whole page."""
    height = min(sizes_of(page, width)["height"], 12_000)
    frame = FRAME.format(address=escape(page.resolve().as_uri()), width=width, height=height)
    _chromium([f"--window-size={max(width, 500)},{height}", f"--screenshot={picture}"], frame, dark)


def main() -> None:
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        for dark in (False, True):
            picture = folder / f"{page.stem}-{width}-{'dark' if dark else 'light'}.png"
            screenshot(page, picture, width, dark=dark)
            sys.stdout.write(f"{picture} {sizes_of(page, width, dark=dark)}\n")


if __name__ == "__main__":
    main()

"""The shell of the report: one HTML file that opens without a network, and its small parts.

plotly.js travels gzipped inside the page (2 MB instead of 4.8) and is unpacked by the browser itself. The
page's own content security policy forbids every request: "offline" is enforced, not only intended.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from diurnal_cli.palette import DARK, LIGHT, as_css

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


def page(title: str, body: str, figures: dict[str, Any]) -> str:
    """A whole page; `figures` maps the ids of the page's plots to plotly figures."""
    style = f":root{{{as_css(LIGHT)}}}@media (prefers-color-scheme: dark){{:root{{{as_css(DARK)}}}}}"
    data = {"palettes": {"light": LIGHT, "dark": DARK}, "figures": figures}
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{style}
{_resource("report.css")}@media print{{:root{{{as_css(LIGHT)}}}}}</style>
</head>
<body>
{body}
<script type="application/json" id="figures">{embedded_json(data)}</script>
<script type="text/plain" id="library">{_library()}</script>
<script>{_resource("report.js")}</script>
</body>
</html>
"""


def embedded_json(value: Any) -> str:
    """JSON that no text in it can end early: `<` is written as an escape."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )


def section(title: str, *parts: str) -> str:
    """A section under its own heading; parts are HTML."""
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def figure(plot: str, alternative: str, caption: str, table: str) -> str:
    """The place of a plot: what it shows in words, a caption (HTML), and the same numbers as a table."""
    return (
        f'<figure><div role="img" aria-label="{escape(alternative)}">'
        f'<div class="plot" id="{plot}" aria-hidden="true"></div></div>'
        f"<figcaption>{caption}</figcaption></figure>\n{table}"
    )


def table(summary: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of text behind a disclosure that the keyboard reaches; it scrolls when it is wide or long."""
    titles = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<details><summary>{escape(summary)}</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(summary)}">'
        f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div></details>"
    )


def paragraph(text: str, style: str = "") -> str:
    """Plain text as a paragraph."""
    return f'<p class="{style}">{escape(text)}</p>' if style else f"<p>{escape(text)}</p>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values as a description list."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{items}</dl>'


def headline(numbers: Iterable[tuple[str, str, str]]) -> str:
    """Large numbers: (name, number, note)."""
    items = "".join(
        f'<div><dt>{escape(name)}</dt><dd class="number">{escape(number)}</dd>'
        f'<dd class="note">{escape(note)}</dd></div>'
        for name, number, note in numbers
    )
    return f'<dl class="headline">{items}</dl>'


def _resource(name: str) -> str:
    return files("diurnal_cli").joinpath(name).read_text(encoding="utf-8")


@cache
def _library() -> str:
    # Imported here because it is slow, and only a report needs it.
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)).decode("ascii")

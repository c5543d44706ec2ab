"""Makes docs/images/dashboard.png: the first query of docs/dashboards.md on the events of a week, drawn.

diurnal run manifests/examples/app-store.yaml --for 7d --set population.users=600 --sink files:week
python tools/dashboard_picture.py week docs/images/dashboard.png
"""

# ruff: noqa: INP001  (a script, not a package)

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import plotly.graph_objects as go
import sqlglot

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT = 1200, 520
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#7f7f7f", "#c9ced6")
"""Of Okabe and Ito, for all eyes; the last two are for what is less."""


def rows(events: Path) -> list[tuple[object, str, int]]:
    """Hour, country, events: what the page's query gives for the files below a folder."""
    page = (ROOT / "docs" / "dashboards.md").read_text("utf-8")
    [sql] = re.findall(r"## Events by hour and country\n.*?```sql\n(.*?)```", page, re.DOTALL)
    source = f"read_json('{events}/**/*.jsonl', format = 'newline_delimited')"
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        read = database.sql(f"FROM {source}")
        read.project("make_timestamptz(event_timestamp) AS event_timestamp, country_code").create_view(
            "events"
        )
        sql = sql.replace("PROJECT_ID.app_store.", "")
        return database.execute(sqlglot.transpile(sql, read="bigquery", write="duckdb")[0]).fetchall()


def drawn(found: list[tuple[object, str, int]]) -> go.Figure:
    """The busiest countries stacked, and all others as one."""
    totals: dict[str, int] = {}
    for _, country, events in found:
        totals[country] = totals.get(country, 0) + events
    first = sorted(totals, key=lambda country: -totals[country])[: len(COLOURS) - 1]
    hours = sorted({hour for hour, _, _ in found}, key=str)
    layers = {name: dict.fromkeys(hours, 0) for name in [*first, "others"]}
    for hour, country, events in found:
        layers[country if country in first else "others"][hour] += events
    figure = go.Figure()
    for colour, (name, counts) in zip(COLOURS, layers.items(), strict=True):
        figure.add_scatter(
            x=hours, y=list(counts.values()), name=name, stackgroup="all", fillcolor=colour,
            line={"width": 0.5, "color": "white"},
        )  # fmt: skip
    figure.update_layout(
        width=WIDTH, height=HEIGHT, template="plotly_white", font={"family": "sans-serif", "size": 14},
        title="Events by simulated hour and country", yaxis_title="events an hour",
        margin={"l": 70, "r": 20, "t": 60, "b": 40}, legend={"traceorder": "normal"},
    )  # fmt: skip
    return figure


def main() -> None:
    """See the module."""
    events, picture = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no chromium on the PATH, which draws the picture: apt-get install chromium")
    with tempfile.TemporaryDirectory() as work:
        page = Path(work) / "page.html"
        drawn(rows(events)).write_html(page, config={"staticPlot": True})
        subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={WIDTH},{HEIGHT}",
             f"--user-data-dir={work}/profile", "--virtual-time-budget=10000", f"--screenshot={picture}",
             page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()

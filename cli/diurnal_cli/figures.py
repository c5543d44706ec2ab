"""The report's figures as plotly.js figures: plain dictionaries of traces and layout.

Plain data, because plotly's own Python classes cost a second to import and add nothing to what the browser
draws; the tests hold every figure against plotly's schema. Colours are tokens of `diurnal_cli.palette`.
"""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diurnal_cli.amounts import moment, share
from diurnal_cli.palette import colour
from diurnal_cli.series import HOURS_A_DAY, Days, Rates

Figure = dict[str, Any]
_LONGEST_LABEL = 20
_MOST_MARKERS = 400
_LIMIT = 2.58
"""Standard deviations within which 99 % of a normal distribution lie."""
_GAP: Figure = {"ticks": "outside", "ticklen": 6, "tickcolor": colour("paper")}
"""Unseen ticks that keep labels off the bars."""
_FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"


def rate_figure(rates: Rates) -> Figure:
    """Expected rate as steps with its 99 % band, drawn rate as points; below, the deviations."""
    seconds = rates.seconds
    edges = [_time(edge) for edge in rates.edges]
    middles = [_time(edge) for edge in (rates.edges[:-1] + rates.edges[1:]) // 2]
    lines: Figure = {
        "mode": "lines",
        "line": {"width": 0, "shape": "hv"},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    band: Figure = {
        **lines,
        "name": "99\N{NO-BREAK SPACE}% of draws",
        "fill": "tonexty",
        "fillcolor": colour("band"),
        "showlegend": True,
    }
    traces = [
        {"x": edges, "y": _steps(rates.low / seconds), **lines},
        {"x": edges, "y": _steps(rates.high / seconds), **band},
        {
            "x": edges,
            "y": _steps(rates.expected / seconds),
            "name": "Expected",
            "mode": "lines",
            "line": {"width": 1.5, "shape": "hv", "color": colour("expected")},
            "hoverinfo": "skip",
        },
        _points(rates, middles),
        *_deviations(rates, middles),
    ]
    return {
        "data": [{"type": "scatter", **trace} for trace in traces],
        "layout": _rate_layout([edges[0], edges[-1]]),
    }


def _points(rates: Rates, middles: list[str]) -> Figure:
    return {
        "x": middles,
        "y": _numbers(rates.drawn / rates.seconds),
        "customdata": np.column_stack((rates.drawn, np.round(rates.expected, 1))).tolist(),
        "name": "Drawn",
        "mode": "markers",
        "marker": _marker(rates),
        "cliponaxis": False,
        "hovertemplate": "%{x|%a %d %b %Y %H:%M}<br>drawn %{customdata[0]:,} events"
        "<br>expected %{customdata[1]:,}<br>%{y:,.3~r} a second<extra></extra>",
    }


def _deviations(rates: Rates, middles: list[str]) -> list[Figure]:
    """Stems would drown a long run, so the lower panel has points too, between the lines of 99 %."""
    return [
        {
            "x": middles,
            "y": _numbers(rates.deviations),
            "yaxis": "y2",
            "mode": "markers",
            "marker": _marker(rates),
            "cliponaxis": False,
            "showlegend": False,
            "hovertemplate": "%{x|%a %d %b %Y %H:%M}<br>%{y:+.2f} standard deviations<extra></extra>",
        }
    ]


def _marker(rates: Rates) -> Figure:
    few = rates.drawn.size <= _MOST_MARKERS
    colours = [colour("outside") if outside else colour("drawn") for outside in rates.outside]
    return {"size": 6 if few else 3.5, "color": colours}


def _level(deviations: float) -> Figure:
    """A line across the lower panel."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "yref": "y2",
        "y0": deviations,
        "y1": deviations,
        "line": {"color": colour("muted"), "width": 1, "dash": "dot" if deviations else "solid"},
    }


def _rate_layout(span: list[str]) -> Figure:
    return _layout(
        height=460,
        xaxis=_axis(type="date", anchor="y2", showgrid=False, ticks="outside", range=span, fixedrange=False),
        yaxis=_axis(domain=[0.36, 1], rangemode="tozero", title=_title("events a second")),
        yaxis2=_axis(domain=[0, 0.24], title=_title("std. deviations"), showgrid=False, nticks=5),
        shapes=[_level(deviations) for deviations in (-_LIMIT, 0, _LIMIT)],
        legend=_legend(),
        margin={"l": 8, "r": 8, "t": 36, "b": 32},
    )


def day_figure(days: Days) -> Figure:
    """Country x UTC hour of day; each row relative to its own mean, rows in the order of their peaks."""
    rows = len(days.countries)
    heat = {
        "type": "heatmap",
        "x": list(range(HOURS_A_DAY)),
        "y": list(range(rows)),
        "z": [_numbers(row) for row in days.values],
        "text": [[_text(name)] * HOURS_A_DAY for name in days.countries],
        "zmin": 0,
        "colorscale": [[step / 4, colour(f"heat-{step}")] for step in range(5)],
        "colorbar": {
            "orientation": "h",
            "thickness": 8,
            "len": 0.6,
            "x": 0,
            "xanchor": "left",
            "y": 1.0,
            "yanchor": "bottom",
            "outlinewidth": 0,
            "xpad": 0,
            "ypad": 4,
            "nticks": 5,
            "tickfont": {"size": 11, "color": colour("muted")},
            "title": {**_small("times the country's own mean"), "side": "top"},
        },
        "xgap": 1,
        "ygap": 1,
        "hoverongaps": False,
        "hovertemplate": "%{text}, %{x}:00 to %{x}:59 UTC<br>%{z:.2f} times its mean<extra></extra>",
    }
    layout = _layout(
        height=110 + 17 * max(rows, 3),
        xaxis=_axis(
            range=[-0.5, 23.5],
            tickvals=[0, 6, 12, 18, 23],
            ticktext=["00", "06", "12", "18", "23"],
            title=_title("hour of the day, UTC"),
            showgrid=False,
        ),
        yaxis=_axis(
            range=[rows - 0.5, -0.5],
            tickvals=list(range(rows)),
            ticktext=[_label(name) for name in days.countries],
            showgrid=False,
            **_GAP,
        ),
        plot_bgcolor=colour("blank"),
        margin={"l": 8, "r": 8, "t": 46, "b": 44},
    )
    return {"data": [heat], "layout": layout}


def bar_figure(names: list[str], shares: list[float], expected: list[float] | None) -> Figure:
    """Shares of a whole (0 to 1) as bars, largest first; what was expected as a stroke across each bar."""
    rows = list(range(len(names)))
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "Drawn",
        "x": _numbers(np.array(shares)),
        "y": rows,
        "text": [f"  {share(value)}" for value in shares],
        "textposition": "outside",
        "cliponaxis": False,
        "width": 0.62,
        "marker": {"color": colour("bar"), "line": {"width": 0}},
        "customdata": [_text(name) for name in names],
        "hovertemplate": "%{customdata}<br>drawn %{x:.3%}<extra></extra>",
    }
    strokes = {
        "type": "scatter",
        "mode": "markers",
        "name": "Expected",
        "x": _numbers(np.array(expected or [])),
        "y": rows,
        "customdata": [_text(name) for name in names],
        "marker": {"symbol": "line-ns", "size": 16, "line": {"width": 2, "color": colour("expected")}},
        "hovertemplate": "%{customdata}<br>expected %{x:.3%}<extra></extra>",
    }
    largest = max([*shares, *(expected or []), 0.001])
    layout = _layout(
        height=(64 if expected else 32) + 30 * max(len(names), 1),
        xaxis=_axis(visible=False, range=[0, 1.22 * largest]),
        yaxis=_axis(
            range=[len(names) - 0.5, -0.5],
            tickvals=rows,
            ticktext=[_label(name) for name in names],
            showgrid=False,
            **_GAP,
        ),
        showlegend=bool(expected),
        legend=_legend(),
        margin={"l": 8, "r": 8, "t": 36 if expected else 4, "b": 4},
    )
    return {"data": [bars, strokes] if expected else [bars], "layout": layout}


def _layout(**parts: Any) -> Figure:
    """What all figures share: the page's type and colours, and none of plotly's own look."""
    return {
        "font": {"family": _FONT, "size": 12, "color": colour("ink")},
        "paper_bgcolor": colour("paper"),
        "plot_bgcolor": colour("paper"),
        "hoverlabel": {
            "bgcolor": colour("paper"),
            "bordercolor": colour("muted"),
            "font": {"family": _FONT, "size": 12, "color": colour("ink")},
            "align": "left",
        },
        "bargap": 0,
        "dragmode": False,
        **parts,
    }


def _axis(**parts: Any) -> Figure:
    return {
        "automargin": True,
        "fixedrange": True,
        "zeroline": False,
        "showline": False,
        "gridcolor": colour("rule"),
        "gridwidth": 1,
        "tickcolor": colour("rule"),
        "tickfont": {"size": 11, "color": colour("muted")},
        **parts,
    }


def _legend() -> Figure:
    return {
        "orientation": "h",
        "x": 0,
        "y": 1.02,
        "yanchor": "bottom",
        "itemclick": False,
        "itemdoubleclick": False,
        "font": {"size": 12, "color": colour("muted")},
    }


def _title(text: str) -> Figure:
    return {**_small(text), "standoff": 6}


def _small(text: str) -> Figure:
    return {"text": text, "font": {"size": 11, "color": colour("muted")}}


def _time(instant: np.int64) -> str:
    """plotly.js takes times without a zone as they stand: here UTC."""
    return moment(int(instant)).strftime("%Y-%m-%d %H:%M:%S.%f")


def _steps(values: NDArray[np.float64]) -> list[float | None]:
    """The value of each bin at its left edge, and the last one once more at the end."""
    return _numbers(np.append(values, values[-1:]))


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Six significant digits, which is more than a screen shows; NaN becomes null."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values.tolist()]


def _text(name: str) -> str:
    """plotly.js reads text as a little HTML, and `%{` as a template; names are neither."""
    return escape(name).replace("%{", "%&#123;")


def _label(name: str) -> str:
    return _text(name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1].rstrip() + "…")

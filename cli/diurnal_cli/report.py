"""The report of a run: one HTML file that opens offline and says what was drawn and how well it fits.

`diurnal run` calls `render` at its end, `diurnal report` calls it again; both write the string to a file.
Pure: the record and the time of making come in, a page goes out.
"""

from html import escape

import numpy as np

from diurnal_cli import amounts, page
from diurnal_cli.figures import Figure, bar_figure, day_figure, rate_figure
from diurnal_cli.fit import LEAST_EXPECTED, Fit, fit_counts, fit_shares
from diurnal_cli.record import RunRecord
from diurnal_cli.series import HOURS_A_DAY, Days, Rates, average_days, world_rates
from diurnal_cli.verdict import verdict

__all__ = ["RunRecord", "render"]

MOST_COUNTRIES = 40
MOST_BARS = 12
_MOST_ROWS = 400
_MOST = "99\N{NO-BREAK SPACE}%"


def render(record: RunRecord, made_at: str) -> str:
    """The page for `record`; `made_at` is printed as it is given."""
    drawn: dict[str, Figure] = {}
    sections = [
        _rate_section(record, drawn),
        _day_section(record, drawn),
        _fit_section(record),
        _mix_section(record, drawn),
        _countries_section(record, drawn),
        _next_section(record),
    ]
    body = (
        '<div class="page">\n<a class="skip" href="#content">Skip to the figures</a>\n'
        f'{_header(record, made_at)}\n<main id="content">\n<p id="trouble" role="status"></p>\n'
        "<noscript><p>The figures need JavaScript; the tables hold the same numbers.</p></noscript>\n"
        + "\n".join(sections)
        + "\n</main>\n</div>"
    )
    return page.page(f"{record.name} - Diurnal report", body, drawn)


def _header(record: RunRecord, made_at: str) -> str:
    return (
        f'<header><p class="kind">Diurnal, report of a run</p>\n<h1>{escape(record.name)}</h1>\n'
        f'<p class="span">{_span(record)}</p>\n'
        + page.headline(_headline(record))
        + page.facts(
            [
                ("Users simulated", amounts.count(record.users)),
                ("Seed", str(record.seed)),
                ("Engine", record.engine),
                ("Sink", record.sink),
                ("Made", made_at),
            ]
        )
        + "</header>"
    )


def _span(record: RunRecord) -> str:
    first, last = (
        f'<time datetime="{amounts.moment(edge):%Y-%m-%dT%H:%M:%SZ}">{amounts.instant(edge)}</time>'
        for edge in (record.start, record.end)
    )
    return f"{first} to {last}"


def _headline(record: RunRecord) -> list[tuple[str, str, str]]:
    simulated, wall = record.simulated_seconds, record.wall_seconds
    speed = f"{amounts.significant(simulated / wall)} times real time" if wall > 0 else ""
    a_second = f"{amounts.significant(record.messages / wall)} a second" if wall > 0 else ""
    each = f"{amounts.significant(record.bytes / record.messages)} B a message" if record.messages else ""
    sent = f"{amounts.count(record.messages)} messages" if record.messages != record.events else a_second
    return [
        ("Events", amounts.count(record.events), sent),
        ("Data", amounts.size(record.bytes), each),
        ("Cost", f"{record.usd} USD", "of publishing"),
        ("Simulated", amounts.duration(simulated), speed),
        ("Real time", amounts.duration(wall), ""),
    ]


def _rate_section(record: RunRecord, drawn: dict[str, Figure]) -> str:
    rates = world_rates(record)
    title = "The world over time"
    if rates.drawn.size == 0:
        return page.section(title, page.paragraph("The run covered no simulated time."))
    drawn["rate"] = rate_figure(rates)
    return page.section(
        title,
        page.figure("rate", _rate_words(rates), _rate_caption(rates), _rate_table(rates)),
    )


def _rate_words(rates: Rates) -> str:
    a_second = rates.expected / rates.seconds
    return (
        f"Events a second in the whole world, expected and drawn, in {rates.drawn.size} intervals. "
        f"The expected rate lies between {amounts.significant(float(a_second.min()))} and "
        f"{amounts.significant(float(a_second.max()))} a second. {_coverage(rates)}"
    )


def _coverage(rates: Rates) -> str:
    inside = rates.drawn.size - int(rates.outside.sum())
    return f"{amounts.count(inside)} of {amounts.count(rates.drawn.size)} lie inside."


def _rate_caption(rates: Rates) -> str:
    days = rates.hours_a_bin // HOURS_A_DAY
    each = "one hour" if not days else "one day" if days == 1 else f"the mean of {days} days"
    partial = ", or the part of it that the run covers" if rates.partial else ""
    return (
        f"Each point is {each}{partial}. The line is what the stated rates expect; the band holds {_MOST} of "
        f"all draws of a Poisson process. {_coverage(rates)} Below: the difference in standard deviations, "
        f"with dotted lines around {_MOST}. Times are UTC."
        ' <span class="pointer-only">Drag to zoom in, double-click to return.</span>'
    )


def _rate_table(rates: Rates) -> str:
    """A long run is thinned to its extremes: nobody reads 2,000 rows."""
    rows = np.arange(rates.drawn.size)
    summary = "The same as a table"
    if rows.size > _MOST_ROWS:
        largest = np.argsort(-np.abs(rates.deviations), kind="stable")[:_MOST_ROWS]
        rows, summary = np.sort(largest), f"The {_MOST_ROWS} intervals that deviate most, as a table"
    return page.table(
        summary,
        ["From (UTC)", "Expected", f"{_MOST} of draws", "Drawn", "Std. deviations"],
        (
            [
                f"{amounts.moment(int(rates.edges[row])):%Y-%m-%d %H:%M:%S}",
                f"{rates.expected[row]:,.1f}",
                f"{rates.low[row]:,.0f} to {rates.high[row]:,.0f}",
                amounts.count(int(rates.drawn[row])),
                f"{rates.deviations[row]:+.2f}",
            ]
            for row in rows
        ),
    )


def _day_section(record: RunRecord, drawn: dict[str, Figure]) -> str:
    days = average_days(record, MOST_COUNTRIES)
    title = "The day runs around the world"
    if not days.countries:
        return page.section(title, page.paragraph("No events were drawn."))
    if days.hours_covered < 2:
        return page.section(title, page.paragraph("A map of the day needs a run of two hours or more."))
    drawn["day"] = day_figure(days)
    return page.section(title, page.figure("day", _day_words(days), _day_caption(days), _day_table(days)))


def _day_words(days: Days) -> str:
    first, last = days.countries[0], days.countries[-1]
    if len(days.countries) == 1:
        return f"Heat map of {first} by UTC hour, with its peak around {_clock(days.peaks[0])}."
    return (
        f"Heat map of {len(days.countries)} countries by UTC hour. Rows are sorted by the hour of their "
        f"peak, from {first} around {_clock(days.peaks[0])} to {last} around {_clock(days.peaks[-1])}."
    )


def _day_caption(days: Days) -> str:
    number = len(days.countries)
    rows = (
        f"The {number} countries with most events, sorted by the hour around which their day lies. "
        if number > 1
        else ""
    )
    return f"{rows}A cell is the rate drawn in that hour over the mean of its country."


def _day_table(days: Days) -> str:
    return page.table(
        "The peaks as a table",
        ["Country", "Events", "Peak expected (UTC)", "Busiest hour drawn (UTC)"],
        (
            [name, amounts.count(int(events)), _clock(peak), f"{int(np.nanargmax(row)):02}:00"]
            for name, events, peak, row in zip(
                days.countries, days.drawn, days.peaks, days.values, strict=True
            )
        ),
    )


def _clock(hour: float) -> str:
    minutes = round(60 * float(hour)) % 1440
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _fit_section(record: RunRecord) -> str:
    fit = fit_counts(record.expected, record.drawn)
    return page.section(
        "Does the draw fit?",
        page.paragraph(verdict(fit), "verdict"),
        page.paragraph(_fit_numbers(fit), "muted") if fit else "",
        page.paragraph(
            "The test compares the events of every country and hour with the number that the stated rates "
            f"expect. Cells that expect fewer than {LEAST_EXPECTED:.0f} events are added together, smallest "
            f"first, until each sum expects at least {LEAST_EXPECTED:.0f}; the draw has no say in that. "
            "The expectations are not fitted to the draw, so every cell counts as one degree of freedom.",
            "muted",
        ),
    )


def _fit_numbers(fit: Fit) -> str:
    pooled = f"; {amounts.count(fit.pooled)} small cells are in the pools" if fit.pooled else ""
    return (
        f"Chi-square {fit.statistic:,.1f} on {amounts.count(fit.degrees_of_freedom)} degrees of freedom, "
        f"p = {_p_value(fit.p_value)}{pooled}."
    )


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}" if value > 0 else "0"


def _mix_section(record: RunRecord, drawn: dict[str, Figure]) -> str:
    return page.section(
        "The mix",
        '<div class="columns">',
        _mix("Events", "events", record.event_types, record.expected_event_types, drawn),
        _mix("Devices", "devices", record.device_types, {}, drawn),
        "</div>",
    )


def _mix(
    title: str, plot: str, counts: dict[str, int], weights: dict[str, float], drawn: dict[str, Figure]
) -> str:
    names = sorted(counts.keys() | weights.keys(), key=lambda name: (-counts.get(name, 0), name))
    total, whole = sum(counts.values()), sum(weights.values())
    if not names or total == 0:
        return f"<div><h3>{title}</h3><p>No events were drawn.</p></div>"
    shares = [counts.get(name, 0) / total for name in names]
    expected = [weights.get(name, 0.0) / whole for name in names] if whole > 0 else None
    drawn[plot] = bar_figure(names, shares, expected)
    fit = fit_shares(weights, counts) if expected else None
    caption = escape(f"{verdict(fit)} {_fit_numbers(fit)}") if fit else ""
    words = f"{title} by kind: " + ", ".join(
        f"{name} {amounts.share(part)}" for name, part in zip(names, shares, strict=True)
    )
    return (
        f"<div><h3>{title}</h3>{page.figure(plot, words, caption, _mix_table(names, counts, expected))}</div>"
    )


def _mix_table(names: list[str], counts: dict[str, int], expected: list[float] | None) -> str:
    total = sum(counts.values())
    rows = [
        [name, amounts.count(counts.get(name, 0)), f"{counts.get(name, 0) / total:.3%}"] for name in names
    ]
    if expected:
        rows = [[*row, f"{part:.3%}"] for row, part in zip(rows, expected, strict=True)]
    head = ["Kind", "Drawn", "Share", "Expected share"]
    return page.table("The same as a table", head if expected else head[:3], rows)


def _countries_section(record: RunRecord, drawn: dict[str, Figure]) -> str:
    totals, means = record.drawn.sum(axis=0), record.expected.sum(axis=0)
    order = np.argsort(-totals, kind="stable")
    title = "The largest countries"
    if record.events == 0:
        return page.section(title, page.paragraph("No events were drawn."))
    top = order[:MOST_BARS]
    names = [record.countries[index] for index in top]
    shares = [float(totals[index] / totals.sum()) for index in top]
    whole = float(means.sum())
    drawn["countries"] = bar_figure(
        names, shares, [float(means[index] / whole) for index in top] if whole else None
    )
    words = "Share of events by country: " + ", ".join(
        f"{name} {amounts.share(part)}" for name, part in zip(names, shares, strict=True)
    )
    caption = (
        f"{amounts.count(int((totals > 0).sum()))} of {amounts.count(totals.size)} countries have events."
    )
    return page.section(title, page.figure("countries", words, caption, _countries_table(record)))


def _countries_table(record: RunRecord) -> str:
    totals, means = record.drawn.sum(axis=0), record.expected.sum(axis=0)
    return page.table(
        "All countries as a table",
        ["Country", "Drawn", "Expected", "Std. deviations"],
        (
            [
                record.countries[index],
                amounts.count(int(totals[index])),
                f"{means[index]:,.1f}",
                f"{(totals[index] - means[index]) / means[index] ** 0.5:+.2f}" if means[index] > 0 else "",
            ]
            for index in np.argsort(-totals, kind="stable")
        ),
    )


def _next_section(record: RunRecord) -> str:
    if not record.next_command:
        return ""
    return page.section(
        "Go on from here",
        page.paragraph("The same command continues where this run stopped:"),
        f'<pre tabindex="0"><code>{escape(record.next_command)}</code></pre>',
    )

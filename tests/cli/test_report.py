"""The report as a page: whole, offline, escaped, and drawable, for runs of every size."""

import base64
import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest

from diurnal_cli.page import embedded_json
from diurnal_cli.palette import DARK, LIGHT
from diurnal_cli.record import HOUR
from diurnal_cli.report import RunRecord, render

NEW_YEAR = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z"""
WEIGHTS = {"app_open": 0.4, "search": 0.3, "app_install": 0.3}
HOSTILE = '</script><img src=x onerror=alert(1)> & "quotes" %{x} \N{SNOWMAN}'
VOID = {"meta", "link", "br", "img"}


def record_of(end: int, start: int = NEW_YEAR, countries: int = 50, rate: float = 30.0) -> RunRecord:
    """A run from `start` to `end` of countries around the globe."""
    hours = np.arange(start // HOUR, -(-end // HOUR), dtype=np.int64) * HOUR
    covered = (np.minimum(hours + HOUR, end) - np.maximum(hours, start)) / HOUR
    phases = (hours // HOUR % 24)[:, None] / 12 * np.pi - np.arange(countries) / countries * 2 * np.pi
    expected = rate * (1.05 + np.cos(phases)) * covered[:, None]
    random = np.random.default_rng(4)
    drawn = random.poisson(expected).astype(np.int64)
    events = int(drawn.sum())
    return RunRecord(
        name="app-store",
        seed=42,
        users=10_000,
        engine="1",
        start=start,
        end=end,
        hours=hours,
        countries=tuple(f"Country {index}" for index in range(countries)),
        expected=expected,
        drawn=drawn,
        event_types=dict(
            zip(WEIGHTS, random.multinomial(events, list(WEIGHTS.values())).tolist(), strict=True)
        ),
        expected_event_types=WEIGHTS,
        device_types=dict(
            zip(("phone", "tablet"), random.multinomial(events, [0.8, 0.2]).tolist(), strict=True)
        ),
        messages=events,
        bytes=352 * events,
        usd="0.0075",
        wall_seconds=41.3,
        sink="files:out",
        next_command="diurnal run app-store.yaml",
    )


DAY = record_of(NEW_YEAR + 24 * HOUR)
RUNS = {
    "a minute": record_of(NEW_YEAR + HOUR // 60),
    "a day": DAY,
    "a year": record_of(NEW_YEAR + 8_760 * HOUR, countries=20, rate=5.0),
    "no events": record_of(NEW_YEAR + 24 * HOUR, rate=0.0),
    "no time": record_of(NEW_YEAR),
    "no countries": record_of(NEW_YEAR + HOUR, countries=0),
    "one country": record_of(NEW_YEAR + 48 * HOUR, countries=1),
    "three hours, hardly an event": record_of(NEW_YEAR + 3 * HOUR, NEW_YEAR + HOUR // 2, rate=0.01),
    "no real time": replace(DAY, wall_seconds=0.0),
}


class Outline(HTMLParser):
    """What a page consists of; refuses tags that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def content_of(page: str, script: str) -> str:
    found = re.search(rf'<script type="[^"]+" id="{script}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return found[1]


def figures_of(page: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(content_of(page, "figures"))["figures"]
    return figures


def coloured(value: Any, palette: dict[str, str]) -> Any:
    """The figure as the page's script colours it."""
    if isinstance(value, dict):
        return {key: coloured(item, palette) for key, item in value.items()}
    if isinstance(value, list):
        return [coloured(item, palette) for item in value]
    token = re.fullmatch(r"var\(--(.+)\)", value) if isinstance(value, str) else None
    return palette[token[1]] if token else value


@pytest.fixture(params=RUNS)
def page(request: pytest.FixtureRequest) -> str:
    """The report of each run."""
    return render(RUNS[request.param], "2026-11-24 10:00 UTC")


def test_every_element_is_closed(page: str) -> None:
    assert Outline(page).elements[0] == ("html", {"lang": "en"})


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    for tag, attributes in Outline(page).elements:
        for name in ("src", "href", "srcset", "action", "data"):
            target = attributes.get(name) or "#"
            assert target.startswith(("#", "data:")), (tag, name, target)


def test_the_policy_of_the_page_forbids_every_request(page: str) -> None:
    policies = [
        attributes["content"]
        for tag, attributes in Outline(page).elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert "default-src 'none'" in str(policies[0])
    assert "http" not in str(policies[0])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_figure_is_one_that_plotly_knows(page: str, palette: dict[str, str]) -> None:
    for figure in figures_of(page).values():
        go.Figure(coloured(figure, palette))  # refuses unknown properties and values


def test_every_figure_has_its_place_its_words_and_its_table(page: str) -> None:
    outline = Outline(page)
    plots = [attributes["id"] for _, attributes in outline.elements if attributes.get("class") == "plot"]
    words = [
        attributes["aria-label"] for _, attributes in outline.elements if attributes.get("role") == "img"
    ]
    assert plots == list(figures_of(page))
    assert len(words) == len(plots)
    assert all(len(str(text)) > 30 for text in words)
    assert sum(tag == "table" for tag, _ in outline.elements) == len(plots)


def test_whatever_scrolls_can_be_reached_by_keyboard(page: str) -> None:
    for tag, attributes in Outline(page).elements:
        if tag == "pre" or attributes.get("class") == "scroll":
            assert attributes["tabindex"] == "0"


def test_ids_are_unique(page: str) -> None:
    ids = [attributes["id"] for _, attributes in Outline(page).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_headings_do_not_skip_a_level(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Outline(page).elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_no_number_is_shown_as_nan_or_infinite(page: str) -> None:
    assert re.search(r"\b(nan|inf|None)\b", Outline(page).text) is None


def test_a_page_stays_small_enough_to_mail(page: str) -> None:
    assert len(page.encode()) < 3_000_000


def test_plotly_is_inside_once_and_whole() -> None:
    packed = base64.b64decode(content_of(render(DAY, ""), "library"))
    assert b"plotly.js v" in gzip.decompress(packed)[:200]


def test_the_same_record_gives_the_same_page() -> None:
    assert render(DAY, "now") == render(DAY, "now")


def test_the_header_says_what_was_run() -> None:
    text = Outline(render(DAY, "2026-11-24 10:00 UTC")).text
    assert "2026-01-01 00:00:00 UTC to 2026-01-02 00:00:00 UTC" in text
    for name, value in {
        "Users simulated": "10,000",
        "Seed": "42",
        "Engine": "1",
        "Sink": "files:out",
        "Made": "2026-11-24 10:00 UTC",
        "Events": f"{DAY.events:,}",
        "Cost": "0.0075 USD",
        "Simulated": "1 d 2,092 times real time",
        "Real time": "41.3 s",
    }.items():
        assert f"{name} {value}" in text


def test_repeats_are_told_apart_from_events() -> None:
    repeated = replace(DAY, messages=DAY.events + 1_000)
    assert f"Events {DAY.events:,} {DAY.events + 1_000:,} messages" in Outline(render(repeated, "")).text


def test_a_draw_from_its_own_expectation_fits() -> None:
    text = Outline(render(DAY, "")).text
    assert "The draw fits: chance alone deviates at least as much" in text
    assert "Cells that expect fewer than 5 events are added together" in text


def test_a_draw_from_another_expectation_does_not_fit() -> None:
    wrong = replace(DAY, expected=np.roll(DAY.expected, 3, axis=0))
    assert "The draw does not fit" in Outline(render(wrong, "")).text


def test_a_point_outside_its_band_has_another_colour() -> None:
    drawn = DAY.drawn.copy()
    drawn[5] *= 2
    points = figures_of(render(replace(DAY, drawn=drawn), ""))["rate"]["data"][3]
    outside = [index for index, colour in enumerate(points["marker"]["color"]) if colour == "var(--outside)"]
    assert 5 in outside
    assert len(outside) < 3


def test_the_heat_map_shows_at_most_forty_countries() -> None:
    heat = figures_of(render(DAY, ""))["day"]["data"][0]
    assert (len(heat["z"]), len(heat["z"][0])) == (40, 24)


def test_a_run_within_one_hour_has_no_map_of_the_day() -> None:
    page = render(RUNS["a minute"], "")
    assert "day" not in figures_of(page)
    assert "A map of the day needs a run of two hours or more." in Outline(page).text


def test_names_of_users_are_text_and_nothing_else() -> None:
    hostile = replace(
        DAY,
        name=HOSTILE,
        countries=tuple(f"{HOSTILE} {index}" for index in range(50)),
        event_types={HOSTILE: DAY.events},
        expected_event_types={HOSTILE: 1.0},
        device_types={HOSTILE: DAY.events},
        engine=HOSTILE,
        sink=HOSTILE,
        usd=HOSTILE,
        next_command=HOSTILE,
    )
    page = render(hostile, HOSTILE)
    tags = [tag for tag, _ in Outline(page).elements]
    assert "img" not in tags
    assert tags.count("script") == 3
    assert "<img" not in page
    assert HOSTILE in Outline(page).text


def test_figures_read_names_as_text_too() -> None:
    """plotly.js takes text for a little HTML and `%{` for a template."""
    hostile = replace(DAY, countries=tuple(f"{HOSTILE} {index}" for index in range(50)))
    shown = figures_of(render(hostile, ""))
    for text in [*shown["countries"]["data"][0]["customdata"], *shown["day"]["layout"]["yaxis"]["ticktext"]]:
        assert "<" not in text
        assert "%{" not in text


def test_embedded_json_cannot_end_its_script() -> None:
    assert "<" not in embedded_json({"name": "</script><!--"})
    assert json.loads(embedded_json({"name": "</script><!--"})) == {"name": "</script><!--"}


def test_both_palettes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "muted", "drawn"])
def test_text_and_marks_stand_out_from_the_paper(palette: dict[str, str], name: str) -> None:
    """WCAG 2.2, contrast (minimum): 4.5 to 1."""
    lighter, darker = sorted((luminance(palette[name]), luminance(palette["paper"])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_heat_scale_is_read_by_lightness_alone(palette: dict[str, str]) -> None:
    steps = [luminance(palette[f"heat-{step}"]) for step in range(5)]
    assert steps in (sorted(steps), sorted(steps, reverse=True))


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` as WCAG 2.2 defines it."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

"""The two pictures of the result, as SVG: p-values against what chance gives, and cells against the bell."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from diurnal_fidelity.verdict import FAMILY, Judged

_WIDTH, _HEIGHT = 640, 360
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 40, 620, 310
_INK, _PALE, _BLUE, _RED = "#333333", "#bbbbbb", "#1f6fb4", "#b3362c"


def of_p_values(answers: Sequence[Judged]) -> str:
    """Sorted p-values over their ranks, both in powers of ten; a diagonal where chance alone decides."""
    ordered = sorted(max(answer.p, 1e-12) for answer in answers)
    ranks = [(rank + 0.5) / len(ordered) for rank in range(len(ordered))]
    most = 2 + math.ceil(-math.log10(FAMILY / len(ordered)))

    def x(rank: float) -> float:
        return _RIGHT + math.log10(rank) / math.log10(len(ordered) * 2) * (_RIGHT - _LEFT)

    def y(p: float) -> float:
        return _BOTTOM + math.log10(p) / most * (_BOTTOM - _TOP)

    bound = y(FAMILY / len(ordered))
    dots = [
        f'<circle cx="{x(r):.1f}" cy="{y(p):.1f}" r="2.2" fill="{_BLUE}"/>'
        for r, p in zip(ranks, ordered, strict=True)
    ]
    marks = [
        _text(_LEFT - 8, y(10.0**-power) + 4, f"10^-{power}" if power else "1", "end")
        for power in range(0, most, 2)
    ]
    return _svg(
        f"{len(ordered)} p-values of the engine, sorted",
        [
            _line(x(1.0), y(1.0), x(ranks[0]), y(ranks[0]), _PALE),
            _line(_LEFT, bound, _RIGHT, bound, _RED),
            _text(_LEFT + 6, bound - 6, "beyond this line the family is rejected", "start", _RED),
            *marks,
            *dots,
            _text(_RIGHT, _BOTTOM + 34, "share of p-values that are smaller, in powers of ten", "end"),
        ],
    )


def of_residuals(counts: Sequence[int]) -> str:
    """How far each stratum's count of each hour is from the closed form, and the normal law over it."""
    width = 10 / len(counts)
    centres = [-5 + (place + 0.5) * width for place in range(len(counts))]
    normal = [sum(counts) * width * float(stats.norm.pdf(centre)) for centre in centres]
    highest = max(*counts, *normal)

    def x(value: float) -> float:
        return (_LEFT + _RIGHT) / 2 + value / 10 * (_RIGHT - _LEFT)

    def y(count: float) -> float:
        return _BOTTOM - count / highest * (_BOTTOM - _TOP)

    bars = [
        f'<rect x="{x(c - width / 2):.1f}" y="{y(n):.1f}" width="{x(width) - x(0) - 0.6:.1f}" '
        f'height="{_BOTTOM - y(n):.1f}" fill="{_BLUE}" fill-opacity="0.55"/>'
        for c, n in zip(centres, counts, strict=True)
    ]
    curve = " ".join(f"{x(c):.1f},{y(n):.1f}" for c, n in zip(centres, normal, strict=True))
    return _svg(
        f"{sum(counts):,} counts by stratum and hour: (observed - expected) / sqrt(expected)",
        [
            *bars,
            f'<polyline points="{curve}" fill="none" stroke="{_RED}" stroke-width="1.6"/>',
            *(_text(x(value), _BOTTOM + 18, f"{value}", "middle") for value in range(-4, 5)),
            _text(_RIGHT, _BOTTOM + 34, "bars: the engine; line: the normal law", "end"),
        ],
    )


def _svg(title: str, parts: Sequence[str]) -> str:
    frame = _line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, _INK)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12" role="img">'
    )
    paper = f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
    return "\n".join(
        [head, f"<title>{title}</title>", paper, _text(_LEFT, 24, title, "start"), frame, *parts, "</svg>\n"]
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'

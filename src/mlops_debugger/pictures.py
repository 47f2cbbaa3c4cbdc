"""Small SVG pictures: lines and histograms, without a drawing library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

Series = Sequence[tuple[str, NDArray[np.float64]]]

_WIDTH, _HEIGHT = 340, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 24, 28
_COLOURS = ("#1f6feb", "#c2410c", "#15803d")
_MAX_POINTS = 400
_BINS = 24
_DECADES = 1.5


def curves(series: Series) -> str:
    """Lines over 1, 2, …; logarithmic where positive values span decades; gaps where a value is not finite."""
    series = [(label, values) for label, values in series if np.isfinite(values).any()]
    if not series:
        return ""
    known = np.concatenate([values[np.isfinite(values)] for _, values in series])
    log = bool(known.min() > 0 and np.log10(known.max()) - np.log10(known.min()) > _DECADES)
    known = np.log10(known) if log else np.clip(known, -1e300, 1e300)
    low, high = _range(known)
    longest = max(len(values) for _, values in series)
    parts = _frame(_tick(low, log), _tick(high, log), "1", str(longest))
    for place, (label, values) in enumerate(series):
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(_legend(place, label, colour))
        with np.errstate(all="ignore"):
            drawn = np.log10(values) if log else np.clip(values, -1e300, 1e300)
        at = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MAX_POINTS)).astype(int))
        for run in _runs(at, np.isfinite(drawn)):
            points = [(_x(i / max(longest - 1, 1)), _y((float(drawn[i]) - low) / (high - low))) for i in run]
            if len(points) == 1:
                parts.append(f'<circle cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="2" fill="{colour}"/>')
            else:
                line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
                parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return _svg(parts)


def histogram(series: Series) -> str:
    """Shares of the values by bin, one outline a series, over a common range."""
    series = [(label, values[np.isfinite(values)]) for label, values in series]
    series = [(label, np.clip(values, -1e300, 1e300)) for label, values in series if values.size]
    if not series:
        return ""
    known = np.concatenate([values for _, values in series])
    whole = np.unique(known)
    if whole.size <= _BINS and np.all(whole == np.round(whole)) and whole.max() - whole.min() < _BINS:
        edges = np.arange(whole.min() - 0.5, whole.max() + 1.0)
    else:
        low, high = _range(known)
        edges = np.linspace(low, high, _BINS + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for _, values in series]
    top = max(float(share.max()) for share in shares) or 1.0
    parts = _frame("0", f"{top:.0%}", f"{edges[0]:.3g}", f"{edges[-1]:.3g}")
    for place, ((label, _), share) in enumerate(zip(series, shares, strict=True)):
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(_legend(place, label, colour))
        steps = [f"{_x(0):.1f},{_y(0):.1f}"]
        for number, value in enumerate(share):
            left, right = _x(number / len(share)), _x((number + 1) / len(share))
            steps += [f"{left:.1f},{_y(value / top):.1f}", f"{right:.1f},{_y(value / top):.1f}"]
        steps.append(f"{_x(1):.1f},{_y(0):.1f}")
        line = " ".join(steps)
        parts.append(
            f'<polyline points="{line}" fill="{colour}" fill-opacity="0.12" stroke="{colour}" stroke-width="1.2"/>'
        )
    return _svg(parts)


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if high - low > 1e-9 * max(1.0, abs(high)):
        return low, high
    edge = max(1.0, abs(high)) * 0.5
    return low - edge, high + edge


def _runs(at: NDArray[np.int64], there: NDArray[np.bool_]) -> list[list[int]]:
    """Positions without a gap between them."""
    found: list[list[int]] = [[]]
    for i in at:
        if there[i]:
            found[-1].append(int(i))
        elif found[-1]:
            found.append([])
    return [run for run in found if run]


def _tick(value: float, log: bool) -> str:
    return f"{10.0 ** min(value, 308.0):.3g}" if log else f"{value:.3g}"


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _frame(low: str, high: str, first: str, last: str) -> list[str]:
    box = f'x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_HEIGHT - _TOP - _BOTTOM}"'
    return [
        f'<rect {box} fill="none" stroke="#cccccc"/>',
        _text(_LEFT - 5, _y(0), low, "end"),
        _text(_LEFT - 5, _y(1) + 9, high, "end"),
        _text(_LEFT, _HEIGHT - _BOTTOM + 15, first, "start"),
        _text(_WIDTH - _RIGHT, _HEIGHT - _BOTTOM + 15, last, "end"),
    ]


def _legend(place: int, label: str, colour: str) -> str:
    return _text(_LEFT + 92 * place, 15, label, "start", colour)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#444444") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="11" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _svg(parts: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg role="img" {size} font-family="system-ui, sans-serif">{"".join(parts)}</svg>'

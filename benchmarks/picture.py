"""Draw time against size on log axes, as SVG that can be read on light and dark pages."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.rows import Row

_WIDTH, _HEIGHT = 860, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 300, 46, 50
_COLORS: Final = ("#3b82f6", "#10b981", "#f59e0b", "#ef4444", "#8b5cf6", "#06b6d4", "#ec4899")
_GREY: Final = "#808890"

_Point = tuple[float, float]


def draw(rows: Iterable[Row], file: Path) -> None:
    """Write the picture of the rows that are timed at several sizes: engine full, floor dashed."""
    lines = _lines(rows)
    points = [point for ours, floor in lines.values() for point in (*ours, *floor)]
    if not points:
        return
    xs, ys = _decades([x for x, _ in points]), _decades([y for _, y in points])
    scale = _Scale(xs, ys)
    parts = [*_axes(scale), *_curves(scale, lines)]
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' font-family="sans-serif" font-size="12" fill="{_GREY}">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


class _Scale:
    def __init__(self, xs: Sequence[int], ys: Sequence[int]) -> None:
        self.xs, self.ys = xs, ys

    def x(self, value: float) -> float:
        part = (math.log10(value) - self.xs[0]) / (self.xs[-1] - self.xs[0])
        return round(_LEFT + part * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        part = (math.log10(value) - self.ys[0]) / (self.ys[-1] - self.ys[0])
        return round(_HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM), 1)


def _lines(rows: Iterable[Row]) -> Mapping[str, tuple[list[_Point], list[_Point]]]:
    """Return the points of each workload that has more than one, by its title."""
    found: dict[str, tuple[list[_Point], list[_Point]]] = {}
    for row in rows:
        if row.unit == "s" and row.compared_with != "one series":
            ours, floor = found.setdefault(f"{row.workload} {row.what}", ([], []))
            ours.append((row.size, row.engine))
            floor.append((row.size, row.against))
    return {title: points for title, points in found.items() if len(points[0]) > 1}


def _decades(values: Sequence[float]) -> list[int]:
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return list(range(first, max(last, first + 1) + 1))


def _axes(scale: _Scale) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    title = "Time against size: engine (full) and bare SQL (dashed)"
    parts = [f'<text x="{_LEFT}" y="22" font-size="15">{title}</text>']
    for decade in scale.xs:
        x = scale.x(10**decade)
        parts.append(_line(x, _TOP, x, bottom))
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{10**decade:,}</text>')
    for decade in scale.ys:
        y = scale.y(10.0**decade)
        shown = f"{10.0**decade:g} s" if decade >= 0 else f"{10.0 ** (decade + 3):g} ms"
        parts.append(_line(_LEFT, y, right, y))
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{shown}</text>')
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">contacts, or due rows</text>'
    )
    return parts


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{_GREY}" stroke-opacity="0.25"/>'


def _curves(scale: _Scale, lines: Mapping[str, tuple[list[_Point], list[_Point]]]) -> Iterable[str]:
    for number, (title, (ours, floor)) in enumerate(lines.items()):
        color = _COLORS[number % len(_COLORS)]
        yield _curve(scale, ours, color, "")
        yield _curve(scale, floor, color, ' stroke-dasharray="5 4"')
        y = _TOP + 14 + 22 * number
        x = _WIDTH - _RIGHT + 18
        yield f'<rect x="{x}" y="{y - 9}" width="12" height="12" fill="{color}"/>'
        yield f'<text x="{x + 20}" y="{y + 1}">{title}</text>'


def _curve(scale: _Scale, points: Sequence[_Point], color: str, dashes: str) -> str:
    path = " ".join(f"{scale.x(x)},{scale.y(y)}" for x, y in sorted(points))
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2.5"{dashes}/>'

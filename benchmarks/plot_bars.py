# SPDX-License-Identifier: BSL-1.0
"""Draws the figures of a scenario as bars, in one panel for each thing that is measured.

Used by benchmarks/run. A panel has a scale of its own that begins at zero.
"""

import dataclasses

from plot_trace import QUIET, line, text

WIDTH, LEFT, RIGHT, TOP, BAR, HEAD, GAP = 880, 300, 110, 40, 22, 26, 16
OURS, PEER, GOAL = "#1769aa", "#a9b4bf", "#2e7d32"


@dataclasses.dataclass
class Panel:
    title: str  # with the unit
    bars: list[tuple[str, float]] = dataclasses.field(default_factory=list)
    goal: float | None = None
    above: bool = False  # the goal is the least that it may be

    def height(self) -> int:
        return HEAD + BAR * len(self.bars) + GAP


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def draw_panel(panel: Panel, top: float) -> list[str]:
    """Ours are the bars whose label begins with "highlevel"."""
    longest = max([value for _, value in panel.bars] + [panel.goal or 0]) or 1
    scale = (WIDTH - LEFT - RIGHT) / longest
    out = [text(LEFT, top + 14, panel.title, weight=600)]
    y = top + HEAD
    for label, value in panel.bars:
        ours = label.startswith("highlevel")
        out.append(text(LEFT - 10, y + 14, label, anchor="end", weight=600 if ours else 400))
        out.append(f'<rect x="{LEFT}" y="{y:.1f}" width="{scale * value:.1f}" height="{BAR - 5}" '
                   f'fill="{OURS if ours else PEER}"/>')
        out.append(text(LEFT + scale * value + 6, y + 13, shown(value), size=11, fill=QUIET))
        y += BAR
    if panel.goal is not None:
        x = LEFT + scale * panel.goal
        out.append(line(x, top + HEAD - 4, x, y, GOAL, 'stroke-dasharray="4 3"'))
        out.append(text(WIDTH - 20, top + 14, f"goal: {'at least' if panel.above else 'at most'} "
                        f"{shown(panel.goal)}", size=11, fill=GOAL, anchor="end"))
    return out


def draw(title: str, panels: list[Panel]) -> str:
    height = TOP + sum(panel.height() for panel in panels)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" role="img">',
        "<!-- Drawn by benchmarks/run. -->",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(20, 24, title, size=15, weight=600),
    ]
    top = TOP
    for panel in panels:
        out += draw_panel(panel, top)
        top += panel.height()
    return "\n".join([*out, "</svg>"]) + "\n"

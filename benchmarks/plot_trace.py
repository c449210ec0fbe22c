#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Draws what a server counted on one bucket over time, one strip per trace of `saturate --trace`.

usage: plot_trace.py [--seconds S] OUT.svg NAME=TRACE.csv...

A strip shows the limit less the remaining that each response told, so how much of the limit the
server held for used; a red mark is a refused request. Vertical lines stand an interval apart.
"""

import argparse
import csv
import pathlib
import re
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, STRIP, GAP, BOTTOM = 880, 196, 20, 64, 58, 22, 46
INK, QUIET, GRID, LINE, FILL, BAD = "#1f2933", "#61707f", "#dfe4ea", "#1769aa", "#cfe3f4", "#c62828"


class Trace:
    def __init__(self, argument: str):
        self.name, _, path = argument.partition("=")
        with pathlib.Path(path).open(newline="", encoding="utf-8") as file:
            told = re.fullmatch(r"# (\d+) per (\d+) ms\s*", file.readline())
            if told is None:
                raise SystemExit(f"{path}: not a trace of saturate")
            self.limit, self.interval = int(told[1]), int(told[2]) / 1000
            rows = [(float(r["seconds"]), int(r["status"]), int(r["remaining"]))
                    for r in csv.DictReader(file)]
        self.used = [(at, self.limit - left) for at, status, left in rows if status != 429]
        self.refused = [at for at, status, _ in rows if status == 429]


def text(x: float, y: float, words: str, *, size=12, fill=INK, anchor="start", weight=400) -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" '
            f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>')


def line(x1: float, y1: float, x2: float, y2: float, stroke: str, extra: str = "") -> str:
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{stroke}" {extra}/>')


def strip(trace: Trace, top: float, seconds: float) -> list[str]:
    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / seconds

    bottom = top + STRIP
    right = WIDTH - RIGHT
    out = []
    for i in range(int(seconds / trace.interval + 1e-9) + 1):
        out.append(line(x(i * trace.interval), top, x(i * trace.interval), bottom, GRID))
    steps = [(x(at), bottom - STRIP * used / trace.limit)
             for at, used in trace.used if at <= seconds]
    path = "".join(f"H{px:.1f}V{py:.1f}" for px, py in steps)
    if steps:
        begin = f"M{steps[0][0]:.1f} {bottom:.1f}"
        out.append(f'<path d="{begin}{path}H{right}V{bottom:.1f}Z" fill="{FILL}"/>')
        out.append(f'<path d="{begin}{path}H{right}" fill="none" stroke="{LINE}"/>')
    out.append(line(LEFT, bottom, right, bottom, QUIET))
    out.append(line(LEFT, top, right, top, INK, 'stroke-dasharray="5 4"'))
    shown = [at for at in trace.refused if at <= seconds]
    for at in shown:
        out.append(line(x(at), top - 8, x(at), top - 1, BAD, 'stroke-width="1.6"'))
    out.append(text(LEFT - 44, top + 25, trace.name, anchor="end", weight=600))
    refusals = "no 429" if not trace.refused else f"{len(trace.refused)} × 429 in all"
    out.append(text(LEFT - 44, top + 43, refusals, anchor="end", size=11,
                    fill=BAD if trace.refused else QUIET))
    out.append(text(LEFT - 8, top + 4, str(trace.limit), anchor="end", size=11, fill=QUIET))
    out.append(text(LEFT - 8, bottom + 4, "0", anchor="end", size=11, fill=QUIET))
    return out


def draw(traces: list[Trace], seconds: float) -> str:
    height = TOP + len(traces) * (STRIP + GAP) + BOTTOM - GAP
    first = traces[0]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" role="img">',
        "<!-- Drawn by benchmarks/plot_trace.py. -->",
        "<title>Use of one saturated bucket over time, as the server counted it</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        text(16, 26, "One saturated bucket: requests that the server held for used", size=15,
             weight=600),
        text(16, 44, f"{first.limit} per {first.interval:g} s; dashed: the limit; "
             "red: a refused request", fill=QUIET),
    ]
    top = TOP
    for trace in traces:
        out += strip(trace, top, seconds)
        top += STRIP + GAP
    bottom = top - GAP
    for i in range(int(seconds / first.interval + 1e-9) + 1):
        at = i * first.interval
        px = LEFT + (WIDTH - LEFT - RIGHT) * at / seconds
        out.append(text(px, bottom + 20, f"{at:g}", anchor="middle", size=11, fill=QUIET))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 38, "seconds since the start",
                    anchor="middle", size=11, fill=QUIET))
    out.append("</svg>\n")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=12, help="how much to show (default: 12)")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("traces", nargs="+", type=Trace, metavar="NAME=TRACE.csv")
    arguments = parser.parse_args()
    arguments.out.write_text(draw(arguments.traces, arguments.seconds), encoding="utf-8")


if __name__ == "__main__":
    main()

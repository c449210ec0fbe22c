#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""list_operations prints every operation of the description, and nothing else.

usage: list_operations.py PROGRAM

The lines are compared with the committed record of what the generator made, and with
derived/operations.tsv of the description where that is at hand (HIGHLEVEL_OPENAPI_DIR, default
../shared/openapi beside the project).
"""

import csv
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OPERATIONS = 1203


def fail(*lines: str) -> None:
    sys.exit("\n".join(lines[:20]))


def main() -> None:
    done = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    if len(lines) != OPERATIONS:
        fail(f"{len(lines)} lines instead of {OPERATIONS}")
    rows = [line.split("\t") for line in lines]
    if odd := [line for line, row in zip(lines, rows) if len(row) != 9]:
        fail("not nine cells:", *odd)

    recorded = set()
    for line in (ROOT / "tools/codegen/digests.tsv").read_text(encoding="utf-8").splitlines():
        owner = line.partition("\t")[0].split(" ")
        if len(owner) == 3 and owner[1] == "operation":
            recorded.add((owner[0].partition("/")[0], owner[2]))
    if odd := [str(name) for name in recorded ^ {(row[0], row[2]) for row in rows}]:
        fail("differs from tools/codegen/digests.tsv:", *odd)

    table = pathlib.Path(os.environ.get("HIGHLEVEL_OPENAPI_DIR") or ROOT / "../shared/openapi")
    table /= "derived/operations.tsv"
    if not table.is_file():
        print(f"{len(lines)} operations; no {table} to compare with")
        return
    with table.open(encoding="utf-8", newline="") as file:
        described = list(csv.DictReader(file, delimiter="\t"))
    # Where the description declares no Version, the one that is sent stands before a star.
    printed = {(r[0], r[3], r[4], "" if r[5].endswith("*") else r[5]) for r in rows}
    expected = {(d["version"], d["method"], d["path"], d["version_header"]) for d in described}
    if len(printed) != len(rows) or printed != expected:
        fail("differs from operations.tsv:", *sorted(map(str, printed ^ expected)))
    print(f"{len(lines)} operations, as in {table.name}")


if __name__ == "__main__":
    main()

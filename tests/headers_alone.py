#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Each public header is complete in itself: it compiles as the only include of a file, and twice in one.

usage: headers_alone.py [--except HEADER]... COMPILER [OPTION...]

Only the syntax is checked, which is what a missing include or an odd name breaks, and costs a
fraction of a build; what the headers define is compiled elsewhere.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

INCLUDE = pathlib.Path(__file__).resolve().parents[1] / "include"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]

# Includes the most of what a generated family includes. Precompiled, it halves the time of the
# families that include it, for which it changes nothing.
COMMON = "#include <highlevel/operation.hpp>\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--except", dest="left_out", action="append", default=[], metavar="HEADER")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMPILER")
    arguments = parser.parse_args()
    command = [*arguments.command, f"-I{INCLUDE}", "-std=c++20", *WARNINGS]
    headers = sorted(
        path
        for path in (INCLUDE / "highlevel").rglob("*.hpp")
        if path.parent.name != "detail"
        and path.relative_to(INCLUDE).as_posix() not in arguments.left_out
    )

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        common = pathlib.Path(folder) / "common.hpp"
        common.write_text(COMMON)
        subprocess.run(
            [*command, "-x", "c++-header", str(common), "-o", f"{common}.gch"], check=True
        )

        def check(header: pathlib.Path) -> str:
            """What the compiler says of the header; empty when it is content."""
            name = header.relative_to(INCLUDE).as_posix()
            shares = header.parent.name in ("v2", "v3") and COMMON in header.read_text()
            options = ["-include", str(common)] if shares else []
            done = subprocess.run(
                [*command, "-fsyntax-only", *options, "-x", "c++", "-"],
                input=f"#include <{name}>\n#include <{name}>\n",
                capture_output=True,
                text=True,
            )
            return f"{name}:\n{done.stderr}" if done.returncode else ""

        wrong = [said for said in pool.map(check, headers) if said]
    print("\n".join(wrong))
    print(f"{len(headers) - len(wrong)} of {len(headers)} headers compile alone")
    return 1 if wrong or not headers else 0


if __name__ == "__main__":
    sys.exit(main())

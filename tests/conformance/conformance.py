#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Sends every operation to Stoplight Prism, which checks each request against the description.

usage: conformance.py --send-all PROGRAM [--family F]

One Prism per file of the description, started here on a free port and stopped at the end. A request
that breaks the description fails the test, unless listed.tsv says why the description is at fault,
and so does a response that differs from its type, unless responses_listed.tsv does. Both compare all
that is said of an operation, not a part of it; an entry that is no longer needed fails the test, too.

Exit status 77: skipped, for want of the description (HIGHLEVEL_OPENAPI_DIR, default ../shared/openapi
beside the project). Prism, which tools/setup --dev installs, may be missing only where the
description is missing as well, and never where CI is "true".
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PRISM = ROOT / "build/prism/node_modules/@stoplight/prism-cli/dist/index.js"
LISTED = HERE / "listed.tsv"
RESPONSES = HERE / "responses_listed.tsv"
SKIPPED = 77
START_SECONDS = 60


def description() -> pathlib.Path:
    return pathlib.Path(os.environ.get("HIGHLEVEL_OPENAPI_DIR") or ROOT / "../shared/openapi")


def families(folder: pathlib.Path) -> list[tuple[str, str, pathlib.Path]]:
    """(version, family, file) of every document, the largest first."""
    found = [("v2", path.stem, path) for path in folder.glob("apps/*.json")]
    found += [
        ("v3", re.sub(r"-v3$", "", path.stem), path) for path in folder.glob("apps/v3/*.json")
    ]
    return sorted(found, key=lambda each: (-each[2].stat().st_size, each[:2]))


def operations(path: pathlib.Path) -> int:
    methods = {"get", "put", "post", "delete", "patch", "head", "options"}
    paths = json.loads(path.read_text(encoding="utf-8"))["paths"].values()
    return sum(len(methods & set(item)) for item in paths)


def readable(path: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The document itself, or a copy in `folder` where some references lead nowhere.

    Prism refuses such a document as a whole. They stand in descriptions of errors only, which no
    request is checked against.
    """
    text = path.read_text(encoding="utf-8")
    schemas = json.loads(text).get("components", {}).get("schemas", {})
    local = re.compile(r'\{\s*"\$ref":\s*"#/components/schemas/([^"]+)"\s*\}')
    if all(name in schemas for name in local.findall(text)):
        return path
    # The copy stands elsewhere, so references to other files are cut as well.
    made = re.sub(r'\{\s*"\$ref":\s*"[^#"][^"]*"\s*\}', "{}", text)
    made = local.sub(lambda m: m.group(0) if m.group(1) in schemas else "{}", made)
    copy = folder / f"{path.parent.name}-{path.name}"
    copy.write_text(made, encoding="utf-8")
    return copy


class Prism:
    """A mock server for one document; its port once it listens."""

    def __init__(self, path: pathlib.Path):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.said: list[str] = []
        self.process = subprocess.Popen(
            ["node", str(PRISM), "mock", "-h", "127.0.0.1", "-p", str(self.port), str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def __enter__(self):
        listening = threading.Event()

        def read():
            # Read to the end, or its pipe fills up and it stops.
            for line in self.process.stdout:
                if not listening.is_set():
                    self.said.append(line)
                    if "is listening" in line:
                        listening.set()
            listening.set()

        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        if not listening.wait(START_SECONDS) or self.process.poll() is not None:
            self.__exit__()
            raise RuntimeError("Prism does not start:\n" + "".join(self.said))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()


def send(program: str, version: str, family: str, path: pathlib.Path) -> list[list[str]]:
    """The rows that the program prints for one family."""
    with tempfile.TemporaryDirectory() as folder, Prism(
        readable(path, pathlib.Path(folder))
    ) as prism:
        done = subprocess.run(
            [program, "--base-url", f"http://127.0.0.1:{prism.port}"]
            + ["--version", version, "--family", family, "--rate", "60000", "--diagnostics"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=240,
        )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    expected = operations(path)
    if len(rows) != expected or any(len(row) != 7 for row in rows):
        raise RuntimeError(
            f"{version} {family}: {len(rows)} of {expected} operations sent\n{done.stderr}"
        )
    return rows


def listed(path: pathlib.Path) -> dict[tuple[str, str], str]:
    """(version, operation) -> all that is said of it; the reason is for people."""
    table = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 4 or not all(cells):
            sys.exit(f"{path.name}, line {number}: not versions, operation, what is said, reason")
        for version in cells[0].split(","):
            if (version, cells[1]) in table:
                sys.exit(f"{path.name}, line {number}: {version} {cells[1]} stands twice")
            table[version, cells[1]] = cells[2]
    return table


def plainly(said: str) -> str:
    """Prism's violations as `place: message; ...`; other text as it is."""
    try:
        violations = json.loads(said)
    except ValueError:
        return said
    if isinstance(violations, dict):
        violations = violations.get("validation", [])
    lines = {f"{'.'.join(map(str, v['location']))}: {v['message']}" for v in violations}
    return "; ".join(sorted(lines))


def compare(path: pathlib.Path, rows: list[list[str]], said_of) -> list[str]:
    """What is said and not listed, in full, and what is listed and not said."""
    known = listed(path)
    wrong = []
    for row in rows:
        version, operation, method, target, status = row[:5]
        said = said_of(row)
        expected = known.pop((version, operation), "")
        if not said and expected:
            wrong.append(f"{path.name}: {version} {operation}: all is well; remove it")
        elif said != expected:
            wrong.append(f"{version}\t{operation}\t{said}\t{method} {target} {status}")
            if expected:
                wrong.append(f"  {path.name} says\t\t{expected}")
    families_sent = {(row[0], row[1].split(".")[0]) for row in rows}
    for version, operation in known:
        if (version, operation.split(".")[0]) in families_sent:
            wrong.append(f"{path.name}: {version} {operation}: there is no such operation")
    return wrong


def judge(rows: list[list[str]]) -> list[str]:
    return compare(LISTED, rows, lambda row: "" if row[5] == "ok" else plainly(row[5])) + compare(
        RESPONSES, rows, lambda row: row[6]
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--send-all", required=True, metavar="PROGRAM")
    parser.add_argument("--family", help="only this one, as the description's file is named")
    options = parser.parse_args()

    folder = description()
    prism = PRISM.exists() and shutil.which("node")
    if not prism and (folder.is_dir() or os.environ.get("CI") == "true"):
        print("no Prism in build/prism; tools/setup --dev installs it where npm is")
        return 1
    if not folder.is_dir():
        print(f"skipped: no description in {folder} (HIGHLEVEL_OPENAPI_DIR names another place)")
        return SKIPPED
    wanted = [f for f in families(folder) if options.family in (None, f[1])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda f: send(options.send_all, *f), wanted))
    rows = [row for family in done for row in family]
    wrong = judge(rows)
    print("\n".join(wrong))
    accepted = sum(row[5] == "ok" for row in rows)
    print(f"{accepted} of {len(rows)} operations accepted, {len(wrong)} problems")
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())

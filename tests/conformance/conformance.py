#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Sends every operation to Stoplight Prism, which checks each request against the description.

usage: conformance.py --send-all PROGRAM [--family F] [--write-responses]

One Prism per file of the description, started here on a free port and stopped at the end. A request
that breaks the description fails the test, unless listed.tsv says why the description is at fault:
each violation needs its entry, and an entry that is no longer needed fails the test, too.

Responses are held to responses_listed.tsv in the same way: each has to decode, and what decoding had
to bend is what the table says of the operation, no more and no less. --write-responses makes it anew.

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


def listed(path: pathlib.Path) -> dict[tuple[str, str], list[str]]:
    """(version, operation) -> what is said of it; several entries are several things."""
    table: dict[tuple[str, str], list[str]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 4 or not all(cells):
            sys.exit(f"{path.name}, line {number}: not versions, operation, what is said, reason")
        for version in cells[0].split(","):
            table.setdefault((version, cells[1]), []).append(cells[2])
    return table


def violations(said: str) -> list[str]:
    """What Prism finds wrong with a request, one by one; other text as it is."""
    try:
        found = json.loads(said)
    except ValueError:
        return [said]
    if isinstance(found, dict):
        found = found.get("validation", [])
    return [f"{'.'.join(map(str, v['location']))}: {v['message']}" for v in found] or [said]


def judge_requests(rows: list[list[str]]) -> list[str]:
    """What is wrong: violations that are not listed, and entries that nothing needs."""
    known = listed(LISTED)
    wrong = []
    for version, operation, method, target, status, said, _ in rows:
        texts = known.pop((version, operation), [])
        found = [] if said == "ok" else violations(said)
        for violation in found:
            if not any(text in violation for text in texts):
                wrong.append(f"{version} {operation} {method} {target} {status}: {violation}")
        for text in texts:
            if not any(text in violation for violation in found):
                wrong.append(f"{LISTED.name}: {version} {operation}: {text}: not so; remove it")
    return wrong + unknown(LISTED, rows, known)


def judge_responses(rows: list[list[str]]) -> list[str]:
    """Where responses differ from their types otherwise than listed, compared in full."""
    known = listed(RESPONSES)
    wrong = []
    for version, operation, *_, bent in rows:
        expected = "; ".join(known.pop((version, operation), []))
        if bent != expected:
            wrong.append(f"{version} {operation}: response: {bent or 'all is well'}")
            wrong.append(f"  {RESPONSES.name} says: {expected or 'nothing'}")
    return wrong + unknown(RESPONSES, rows, known)


def unknown(path: pathlib.Path, rows: list[list[str]], left) -> list[str]:
    families_sent = {(row[0], row[1].split(".")[0]) for row in rows}
    return [
        f"{path.name}: {version} {operation}: there is no such operation"
        for version, operation in left
        if (version, operation.split(".")[0]) in families_sent
    ]


REASONS = {
    "missing_required": "the example lacks what is required",
    "wrong_kind": "the example is of another kind than the type",
    "coerced": "the example writes a value in another kind",
    "fractional": "the example has a fraction where a count stands",
    "out_of_range": "the example is beyond the type",
    "single_element": "the example shows one element of a list",
    "null_element": "the example has null among the elements",
    "unknown_enumerator": "the example is none of the described values",
    "unknown_alternative": "the example is none of the described alternatives",
    "empty_text": "the description shows no response, so that the answer is empty",
}


def write_responses(rows: list[list[str]]) -> None:
    """The table of what responses_listed.tsv has to explain, with the sort of each difference."""
    lines = [
        "# SPDX-License-Identifier: BSL-1.0",
        "# Where the example of a response differs from its type: version, operation, how decoding",
        "# bent it, reason. Made by conformance.py --write-responses; look at what changes.",
    ]
    for version, operation, *_, bent in rows:
        if not bent:
            continue
        sorts = dict.fromkeys(part.split(" ")[0] for part in bent.split("; "))
        why = "; ".join(REASONS.get(sort, sort) for sort in sorts)
        lines.append(f"{version}\t{operation}\t{bent}\t{why[0].upper()}{why[1:]}.")
    RESPONSES.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--send-all", required=True, metavar="PROGRAM")
    parser.add_argument("--family", help="only this one, as the description's file is named")
    parser.add_argument("--write-responses", action="store_true", help="make the table anew")
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
    if options.write_responses:
        write_responses(sorted(rows, key=lambda row: (row[0], row[1])))
    wrong = judge_requests(rows) + judge_responses(rows)
    print("\n".join(wrong))
    accepted = sum(row[5] == "ok" for row in rows)
    bent = sum(bool(row[6]) for row in rows)
    print(
        f"{accepted} of {len(rows)} operations accepted, {bent} responses bent, "
        f"{len(wrong)} problems"
    )
    return 1 if wrong or not rows else 0


if __name__ == "__main__":
    sys.exit(main())

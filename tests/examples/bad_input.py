#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Gives bulk_tag and export_contacts what they must not take, and looks at what they leave.

usage: bad_input.py BULK_TAG EXPORT_CONTACTS SANDBOX FOLDER
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys


def main() -> int:
    tag, export, sandbox, folder = *sys.argv[1:4], pathlib.Path(sys.argv[4])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = subprocess.Popen(
        [sandbox, "--locations", "1", "--contacts", "30", "--print", "--max", "5000",
         "--interval-ms", "1000"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        facts = {}
        while "location" not in facts:
            word, value, *_ = server.stdout.readline().split()
            facts[word] = value
        reach = ["--base-url", facts["base-url"], "--token", facts["token"],
                 "--location", facts["location"], "--quiet"]  # fmt: skip
        state, rejects = folder / "state", folder / "rejects"

        def run(lines: list[str] | int, *more: str) -> subprocess.CompletedProcess:
            command = [tag, *reach, "--tag", "vip", "--state", str(state),
                       "--rejects", str(rejects), *more]  # fmt: skip
            if isinstance(lines, int):
                return subprocess.run(command, stdin=lines, text=True, capture_output=True)
            return subprocess.run(command, input="".join(f"{line}\n" for line in lines),
                                  text=True, capture_output=True)  # fmt: skip

        def forget() -> None:
            state.unlink(missing_ok=True)
            rejects.unlink(missing_ok=True)

        subprocess.run([export, *reach, "--out", str(folder / "out")], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        exported = (folder / "out" / f"{facts['location']}.jsonl").read_text().splitlines()
        ids = [json.loads(line)["id"] for line in exported]

        # What refuses every line alike is not the lines' fault, unless it is said that it is.
        lines = ["", *(f"nobody{i}@example.com" for i in range(25)), *ids]
        got = run(lines)
        assert got.returncode == 1 and "first 20 lines are all refused alike" in got.stderr, got
        assert json.loads(state.read_text())["settled"] == 0 and not rejects.read_text()
        got = run(lines, "--alike", "0")
        assert got.returncode == 0, got
        assert json.loads(state.read_text())["settled"] == len(lines)
        assert len(rejects.read_text().splitlines()) == 25
        # At the end of the input there is no more to learn.
        forget()
        got = run(lines[:6])
        assert got.returncode == 0 and len(rejects.read_text().splitlines()) == 5, got

        # Rejects that no note knows of are kept.
        state.unlink()
        got = run(lines)
        assert got.returncode == 1 and "not its note" in got.stderr, got
        assert len(rejects.read_text().splitlines()) == 5
        # As is a note whose rejects are gone.
        forget()
        run(lines[:6])
        rejects.unlink()
        got = run(lines)
        assert got.returncode == 1 and "shorter than its note" in got.stderr, got

        # A line steers neither the columns nor a terminal.
        forget()
        got = run(["x\ty\x1b[2J", ids[0]])
        assert got.returncode == 0, got
        assert rejects.read_text() == "x\\x09y\\x1B[2J\tno such contact\n", rejects.read_text()

        # An input that cannot be read has not ended.
        forget()
        nothing = os.open(folder, os.O_RDONLY)
        got = run(nothing)
        os.close(nothing)
        assert got.returncode == 1 and "cannot be read" in got.stderr, got

        got = subprocess.run([export, *reach, "--location", facts["location"],
                              "--out", str(folder / "twice")], text=True, capture_output=True)  # fmt: skip
        assert got.returncode == 2 and "given twice" in got.stderr, got
        assert not (folder / "twice").exists()
    finally:
        server.terminate()
        server.wait()
    print("refused what must be")
    return 0


if __name__ == "__main__":
    sys.exit(main())

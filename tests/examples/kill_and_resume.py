#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Kills export_contacts by force, again and again, and compares what it leaves with an undisturbed run.

usage: kill_and_resume.py EXPORT_CONTACTS SANDBOX FOLDER
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys

LOCATIONS = 8
CONTACTS = 300
PAGE = 20


def lines_of(path: pathlib.Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:  # renamed meanwhile
        return 0


def written(folder: pathlib.Path) -> int:
    return sum(lines_of(f) for f in folder.glob("*.jsonl*") if not f.name.endswith(".place"))


def main() -> int:
    export, sandbox, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = subprocess.Popen(
        [sandbox, "--locations", str(LOCATIONS), "--contacts", str(CONTACTS), "--print",
         "--latency-ms", "50", "--max", "1000", "--interval-ms", "1000"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        facts, locations = {}, []
        while len(locations) < LOCATIONS:
            word, value, *_ = server.stdout.readline().split()
            locations.append(value) if word == "location" else facts.update({word: value})

        def command(out: pathlib.Path) -> list[str]:
            made = [export, "--base-url", facts["base-url"], "--token", facts["token"],
                    "--page-size", str(PAGE), "--out", str(out), "--quiet"]  # fmt: skip
            for location in locations:
                made += ["--location", location]
            return made

        whole, torn = folder / "whole", folder / "torn"
        subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)

        kills = 0
        # Each time after some progress of its own, at whatever point of whatever write that is, and
        # before the end.
        while written(torn) + 450 < LOCATIONS * CONTACTS:
            goal = written(torn) + 400
            run = subprocess.Popen(command(torn), stdout=subprocess.DEVNULL)
            while run.poll() is None and written(torn) < goal:
                pass
            run.send_signal(signal.SIGKILL)
            run.wait()
            assert written(torn) >= goal, f"ended with {run.returncode}"
            kills += run.returncode == -signal.SIGKILL and written(torn) < LOCATIONS * CONTACTS
        # A write that was cut short, as if the disk had taken only half of it.
        for part in torn.glob("*.part"):
            with part.open("ab") as file:
                file.write(b'{"id":"half a rec')
        assert kills >= 2, f"killed only {kills} times"
        subprocess.run(command(torn), check=True, stdout=subprocess.DEVNULL)
        # What a run leaves that was killed between the end of a file and that of its note.
        (torn / f"{locations[0]}.jsonl.place").write_text("{}")
        subprocess.run(command(torn), check=True, stdout=subprocess.DEVNULL)
    finally:
        server.terminate()
        server.wait()

    for location in locations:
        name = f"{location}.jsonl"
        expected, got = ((f / name).read_bytes() for f in (whole, torn))
        ids = [json.loads(line)["id"] for line in got.splitlines()]
        assert len(ids) == CONTACTS, f"{name}: {len(ids)} contacts instead of {CONTACTS}"
        assert len(set(ids)) == CONTACTS, f"{name}: contacts came twice"
        assert got == expected, f"{name}: differs from the undisturbed export"
    left = [f.name for f in torn.iterdir() if not f.name.endswith(".jsonl")]
    assert not left, f"left behind: {left}"
    print(f"killed {kills} times; {LOCATIONS} x {CONTACTS} contacts, none missing, none twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())

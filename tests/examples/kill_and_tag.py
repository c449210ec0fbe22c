#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Kills bulk_tag by force, again and again: every contact is tagged, and every bad line is rejected once.

usage: kill_and_tag.py BULK_TAG EXPORT_CONTACTS SANDBOX FOLDER
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys

CONTACTS = 600


def settled(state: pathlib.Path) -> int:
    try:
        return json.loads(state.read_text())["settled"]
    except FileNotFoundError:
        return 0


def main() -> int:
    tag, export, sandbox, folder = *sys.argv[1:4], pathlib.Path(sys.argv[4])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = subprocess.Popen(
        [sandbox, "--locations", "1", "--contacts", str(CONTACTS), "--print",
         "--latency-ms", "50", "--max", "5000", "--interval-ms", "1000"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        facts = {}
        while "location" not in facts:
            word, value, *_ = server.stdout.readline().split()
            facts[word] = value
        location = facts["location"]
        reach = ["--base-url", facts["base-url"], "--token", facts["token"], "--location", location]

        def contacts(name: str) -> list[dict]:
            out = folder / name
            subprocess.run([export, *reach, "--out", str(out), "--quiet"],
                           check=True, stdout=subprocess.DEVNULL)  # fmt: skip
            return [json.loads(line) for line in (out / f"{location}.jsonl").open()]

        before = contacts("before")
        lines, bad = [], []
        for i, contact in enumerate(before):
            email = contact.get("email")
            lines.append(email if i % 5 == 0 and email else contact["id"])
            if i % 20 == 0:
                bad.append(f"nobody{i}@example.com")
                lines.append(bad[-1])
            if i % 50 == 0:
                lines.append("")
        source, state, rejects = folder / "lines", folder / "state", folder / "rejects"
        source.write_text("\n".join(lines) + "\n")
        command = [tag, *reach, "--tag", "vip", "--state", str(state), "--rejects", str(rejects),
                   "--quiet"]  # fmt: skip

        kills = 0
        # Each time after some progress of its own, and before the end.
        while settled(state) + 120 < len(lines):
            goal = settled(state) + 100
            with source.open() as text:
                run = subprocess.Popen(command, stdin=text, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)  # fmt: skip
                while run.poll() is None and settled(state) < goal:
                    pass
                run.send_signal(signal.SIGKILL)
                run.wait()
            assert settled(state) >= goal, f"ended with {run.returncode}"
            kills += run.returncode == -signal.SIGKILL and settled(state) < len(lines)
            # A write that was cut short.
            with rejects.open("a") as file:
                file.write("half a li")
        assert kills >= 2, f"killed only {kills} times"
        with source.open() as text:
            subprocess.run(command, stdin=text, check=True, stdout=subprocess.DEVNULL)
        # Another input is not taken for the same one.
        wrong = subprocess.run(command, input="x\n" * len(lines), text=True,
                               capture_output=True)  # fmt: skip
        assert wrong.returncode == 1 and "not that of the earlier run" in wrong.stderr, wrong
        after = contacts("after")
    finally:
        server.terminate()
        server.wait()

    tags = {contact["id"]: contact.get("tags", []) for contact in after}
    assert len(tags) == CONTACTS
    for contact in before:
        expected = sorted({*contact.get("tags", []), "vip"})
        assert sorted(tags[contact["id"]]) == expected, contact["id"]
    got = [line.split("\t")[0] for line in rejects.read_text().splitlines()]
    assert got == bad, f"rejects: {got}"
    assert settled(state) == len(lines)
    print(f"killed {kills} times; {CONTACTS} contacts tagged, {len(bad)} lines rejected once")
    return 0


if __name__ == "__main__":
    sys.exit(main())

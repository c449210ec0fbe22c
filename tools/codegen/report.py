# SPDX-License-Identifier: BSL-1.0
"""Counts of what the generator found and decided; compared with baseline.json on each run."""

from collections import Counter


class Report:
    def __init__(self):
        self.counts: dict[str, Counter] = {"v2": Counter(), "v3": Counter()}
        self.notes: list[str] = []
        self.errors: list[str] = []

    def count(self, version: str, what: str, number: int = 1) -> None:
        self.counts[version][what] += number

    def note(self, text: str) -> None:
        """A decision that a person may want to look at."""
        self.notes.append(text)

    def error(self, text: str) -> None:
        """A broken invariant: nothing is written."""
        self.errors.append(text)

    def table(self) -> dict[str, dict[str, int]]:
        return {version: dict(sorted(counts.items())) for version, counts in self.counts.items()}

    @staticmethod
    def differences(baseline: dict, now: dict) -> list[str]:
        lines = []
        for version in sorted(set(baseline) | set(now)):
            old, new = baseline.get(version, {}), now.get(version, {})
            for what in sorted(set(old) | set(new)):
                if old.get(what) != new.get(what):
                    lines.append(f"{version} {what}: {old.get(what)} -> {new.get(what)}")
        return lines

# SPDX-License-Identifier: BSL-1.0
"""Command line of the generator; see README.md, or run `tools/generate --help`."""

import argparse
import copy
import json
import pathlib
import sys
import tempfile

from . import drift, samples
from .description import Description, DescriptionError
from .emit import EmitError, Writer, format_all
from .lower import Lowering
from .overlay import Overlay, OverlayError
from .report import Report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "baseline.json"
DIGESTS = HERE / "digests.tsv"
SAMPLES = ROOT / "tests" / "conformance" / "samples.tsv"


class Run:
    """What one description becomes, before anything is written."""

    def __init__(self, options):
        self.report = Report()
        description = Description(options.folder, options.derived)
        published = copy.deepcopy(description.families)
        overlay = Overlay(options.overlay)
        overlay.apply(description.families)
        self.models = [
            Lowering(family, description, overlay, self.report).run()
            for family in description.families
        ]
        self.idle_entries = overlay.without_effect()
        for version in ("v2", "v3"):
            models = sum(m.version == version for m in self.models)
            self.report.count(version, "families", models)
        self.report.count("v2", "overlay entries applied, both versions", overlay.applied)
        self.published = published
        writer = Writer(description.commit)
        self.headers = {
            pathlib.Path("highlevel") / m.version / f"{m.name}.hpp": writer.family(m)
            for m in self.models
        }
        self.facts = {}
        for model, text in zip(self.models, self.headers.values()):
            self.facts |= drift.facts(model.version, model.name, text)
        for version in ("v2", "v3"):
            listed = sorted((m for m in self.models if m.version == version), key=lambda m: m.name)
            path = pathlib.Path("highlevel") / version / "all.hpp"
            self.headers[path] = writer.umbrella(version, listed)
        self.digests = drift.digests(self.facts)


def digest_lines(digests: dict[str, str]) -> str:
    head = (
        "# SPDX-License-Identifier: BSL-1.0\n"
        "# What the generator last made, accepted by a person: a digest of all that is said of each\n"
        "# operation, type and enumeration. Written by tools/generate --accept; edits are lost.\n"
    )
    return head + "".join(f"{owner}\t{digest}\n" for owner, digest in digests.items())


def read_digests() -> dict[str, str]:
    if not DIGESTS.exists():
        return {}
    lines = DIGESTS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if not line.startswith("#"))


def unexplained(run: Run) -> list[str]:
    """What differs from the baseline, by name."""
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    lines = run.report.differences(baseline, run.report.table())
    known = read_digests()
    changed = {o for o in known.keys() & run.digests.keys() if known[o] != run.digests[o]}
    lines += [f"- {owner}" for owner in sorted(known.keys() - run.digests.keys())]
    lines += [f"+ {owner}" for owner in sorted(run.digests.keys() - known.keys())]
    # The committed headers tell what it is about them, as far as they are those of the baseline.
    details = drift.report(drift.read(ROOT / "include"), run.facts) if changed else []
    told = {drift.owner(line[2:].split(":")[0]) for line in details}
    lines += [line for line in details if drift.owner(line[2:].split(":")[0]) in changed]
    lines += [f"~ {owner}" for owner in sorted(changed - told)]
    return lines


def check(run: Run, made: pathlib.Path) -> list[str]:
    """What differs between the freshly made and the committed files."""
    committed = ROOT / "include"
    lines = []
    for path in sorted(run.headers):
        try:
            same = (committed / path).read_bytes() == (made / path).read_bytes()
        except FileNotFoundError:
            lines.append(f"missing: {path}")
            continue
        if not same:
            lines.append(f"differs: {path}")
    for version in ("v2", "v3"):
        for path in sorted((committed / "highlevel" / version).glob("*.hpp")):
            if path.relative_to(committed) not in run.headers:
                lines.append(f"not generated: {path.relative_to(committed)}")
    return lines


def install(run: Run, made: pathlib.Path) -> None:
    """Puts the headers where they are committed."""
    for path in run.headers:
        target = ROOT / "include" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((made / path).read_bytes())
    for version in ("v2", "v3"):
        for path in (ROOT / "include" / "highlevel" / version).glob("*.hpp"):
            if path.relative_to(ROOT / "include") not in run.headers:
                path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tools/generate",
        description="Generates include/highlevel/{v2,v3} from the API description.",
    )
    parser.add_argument("folder", type=pathlib.Path, metavar="DIR", help="the description")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--check", action="store_true", help="compare with the committed headers, change nothing"
    )
    mode.add_argument(
        "--accept", action="store_true", help="make what this run made the new baseline"
    )
    mode.add_argument(
        "--diff",
        action="store_true",
        help="list what this description adds, removes and changes in the committed headers",
    )
    parser.add_argument(
        "--derived",
        type=pathlib.Path,
        metavar="DIR",
        help="take derived/ and scopes.tsv from here when the description has none",
    )
    parser.add_argument(
        "--overlay",
        type=pathlib.Path,
        metavar="FILE",
        default=HERE / "overlay.toml",
        help="the corrections; default: overlay.toml beside the generator",
    )
    parser.add_argument(
        "--committed",
        type=pathlib.Path,
        metavar="DIR",
        default=ROOT / "include",
        help="with --diff: the headers to compare with; default: include/",
    )
    parser.add_argument("--verbose", action="store_true", help="print every decision")
    options = parser.parse_args()

    run = Run(options)
    report = run.report
    if options.verbose:
        print("\n".join(report.notes))
    if options.diff:
        # Never stops half way: what the next description breaks is what the report is for.
        lines = drift.report(drift.read(options.committed), run.facts)
        lines += [f"! overlay entry no longer needed: {text}" for text in run.idle_entries]
        lines += [f"! broken: {text}" for text in report.errors]
        print("\n".join(lines))
        return 0
    for version, counts in report.table().items():
        for what, number in counts.items():
            print(f"{version}  {number:6}  {what}")
    if run.idle_entries:
        raise OverlayError("entries without effect:\n  " + "\n  ".join(run.idle_entries))
    if report.errors:
        print("\n".join(["broken:"] + report.errors), file=sys.stderr)
        return 1
    if not options.accept and (changes := unexplained(run)):
        print("this differs from the baseline (baseline.json, digests.tsv):", file=sys.stderr)
        print("\n".join(changes), file=sys.stderr)
        print("look at each; --accept makes them the baseline", file=sys.stderr)
        return 1

    # All that can fail comes before the first committed file is touched.
    table = samples.table(run.published, run.models)
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder)
        format_all(run.headers, made, ROOT / ".clang-format")
        if options.check:
            lines = check(run, made)
            if not SAMPLES.exists() or SAMPLES.read_text(encoding="utf-8") != table:
                lines.append(f"differs: {SAMPLES.relative_to(ROOT)}")
            if lines:
                print("\n".join(lines), file=sys.stderr)
                return 1
            print("the committed headers are what the generator makes")
            return 0
        install(run, made)
    SAMPLES.write_text(table, encoding="utf-8")
    if options.accept:
        BASELINE.write_text(json.dumps(report.table(), indent=1) + "\n", encoding="utf-8")
        DIGESTS.write_text(digest_lines(run.digests), encoding="utf-8")
    print(f"{len(run.headers)} headers written")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DescriptionError, OverlayError, EmitError, drift.DriftError) as error:
        print(f"tools/generate: {error}", file=sys.stderr)
        sys.exit(1)

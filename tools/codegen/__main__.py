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
from .emit import EmitError, Writer
from .lower import Lowering
from .overlay import Overlay, OverlayError
from .report import Report

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "baseline.json"
SAMPLES = ROOT / "tests" / "conformance" / "samples.tsv"


def generate(folder: pathlib.Path, derived: pathlib.Path | None, report: Report):
    """The models of all families, the description's commit, and the table of samples."""
    description = Description(folder, derived)
    published = copy.deepcopy(description.families)
    overlay = Overlay(HERE / "overlay.toml")
    overlay.apply(description.families)
    models = [
        Lowering(family, description, overlay, report).run() for family in description.families
    ]
    overlay.finish()
    for version in ("v2", "v3"):
        report.count(version, "families", sum(m.version == version for m in models))
    return models, description.commit, samples.table(published, models)


def write(models, commit: str, include: pathlib.Path) -> list[pathlib.Path]:
    """Writes the headers below `include` and gives their paths relative to it."""
    writer = Writer(commit, ROOT / ".clang-format")
    files = {}
    for model in models:
        files[include / "highlevel" / model.version / f"{model.name}.hpp"] = writer.family(model)
    for version in ("v2", "v3"):
        listed = sorted((m for m in models if m.version == version), key=lambda m: m.name)
        files[include / "highlevel" / version / "all.hpp"] = writer.umbrella(version, listed)
    writer.write(files)
    return [path.relative_to(include) for path in files]


def check(made: pathlib.Path, written: list[pathlib.Path]) -> list[str]:
    """What differs between the freshly made and the committed headers."""
    committed = ROOT / "include"
    lines = []
    for path in sorted(written):
        try:
            same = (committed / path).read_bytes() == (made / path).read_bytes()
        except FileNotFoundError:
            lines.append(f"missing: {path}")
            continue
        if not same:
            lines.append(f"differs: {path}")
    for version in ("v2", "v3"):
        for path in sorted((committed / "highlevel" / version).glob("*.hpp")):
            if path.relative_to(committed) not in written:
                lines.append(f"not generated: {path.relative_to(committed)}")
    return lines


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
        "--accept", action="store_true", help="make the counts of this run the new baseline"
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
    parser.add_argument("--verbose", action="store_true", help="print every decision")
    options = parser.parse_args()

    report = Report()
    models, commit, sample_table = generate(options.folder, options.derived, report)
    if options.verbose:
        print("\n".join(report.notes))
    if options.diff:
        with tempfile.TemporaryDirectory() as folder:
            made = pathlib.Path(folder)
            write(models, commit, made)
            lines = drift.report(drift.read(ROOT / "include"), drift.read(made))
        print("\n".join(lines + report.errors))
        return 0
    for version, counts in report.table().items():
        for what, number in counts.items():
            print(f"{version}  {number:6}  {what}")
    if report.errors:
        print("\n".join(["broken:"] + report.errors), file=sys.stderr)
        return 1

    if options.accept:
        BASELINE.write_text(json.dumps(report.table(), indent=1) + "\n", encoding="utf-8")
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    changes = report.differences(baseline, report.table())
    if changes:
        print("the counts differ from tools/codegen/baseline.json:", file=sys.stderr)
        print("\n".join(changes), file=sys.stderr)
        print("look at each; --accept makes them the baseline", file=sys.stderr)
        return 1

    if options.check:
        with tempfile.TemporaryDirectory() as folder:
            made = pathlib.Path(folder)
            lines = check(made, write(models, commit, made))
        if not SAMPLES.exists() or SAMPLES.read_text(encoding="utf-8") != sample_table:
            lines.append(f"differs: {SAMPLES.relative_to(ROOT)}")
        if lines:
            print("\n".join(lines), file=sys.stderr)
            return 1
        print("the committed headers are what the generator makes")
        return 0

    SAMPLES.write_text(sample_table, encoding="utf-8")
    written = write(models, commit, ROOT / "include")
    for version in ("v2", "v3"):
        for path in (ROOT / "include" / "highlevel" / version).glob("*.hpp"):
            if path.relative_to(ROOT / "include") not in written:
                path.unlink()
    print(f"{len(written)} headers written")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DescriptionError, OverlayError, EmitError) as error:
        print(f"tools/generate: {error}", file=sys.stderr)
        sys.exit(1)

# SPDX-License-Identifier: BSL-1.0
"""Writing: a family's model becomes a header, formatted by clang-format."""

import pathlib
import re
import shutil
import subprocess
import textwrap
from concurrent.futures import ThreadPoolExecutor

import jinja2

from . import names
from .model import Enum, FamilyModel, Locator, Member, Operation, Paging, Parameter, Struct

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = "GoHighLevel/highlevel-api-docs"
CLANG_FORMAT = "14"

GENERATION = {"v2": "API 2.0", "v3": "the API's v3 generation"}


class EmitError(Exception):
    """The output cannot be written."""


def find_clang_format() -> str:
    """The formatter of the one version whose output is committed."""
    for name in (f"clang-format-{CLANG_FORMAT}", "clang-format"):
        path = shutil.which(name)
        if not path:
            continue
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
        if re.search(rf"version {CLANG_FORMAT}\.", said.stdout):
            return path
    raise EmitError(
        f"clang-format {CLANG_FORMAT} is needed: the committed headers are formatted by it, and "
        "other versions differ (Debian 12: apt-get install clang-format)"
    )


def c_string(text: str) -> str:
    made = text.replace("\\", "\\\\").replace('"', '\\"')
    if not made.isprintable():
        raise EmitError(f"cannot write {text!r} as a literal")
    return f'"{made}"'


def initialiser(value: str | int | None) -> str:
    if value is None:
        return ""
    return f" = {c_string(value) if isinstance(value, str) else value}"


def comment(text: str) -> str:
    return _doc(text, slashes="//")


def _doc(text: str, indent: int = 0, slashes: str = "///") -> str:
    """Comment lines of at most 100 columns; paragraphs are separated by newlines."""
    prefix = " " * indent + slashes
    lines = []
    for paragraph in text.split("\n"):
        if not paragraph:
            lines.append(prefix)
        lines += [
            f"{prefix} {line}"
            for line in textwrap.wrap(
                paragraph, 100 - len(prefix) - 1, break_long_words=False, break_on_hyphens=False
            )
        ]
    return "\n".join(lines)


def enum_doc(enum: Enum) -> str:
    labels = list(dict.fromkeys(label for _, _, label in enum.uses))
    shown = ", ".join(f"`{label}`" for label in labels[:3])
    more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
    return _doc(f"Values of {shown}{more}.")


def _wire_fact(member: Member) -> list[str]:
    """The wire name, where it is not what the member's name says."""
    usual = names.camel(member.name) == member.wire or member.name == member.wire
    return [] if usual else [f"`{member.wire}` on the wire."]


def member_doc(struct: Struct, member: Member) -> str:
    facts = _wire_fact(member)
    if member.required and struct.request:
        facts.append("Required.")
    return _lines(facts + member.facts)


def parameter_doc(parameter: Parameter) -> str:
    facts = _wire_fact(parameter)
    if parameter.required:
        facts.append("Required.")
    if parameter.style == "comma":
        facts.append("Elements are joined by commas.")
    return _lines(facts + parameter.facts)


def _lines(facts: list[str]) -> str:
    return _doc(" ".join(facts), 4) + "\n" if facts else ""


def operation_doc(operation: Operation) -> str:
    facts = [
        f"`{operation.method.upper()} {operation.path}`",
        "",
        f"Version {operation.version}{' (assumed)' if operation.version_assumed else ''}. "
        + f"Scopes: {', '.join(operation.scopes) or 'none described'}. "
        + f"Tokens: {_token_words(operation)}. Operation `{operation.id}`.",
    ]
    if operation.paging and operation.paging.style != "none":
        position = [p for p in (operation.paging.position, operation.paging.position_id) if p]
        size = f", page size in `{operation.paging.size}`" if operation.paging.size else ""
        facts.append(
            f"Pages: position in {' and '.join(f'`{p}`' for p in position)}{size}; items "
            + _items_words(operation.paging)
        )
    if operation.idempotent == "safe" and operation.method == "post":
        facts.append("Only reads, so a call that failed is repeated like a GET.")
    if operation.deprecated:
        facts.append("Deprecated by HighLevel.")
    return _doc("\n".join(facts))


def _items_words(paging: Paging) -> str:
    if not paging.items_known:
        return "not described."
    return f"at `{paging.items}`." if paging.items else "at the root."


def _token_words(operation: Operation) -> str:
    return {"none": "none is sent", "any": "location or agency"}.get(
        operation.tokens,
        " or ".join(part.replace("_", " ") for part in operation.tokens.split("|")),
    )


def tokens(operation: Operation) -> str:
    return " | ".join(f"token_kinds::{part}" for part in operation.tokens.split("|"))


def locator(found: Locator) -> str:
    alt = ", .with_alt_type = true" if found.with_alt_type else ""
    return f"{{.in = place::{found.place}, .name = {c_string(found.name)}{alt}}}"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters.update(c_string=c_string, initialiser=initialiser)
    environment.globals.update(
        comment=comment,
        enum_doc=enum_doc,
        member_doc=member_doc,
        parameter_doc=parameter_doc,
        operation_doc=operation_doc,
        tokens=tokens,
        locator=locator,
    )
    return environment


_STD_HEADERS = {
    "cstddef": r"\boffsetof\b|std::size_t",
    "cstdint": r"std::u?int\d+_t",
    "optional": r"std::optional",
    "span": r"std::span",
    "string": r"std::string\b",
    "string_view": r"std::string_view",
    "utility": r"std::move",
    "variant": r"std::variant",
    "vector": r"std::vector",
}


class Writer:
    """Headers as text, not yet formatted."""

    def __init__(self, commit: str):
        self.commit = commit
        environment = _environment()
        self.family_template = environment.get_template("family.hpp.j2")
        self.umbrella_template = environment.get_template("umbrella.hpp.j2")

    def family(self, model: FamilyModel) -> str:
        def render(std_headers):
            return self.family_template.render(
                f=model,
                ns=f"highlevel::{model.version}::{model.name}",
                generation_name=GENERATION[model.version],
                source=SOURCE,
                commit=self.commit,
                has_files=any(o.files for o in model.operations),
                std_headers=std_headers,
            )

        text = render([])
        return render([h for h, used in _STD_HEADERS.items() if re.search(used, text)])

    def umbrella(self, version: str, models: list[FamilyModel]) -> str:
        return self.umbrella_template.render(
            version=version, generation_name=GENERATION[version], models=models
        )


def format_all(files: dict[pathlib.Path, str], folder: pathlib.Path, style: pathlib.Path) -> None:
    """Writes the files below a folder and formats them."""
    formatter = find_clang_format()
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")

    def run(paths: list[pathlib.Path]) -> None:
        done = subprocess.run(
            [formatter, f"--style=file:{style}", "-i", *map(str, paths)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise EmitError(f"clang-format: {done.stderr.strip()}")

    listed = sorted(folder / path for path in files)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, (listed[i : i + 8] for i in range(0, len(listed), 8))))

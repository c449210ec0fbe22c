# SPDX-License-Identifier: BSL-1.0
"""Drift: what a newer description adds, removes and changes in the committed headers.

Both sides are read from generated headers, so that the report shows what users of the library will
see. How a header is laid out in lines does not matter: the freshly made ones are read before
clang-format. Of what a person accepted, only a digest per operation, type and enumeration is kept
beside the headers (digests.tsv).
"""

import hashlib
import pathlib
import re

# All of these are for text without needless blanks; see _plain.
_CONSTANT = r"inline constexpr {} {}(?:\[\]=)?\{{(.*?)\}};"
_META = re.compile(_CONSTANT.format("operation_meta", r"(\w+)::meta"))
_FACT = re.compile(r"\.(\w+)=((?:\{.*?\}|\"[^\"]*\"|[^,{\"])+)(?:,|$)")
_TABLE = re.compile(_CONSTANT.format("json::field", r"(\w+)"))
_PARAMETERS = re.compile(_CONSTANT.format("parameter", r"(\w+)_parameters"))
_PAGES = re.compile(_CONSTANT.format("paging", r"(\w+)_pages"))
_NAMES = re.compile(_CONSTANT.format(r"std::string_view", r"(\w+)"))
_ROW = re.compile(r"""
    \{"([^"]+)",(?:place::(\w+),)?           # wire name, place of a parameter
    offsetof\([\w:]+,(\w+)\),                # member
    &json::type_of<((?:(?!type_of).)*?)>      # type
    ((?:,(?:json::presence::required|true|false|list_style::\w+))*)\}
""", re.X)
_MODEL = re.compile(r"struct (\w+)\{\1\(\)=default;(.*?)json::lazy_object unknown_fields;\};")
_OPERATION = re.compile(
    r"struct (\w+)\{using response_type=(.*?);(?:using item_type=(.*?);)?"
    r"static const operation_meta meta;(.*?)query_pairs extra_query;"
)
_INITIAL = re.compile(r"[\w>] ?(\w+)=(\"[^\"]*\"|-?[\d.]+);")

# Facts that change with the layout of the code, not with the API, or that stand elsewhere.
_LAYOUT = {
    "family", "name", "extra_query_offset", "extra_body_offset", "body_offset", "files_offset",
    "parameters", "pages", "scopes",
}  # fmt: skip


class DriftError(Exception):
    """A header does not look like a generated one."""


def read(include: pathlib.Path) -> dict[str, str]:
    """Everything that the headers below a folder say, one entry per fact."""
    made: dict[str, str] = {}
    for version in ("v2", "v3"):
        for path in sorted((include / "highlevel" / version).glob("*.hpp")):
            if path.stem != "all":
                made |= facts(version, path.stem, path.read_text(encoding="utf-8"))
    return made


def facts(version: str, family: str, text: str) -> dict[str, str]:
    """What one header says. Keys: `v2/contacts operation get_contact .path` and the like."""
    text = _plain(text)
    where = f"{version}/{family}"
    made: dict[str, str] = {}

    def rows(table: str, at: str) -> None:
        read = 0
        for wire, place, member, type_, flags in _ROW.findall(table):
            words = [type_.strip(), "as", member]
            words += ["required"] if "required" in flags or "true" in flags else []
            words += re.findall(r"list_style::\w+", flags)
            # A name may stand in the path and in the query.
            made[f"{at} {place} {wire}" if place else f"{at} {wire}"] = " ".join(words)
            read += 1
        if read != table.count("offsetof("):
            raise DriftError(f"{at}: {read} of {table.count('offsetof(')} rows can be read")

    def initials(body: str, at: str) -> None:
        for member, value in _INITIAL.findall(body):
            made[f"{at} initial {member}"] = value

    for name, table in _TABLE.findall(text):
        made[f"{where} type {name}"] = ""
        rows(table, f"{where} type {name} field")
    for name, body in _MODEL.findall(text):
        initials(body, f"{where} type {name}")
    for name, table in _PARAMETERS.findall(text):
        rows(table, f"{where} operation {name} parameter")
    for name, values in _PAGES.findall(text):
        for key, value in _FACT.findall(values):
            made[f"{where} operation {name} paging .{key}"] = value.strip()
    for name, values in _META.findall(text):
        made[f"{where} operation {name}"] = ""
        for key, value in _FACT.findall(values):
            if key not in _LAYOUT:
                made[f"{where} operation {name} .{key}"] = value.strip()
    for name, values in _NAMES.findall(text):
        listed = " ".join(re.findall(r'"([^"]*)"', values))
        operation = f"{where} operation {name.removesuffix('_scopes')}"
        if name.endswith("_scopes") and operation in made:
            made[f"{operation} .scopes"] = listed
        else:
            made[f"{where} names {name}"] = listed
    for name, response, item, body in _OPERATION.findall(text):
        made[f"{where} operation {name} response"] = response
        if item:
            made[f"{where} operation {name} item"] = item
        initials(body, f"{where} operation {name}")
    return made


def _plain(text: str) -> str:
    """Without comments, line breaks, and blanks beside punctuation; literals stay as they are."""
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r" ?(::|[(){}<>,;=&\[\]|]) ?", r"\1", re.sub(r"\s+", " ", parts[at]))
        # A comma before a closing brace is the formatter's.
        parts[at] = parts[at].replace(",}", "}")
    # Literals that clang-format broke are one again.
    for at in range(2, len(parts) - 1, 2):
        if parts[at] == " ":
            parts[at - 1 : at + 2] = ["", "", parts[at - 1][:-1] + parts[at + 1][1:]]
    return "".join(parts)


def owner(key: str) -> str:
    """The operation, type or list of names that a fact belongs to."""
    return " ".join(key.split(" ")[:3])


def counts(read: dict[str, str]) -> dict[str, dict[str, int]]:
    """How much was read, by version, in the words of the report."""
    made: dict[str, dict[str, int]] = {}
    kinds = {
        r"operation \w+": "operations",
        r"type \w+": "structs",
        r"type \w+ field .*": "fields",
        r"names \w+": "enums",
        r"operation \w+ parameter .*": "parameters",
    }
    for key in read:
        version, _, rest = key.partition("/")
        rest = rest.partition(" ")[2]
        for pattern, what in kinds.items():
            if re.fullmatch(pattern, rest):
                table = made.setdefault(version, {})
                table[what] = table.get(what, 0) + 1
    return made


def digests(read: dict[str, str]) -> dict[str, str]:
    """A short digest of all that is said of each operation, type and list of names."""
    parts: dict[str, list[str]] = {}
    for key in sorted(read):
        parts.setdefault(owner(key), []).append(f"{key}\t{read[key]}\n")
    return {
        name: hashlib.sha256("".join(lines).encode()).hexdigest()[:8]
        for name, lines in sorted(parts.items())
    }


def report(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Lines that begin with + (added), - (removed) or ~ (changed)."""
    lines = []
    gone_or_new = {key for key in set(old) ^ set(new) if key == owner(key)}
    for key in sorted(set(old) | set(new)):
        if owner(key) in gone_or_new and owner(key) != key:
            continue
        if key not in new:
            lines.append(f"- {key}" + (f": {old[key]}" if old[key] and key != owner(key) else ""))
        elif key not in old:
            lines.append(f"+ {key}" + (f": {new[key]}" if new[key] else ""))
        elif old[key] != new[key]:
            lines.append(f"~ {key}: {old[key]} -> {new[key]}")
    return lines

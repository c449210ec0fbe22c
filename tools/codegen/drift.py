# SPDX-License-Identifier: BSL-1.0
"""Drift: what a newer description adds, removes and changes in the committed headers.

Both sides are read from generated headers, so that the report shows what users of the library will
see and no second record of the committed state has to be kept.
"""

import pathlib
import re

_META = re.compile(r"inline constexpr operation_meta (\w+)::meta\{\n(.*?)\n\};", re.S)
_FACT = re.compile(r"^    \.(\w+) = (.*?),$", re.M | re.S)
_TABLE = re.compile(r"inline constexpr json::field (\w+)\[\] = \{\n(.*?)\n\};", re.S)
_PARAMETERS = re.compile(r"inline constexpr parameter (\w+)_parameters\[\] = \{\n(.*?)\n\};", re.S)
_ROW = re.compile(r'\{"([^"]+)",(.*?)\}(?:,|$)(?=\s*(?:\{"|\Z))', re.S)
_NAMES = re.compile(r"inline constexpr std::string_view (\w+)\[\] = \{(.*?)\};", re.S)

# Facts that change with the layout of the code, not with the API.
_LAYOUT = {"family", "name", "extra_query_offset", "extra_body_offset", "body_offset"}


def read(include: pathlib.Path) -> dict[str, str]:
    """Everything that the headers say, one line per fact."""
    facts: dict[str, str] = {}
    for version in ("v2", "v3"):
        for path in sorted((include / "highlevel" / version).glob("*.hpp")):
            text = path.read_text(encoding="utf-8")
            where = f"{version}/{path.stem}"
            for name, rows in _TABLE.findall(text):
                facts[f"{where} type {name}"] = ""
                for wire, rest in _ROW.findall(rows):
                    facts[f"{where} type {name} field {wire}"] = _type(rest)
            for name, rows in _PARAMETERS.findall(text):
                for wire, rest in _ROW.findall(rows):
                    facts[f"{where} operation {name} parameter {wire}"] = _type(rest)
            for name, values in _NAMES.findall(text):
                facts[f"{where} names {name}"] = " ".join(re.findall(r'"([^"]*)"', values))
            for name, rows in _META.findall(text):
                facts[f"{where} operation {name}"] = ""
                for key, value in _FACT.findall(rows):
                    if key not in _LAYOUT:
                        facts[f"{where} operation {name} .{key}"] = " ".join(value.split())
            for name, type_ in re.findall(
                r"struct (\w+) \{\n    using response_type = (.*?);", text, re.S
            ):
                facts[f"{where} operation {name} response"] = " ".join(type_.split())
    return facts


def _type(row: str) -> str:
    """`, offsetof(...), &json::type_of<T>, json::presence::required` -> `T required`."""
    found = re.search(r"type_of<(.*)>(.*)", " ".join(row.split()))
    if not found:
        return ""
    required = "required" in found.group(2) or ", true" in found.group(2)
    return found.group(1) + (" required" if required else "")


def report(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Lines that begin with + (added), - (removed) or ~ (changed)."""
    lines = []
    gone_or_new = {
        key
        for key in set(old) ^ set(new)
        if re.fullmatch(r"\S+ (operation|type) \w+", key)
    }
    for key in sorted(set(old) | set(new)):
        owner = re.match(r"\S+ (?:operation|type) \w+", key)
        if owner and owner.group(0) in gone_or_new and owner.group(0) != key:
            continue
        if key not in new:
            lines.append(f"- {key}")
        elif key not in old:
            lines.append(f"+ {key}" + (f": {new[key]}" if new[key] else ""))
        elif old[key] != new[key]:
            lines.append(f"~ {key}: {old[key]} -> {new[key]}")
    return lines

# SPDX-License-Identifier: BSL-1.0
"""Naming rules: wire names and schema names become C++ identifiers.

Pure functions over text, so that the rules can be tested alone (tests/generated/test_codegen.py).
"""

import re

# Words that the splitting rule would cut in two.
WORDS = (
    ("OAuth", "Oauth"),
    ("LinkedIn", "Linkedin"),
    ("TikTok", "Tiktok"),
    ("YouTube", "Youtube"),
    ("A2P", "A2p"),
    ("IDs", "Ids"),
    ("RRule", "Rrule"),
)

KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while
    xor xor_eq
    """.split()
)

# Macros of common C headers and of gnu++ mode, which no scope protects an identifier from.
MACROS = frozenset("assert errno stdin stdout stderr offsetof unix linux i386 major minor".split())

_SUFFIX = re.compile(r"(DTO|Dto|Schema|V3)$")


def snake(text: str) -> str:
    """`firstName` -> `first_name`, `GET-all` -> `get_all`, `HTMLBody` -> `html_body`."""
    for word, plain in WORDS:
        text = text.replace(word, plain)
    text = re.sub(r"[^0-9A-Za-z]+", "_", text)
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    return re.sub(r"_+", "_", text).strip("_").lower()


def identifier(text: str) -> str:
    """A C++ identifier for any text: snake case, with the exceptions mended."""
    name = snake(text)
    if text.endswith("+"):
        name += "_plus"
    if not name:
        return "empty"
    if name[0].isdigit():
        return "n" + name
    if name in KEYWORDS or name in MACROS:
        return name + "_"
    return name


def schema_stem(schema: str) -> str:
    """The schema's name without the suffixes that say only that it is one."""
    while True:
        shorter = _SUFFIX.sub("", schema)
        if shorter == schema or not shorter:
            return identifier(schema)
        schema = shorter


def schema_names(schemas: list[str], renames: dict[str, str] | None = None) -> dict[str, str]:
    """C++ names of a family's schemas; those that would meet keep their full names."""
    renames = renames or {}
    stems: dict[str, list[str]] = {}
    for schema in schemas:
        stems.setdefault(renames.get(schema) or schema_stem(schema), []).append(schema)
    names = {}
    for stem, group in stems.items():
        for schema in group:
            full = len(group) > 1 and schema not in renames
            names[schema] = identifier(schema) if full else stem
    return names


def member_names(
    wires: list[str], deprecated: frozenset[str] | set[str] = frozenset()
) -> dict[str, str]:
    """C++ names of an object's members, in the given order.

    A leading underscore gives way (`_id` beside `id` is `id_raw`), and so does a deprecated
    snake_case twin (`field_value` beside `fieldValue` is `field_value_legacy`).
    """
    groups: dict[str, list[str]] = {}
    for wire in wires:
        groups.setdefault(identifier(wire), []).append(wire)
    names = {}
    for name, group in groups.items():
        for wire in group:
            if len(group) == 1:
                names[wire] = name
            elif wire.startswith("_"):
                names[wire] = name + "_raw"
            elif wire in deprecated and "_" in wire:
                names[wire] = name + "_legacy"
            else:
                names[wire] = name
    return names


def camel(name: str) -> str:
    """The usual wire name of a member: `first_name` -> `firstName`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

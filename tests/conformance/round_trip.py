#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Every example object of the API's description, decoded and encoded, is the same JSON again.

usage: round_trip.py --program PROGRAM

What may differ is what examples_listed.tsv explains, place by place; an entry there that nothing
needs fails. By rule, and only in responses, null, an empty list and an empty object may come back as
nothing: a response is read and never sent, and its members give the same for all four, which
tests/json/decode.cpp and encode.cpp hold the codec to. In a body each of them is a difference. Exit
status 77: skipped, for want of the description (see conformance.py).
"""

import argparse
import json
import pathlib
import subprocess
import sys

from conformance import HERE, SKIPPED, description, families

LISTED = HERE / "examples_listed.tsv"
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
NOTHING = object()


class Examples:
    """The examples of one document, each within the body or response that it is a part of."""

    def __init__(self, document: dict):
        self.document = document
        self.schemas = document.get("components", {}).get("schemas", {})
        self.seen: set[tuple] = set()

    def run(self):
        """(operationId, `body` or `response`, place, JSON value)."""
        for item in self.document["paths"].values():
            for operation in (o for m, o in item.items() if m in METHODS):
                for part, content in self._contents(operation):
                    for place, value in self._content(part, content):
                        yield operation["operationId"], part, place, value

    @staticmethod
    def _contents(operation: dict):
        for media, content in operation.get("requestBody", {}).get("content", {}).items():
            # Forms are not JSON on the wire.
            if "json" in media:
                yield "body", content
        for code, response in operation["responses"].items():
            if code.startswith("2"):
                for content in response.get("content", {}).values():
                    yield "response", content

    def _content(self, part: str, content: dict):
        named = {"": content} if "example" in content else {}
        named.update(content.get("examples", {}))
        for name, holder in named.items():
            value = holder.get("example", holder.get("value", NOTHING))
            if isinstance(value, (dict, list)):
                yield f"example {name}".strip(), value
        schema = content.get("schema", {})
        whole = self._compose(schema, ())
        if isinstance(whole, (dict, list)) and whole:
            yield "members", whole
        yield from self._inner(schema, "", lambda value: value, ())

    def _plain(self, schema: dict) -> tuple[dict, str | None]:
        """Through references; and the name of the last one."""
        name = None
        while True:
            if "$ref" in schema:
                name = schema["$ref"].rsplit("/", 1)[-1]
                schema = self.schemas.get(name, {})
            elif len(schema.get("allOf", [])) == 1 and "example" not in schema:
                schema = schema["allOf"][0]
            else:
                break
        if len(schema.get("allOf", [])) > 1:
            merged: dict = {"type": "object", "properties": {}}
            for part in schema["allOf"]:
                merged["properties"].update(self._plain(part)[0].get("properties", {}))
            return merged, name
        return schema, name

    @staticmethod
    def _own(schema: dict):
        """The example of the schema itself; text in the place of an object is none."""
        value = schema.get("example", NOTHING)
        container = schema.get("type") in ("object", "array") or "properties" in schema
        if isinstance(value, str) and container:
            try:
                value = json.loads(value)
            except ValueError:
                return NOTHING
            return value if isinstance(value, (dict, list)) else NOTHING
        return value

    def _compose(self, schema: dict, above: tuple):
        """The value that the examples of the members make up; of a union, its first one's."""
        schema, name = self._plain(schema)
        own = self._own(schema)
        if own is not NOTHING or (name is not None and name in above):
            return own
        above += (name,)
        for alternative in self._alternatives(schema):
            made = self._compose(alternative, above)
            if made is not NOTHING:
                return made
        if schema.get("properties"):
            made = {w: self._compose(s, above) for w, s in schema["properties"].items()}
            return {w: v for w, v in made.items() if v is not NOTHING} or NOTHING
        if schema.get("type") == "array" and schema.get("items"):
            inner = self._compose(schema["items"], above)
            return NOTHING if inner is NOTHING else [inner]
        if isinstance(schema.get("additionalProperties"), dict):
            inner = self._compose(schema["additionalProperties"], above)
            return NOTHING if inner is NOTHING else {"key": inner}
        return NOTHING

    @staticmethod
    def _alternatives(schema: dict) -> list[dict]:
        return schema.get("oneOf", []) + schema.get("anyOf", [])

    def _inner(self, schema: dict, place: str, wrap, above: tuple):
        """Examples that are objects or lists, each alone in what surrounds it."""
        schema, name = self._plain(schema)
        if name is not None:
            if name in above:
                return
            above += (name,)
        own = self._own(schema)
        if isinstance(own, (dict, list)) and own:
            key = (name, place if name is None else "", json.dumps(own, sort_keys=True))
            if key not in self.seen:
                self.seen.add(key)
                yield place, wrap(own)
        for wire, inner in schema.get("properties", {}).items():
            yield from self._inner(
                inner, f"{place}/{wire}", lambda v, w=wire: wrap({w: v}), above
            )
        if schema.get("items"):
            yield from self._inner(schema["items"], f"{place}/*", lambda v: wrap([v]), above)
        if isinstance(schema.get("additionalProperties"), dict):
            yield from self._inner(
                schema["additionalProperties"], f"{place}/key", lambda v: wrap({"key": v}), above
            )
        # Each alternative whole: its own example, or that of its members.
        for alternative in self._alternatives(schema):
            whole = self._compose(alternative, above)
            if isinstance(whole, (dict, list)) and whole:
                yield place, wrap(whole)
            yield from self._inner(alternative, place, wrap, above)


def differences(before, after, lenient: bool, at=""):
    """Where two values differ, and how; `lenient` as responses are."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from differences(
                before.get(key, NOTHING), after.get(key, NOTHING), lenient, f"{at}/{key}"
            )
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after):
            yield from differences(old, new, lenient, f"{at}/*")
    elif lenient and after is NOTHING and before in (None, [], {}):
        return
    elif isinstance(before, bool) != isinstance(after, bool) or before != after:
        yield at, f"{_shown(before)} became {_shown(after)}"


def _shown(value) -> str:
    return "nothing" if value is NOTHING else json.dumps(value)


class Listed:
    """The differences that are known, and which of them were met."""

    def __init__(self):
        self.rows: dict[tuple[str, str, str], bool] = {}
        for number, line in enumerate(LISTED.read_text(encoding="utf-8").splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != 4 or not all(cells):
                sys.exit(f"{LISTED.name}, line {number}: not versions, family, place, reason")
            for version in cells[0].split(","):
                self.rows[version, cells[1], cells[2]] = False

    def knows(self, version: str, family: str, place: str) -> bool:
        if (version, family, place) not in self.rows:
            return False
        self.rows[version, family, place] = True
        return True

    def unused(self) -> list[str]:
        return [" ".join(row) for row, used in self.rows.items() if not used]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    folder = description()
    if not folder.is_dir():
        print(f"skipped: no description in {folder} (HIGHLEVEL_OPENAPI_DIR names another place)")
        return SKIPPED

    asked = []
    for version, family, path in families(folder):
        document = json.loads(path.read_text(encoding="utf-8"))
        for id_, part, place, value in Examples(document).run():
            asked.append((version, family, id_, part, place, value))
    lines = "".join(
        f"{version}\t{family}\t{id_}\t{part}\t{json.dumps(value)}\n"
        for version, family, id_, part, _, value in asked
    )
    done = subprocess.run(
        [options.program], input=lines, capture_output=True, text=True, check=True, timeout=240
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(asked), f"{len(answers)} answers to {len(asked)} examples"

    known = Listed()
    wrong = []
    equal = 0
    for (version, family, id_, part, _, value), line in zip(asked, answers):
        kind, _, text = line.partition("\t")
        found = (
            list(differences(value, json.loads(text), part == "response"))
            if kind == "json"
            else [("", text)]
        )
        equal += not found
        for at, how in found:
            where = f"{id_}:{part}{at}"
            if not known.knows(version, family, where):
                wrong.append(f"{version}\t{family}\t{where}\t{how}")
    wrong += [f"{LISTED.name}: {row}: nothing differs there; remove it" for row in known.unused()]
    print("\n".join(dict.fromkeys(wrong)))
    print(f"{len(asked)} examples, {equal} equal, {len(wrong)} problems")
    return 1 if wrong or not asked else 0


if __name__ == "__main__":
    sys.exit(main())

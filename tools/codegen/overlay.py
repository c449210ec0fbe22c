# SPDX-License-Identifier: BSL-1.0
"""The overlay: hand-written corrections of the description, each with its evidence.

Every entry must have an effect; one that has none fails the run, because the description has
changed under it and a person should look.
"""

import copy
import json
import pathlib
import re
import tomllib

from .description import DescriptionError, Family

# What [[operation]] may say, and how each fact shows that it had an effect; see Lowering.
FACTS = {
    "raw",
    "file_field",
    "max_file_bytes",
    "max_video_bytes",
    "list_style",
    "paging",
    "idempotent",
}

_STEP = re.compile(r"\.([^.\[{]+)|(\[\])|(\{\*\})")


class OverlayError(Exception):
    """An entry is wrong, or has no effect any more."""


class Overlay:
    def __init__(self, path: pathlib.Path):
        with path.open("rb") as file:
            self.table = tomllib.load(file)
        unknown = set(self.table) - {"schema", "union", "rename", "operation"}
        if unknown:
            raise OverlayError(f"{path.name}: unknown entries {sorted(unknown)}")
        for kind, entries in self.table.items():
            for entry in entries:
                if not entry.get("evidence"):
                    raise OverlayError(f"{path.name}: [[{kind}]] without evidence: {entry}")
                if not entry.get("versions"):
                    raise OverlayError(f"{path.name}: [[{kind}]] without versions: {entry}")
        self.renames: dict[tuple[str, str], dict[str, str]] = {}
        self.facts: dict[tuple[str, str, str], dict] = {}
        # Schemas that entries put somewhere or marked, and those that the lowering came by.
        self._placed: list[tuple[str, dict, str]] = []
        self._met: set[int] = set()
        self.problems: list[str] = []
        self.applied = 0

    def apply(self, families: list[Family]) -> None:
        """Corrects the documents in place and collects renames and facts."""
        index: dict[tuple[str, str], Family] = {(f.version, f.name): f for f in families}
        for entry in self.table.get("schema", []):
            value = json.loads(entry["set"])
            for family in self._families(entry, index):
                for at in _listed(entry["at"]):
                    self._set(family, at, copy.deepcopy(value))
        for entry in self.table.get("union", []):
            for family in self._families(entry, index):
                for at in _listed(entry["at"]):
                    self._union(family, at, entry["as"], entry.get("without", []))
        for entry in self.table.get("rename", []):
            for family in self._families(entry, index):
                if entry["schema"] not in family.schemas:
                    self._problem(family, f"[[rename]] {entry['schema']}: no such schema")
                    continue
                key = (family.version, family.name)
                self.renames.setdefault(key, {})[entry["schema"]] = entry["to"]
                self.applied += 1
        for entry in self.table.get("operation", []):
            facts = {
                k: v
                for k, v in entry.items()
                if k not in ("versions", "family", "families", "id", "evidence")
            }
            if set(facts) - FACTS or not facts:
                raise OverlayError(f"[[operation]] {entry['id']}: cannot say {sorted(facts)}")
            for family in self._families(entry, index):
                ids = {operation["operationId"] for _, _, operation in family.operations()}
                for name in _listed(entry["id"]):
                    if name not in ids:
                        self._problem(family, f"[[operation]] {name}: no such operation")
                        continue
                    self.facts.setdefault((family.version, family.name, name), {}).update(facts)
                    self.applied += 1

    def met(self, schema: dict) -> None:
        """The lowering used this schema."""
        self._met.add(id(schema))

    def idle(self, family: Family, text: str) -> None:
        """An entry that the lowering found to have no effect."""
        self._problem(family, text)

    def without_effect(self) -> list[str]:
        """The entries that are no longer needed; complete once everything is lowered."""
        # Looked up now, because a later entry may have put another schema in the place.
        unmet = [text for text, holder, key in self._placed if id(holder.get(key)) not in self._met]
        return self.problems + [f"{text}: nothing uses this schema" for text in unmet]

    def finish(self) -> None:
        if listed := self.without_effect():
            raise OverlayError("overlay entries without effect:\n  " + "\n  ".join(listed))

    def _place(self, family: Family, text: str, holder: dict, key: str) -> None:
        self._placed.append((f"{family.version} {family.name}: {text}", holder, key))

    def _problem(self, family: Family, text: str) -> None:
        self.problems.append(f"{family.version} {family.name}: {text}")

    def _families(self, entry, index):
        for version in entry["versions"]:
            for name in _listed(entry.get("families") or entry["family"]):
                family = index.get((version, name))
                if family is None:
                    self.problems.append(f"{version} {name}: no such family ({entry})")
                else:
                    yield family

    def _set(self, family: Family, at: str, value) -> None:
        """Puts `value` where `at` says; see README.md for the notation."""
        if at.endswith("!"):
            self._require(family, at[:-1], value)
            return
        if at.endswith("?"):
            self._nullable(family, at[:-1], value)
            return
        try:
            holder, key = self._resolve(family, at)
        except (KeyError, TypeError, DescriptionError) as error:
            self._problem(family, f"[[schema]] {at}: not there ({error})")
            return
        if holder.get(key) == value:
            self._problem(family, f"[[schema]] {at}: the description already says so")
            return
        if value is None:
            if key not in holder:
                self._problem(family, f"[[schema]] {at}: already gone")
                return
            del holder[key]
        else:
            holder[key] = value
            self._place(family, f"[[schema]] {at}", holder, key)
        self.applied += 1

    def _require(self, family: Family, at: str, value: bool) -> None:
        """Says whether a property or parameter is required."""
        try:
            if ":query." in at:
                holder, _ = self._resolve(family, at)
                before = bool(holder.get("required"))
                holder["required"] = value
                self._place(family, f"[[schema]] {at}!", holder, "schema")
            else:
                holder, key = self._resolve(family, at[: at.rindex(".")])
                owner = _through_ref(family, holder[key])
                listed = owner.setdefault("required", [])
                wire = at[at.rindex(".") + 1 :]
                self._place(family, f"[[schema]] {at}!", owner["properties"], wire)
                before = wire in listed
                if value and not before:
                    listed.append(wire)
                elif before and not value:
                    listed.remove(wire)
        except (KeyError, TypeError, DescriptionError) as error:
            self._problem(family, f"[[schema]] {at}!: not there ({error})")
            return
        if before == value:
            self._problem(family, f"[[schema]] {at}!: the description already says so")
        self.applied += 1

    def _nullable(self, family: Family, at: str, value: bool) -> None:
        """Says whether a property may be null."""
        try:
            holder, key = self._resolve(family, at)
            schema = holder[key]
        except (KeyError, TypeError, DescriptionError) as error:
            self._problem(family, f"[[schema]] {at}?: not there ({error})")
            return
        if bool(schema.get("nullable")) == value:
            self._problem(family, f"[[schema]] {at}?: the description already says so")
        schema["nullable"] = value
        self._place(family, f"[[schema]] {at}?", holder, key)
        self.applied += 1

    def _union(self, family: Family, at: str, kind: str, without: list[str]) -> None:
        """Classifies a oneOf or anyOf, which may lose alternatives."""
        try:
            holder, key = self._resolve(family, at)
            schema = holder if at.partition(":")[2].startswith("query.") else holder[key]
            union = "oneOf" if "oneOf" in schema else "anyOf"
            alternatives = schema[union]
            for name in without:
                alternatives.remove({"$ref": f"#/components/schemas/{name}"})
        except (KeyError, TypeError, ValueError, DescriptionError) as error:
            self._problem(family, f"[[union]] {at}: not there ({error})")
            return
        if kind not in ("value", "variant"):
            self._problem(family, f"[[union]] {at}: as {kind!r}")
        schema["x-union"] = kind
        # A parameter may carry the union itself.
        if schema is holder:
            holder, key = {"": schema}, ""
        self._place(family, f"[[union]] {at}", holder, key)
        self.applied += 1

    def _resolve(self, family: Family, at: str):
        """The object and key that `at` names: `Schema.prop[].x`, `op:response`, `op:query.x`."""
        if ":" in at:
            name, _, rest = at.partition(":")
            operation = next(
                (o for _, _, o in family.operations() if o["operationId"] == name), None
            )
            if operation is None:
                raise DescriptionError("no such operation")
            what, _, path = rest.partition(".")
            if what.startswith("query"):
                for parameter in operation["parameters"]:
                    if parameter["in"] == "query" and parameter["name"] == path:
                        return parameter, "schema"
                raise KeyError(path)
            if what == "response":
                code = next((c for c in operation["responses"] if c.startswith("2")), None)
                if code is None:
                    raise KeyError("2xx")
                holder = operation["responses"][code]
            elif what == "body":
                holder = operation.setdefault("requestBody", {"required": True})
            else:
                raise DescriptionError("neither query, body nor response")
            holder = holder.setdefault("content", {})
            media = next(iter(holder), "application/json")
            holder, key = holder.setdefault(media, {}), "schema"
            path = "." + path if path else ""
        else:
            found = re.match(r"[^.\[{]+", at)
            holder, key = family.schemas, found.group(0)
            path = at[found.end() :]
        while path:
            step = _STEP.match(path)
            if not step:
                raise DescriptionError(f"cannot read {path!r}")
            schema = _through_ref(family, holder[key])
            if step.group(1):
                holder, key = schema.setdefault("properties", {}), step.group(1)
            elif step.group(2):
                holder, key = schema, "items"
            else:
                holder, key = schema, "additionalProperties"
            path = path[step.end() :]
        return holder, key


def _through_ref(family: Family, schema: dict) -> dict:
    while "$ref" in schema:
        schema = family.schemas[schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def _listed(value) -> list[str]:
    return value if isinstance(value, list) else [value]

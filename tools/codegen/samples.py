# SPDX-License-Identifier: BSL-1.0
"""Samples for the conformance test: what the description asks of a value beyond its C++ type.

The test fills members by their types: `true`, `1`, "sample", the first enumerator, one element.
Where the description as published (without the overlay) would refuse that, the table has a value
that it accepts, or null where the C++ type cannot hold one and the member may be left out.
"""

import json

from .description import DescriptionError, Family
from .model import FamilyModel, Operation, Type

# Samples for formats and patterns; a pattern that is not listed fails the run.
FORMATS = {"date-time": "2026-01-02T03:04:05Z"}
PATTERNS = {
    r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$": "09:30",
    r"^[A-Za-z_]+/[A-Za-z_]+$": "America/New_York",
    r"^\d{4}-\d{2}-\d{2}$": "2026-01-02",
}

DEFAULT = {"string": "sample", "integer": 1, "number": 1, "boolean": True}


class Samples:
    """The lines of the table for one family."""

    def __init__(self, family: Family, model: FamilyModel):
        self.family = family
        self.model = model
        self.lines: list[str] = []

    def run(self) -> list[str]:
        published = {o["operationId"]: o for _, _, o in self.family.operations()}
        for operation in self.model.operations:
            self._operation(operation, published[operation.id])
        return self.lines

    def _operation(self, operation: Operation, published: dict) -> None:
        self.prefix = f"{self.model.version}\t{self.model.family}\t{operation.name}\t"
        declared = {(p["in"], p["name"]): p for p in published.get("parameters", [])}
        for parameter in operation.parameters:
            found = declared.get((parameter.place, parameter.wire))
            if found is None:
                continue
            schema = found.get("schema") or {}
            if "schema" in found and ("anyOf" in found or "oneOf" in found):
                continue
            self._text(parameter.type, schema, f"{parameter.place}/{parameter.wire}")
        content = published.get("requestBody", {}).get("content", {})
        if operation.body is None or not content:
            return
        media = next(iter(content))
        if operation.sends == "form":
            media = "application/x-www-form-urlencoded"
        self._value(operation.body.type, content[media].get("schema"), "body")

    def _emit(self, at: str, value) -> None:
        self.lines.append(f"{self.prefix}{at}\t{json.dumps(value)}")

    def _omit(self, at: str, reason: str) -> None:
        """The member is left out, which nothing but a fault of the description may cause."""
        self.lines.append(f"{self.prefix}{at}\tnull\t{reason}")

    def _omit_other(self, at: str, kind: str, type_: Type) -> None:
        why = {
            "example": "its example shows",
            "overlay": "the overlay says",
            "rule": "the rules make it",
        }.get(type_.reason, "the models have")
        self._omit(at, f"The description says {kind}, but {why} {type_.kind}.")

    def _plain(self, schema: dict | None) -> dict:
        """Without references and without allOf."""
        schema = schema or {}
        while True:
            if "$ref" in schema:
                schema = self.family.schemas[schema["$ref"].rsplit("/", 1)[-1]]
            elif len(schema.get("allOf", [])) == 1:
                schema = schema["allOf"][0]
            else:
                break
        if "allOf" in schema:
            merged: dict = {"type": "object", "properties": {}, "required": []}
            for part in map(self._plain, schema["allOf"]):
                merged["properties"].update(part.get("properties", {}))
                merged["required"] += part.get("required", [])
            return merged
        return schema

    def _text(self, type_: Type, schema: dict, at: str) -> None:
        """A parameter: whatever its type, its text stands in the request."""
        schema = self._plain(schema)
        if type_.kind == "list" and schema.get("type") == "array":
            self._text(type_.inner, schema.get("items") or {}, at + "/*")
            return
        wanted = self._sample(schema)
        if isinstance(wanted, (list, dict)):
            self._omit_other(at, schema.get("type", "object"), type_)
            return
        as_text = type_.kind in ("string", "enum", "value")
        kept = "sample" if as_text else DEFAULT.get(type_.kind)
        if type_.kind == "enum":
            kept = type_.ref.values[0]
        if schema.get("type") in (None, "any") or wanted == kept:
            return
        if as_text and not isinstance(wanted, str):
            wanted = json.dumps(wanted)
        # Any number is a text, too.
        if as_text or not isinstance(wanted, str):
            self._emit(at, wanted)

    def _value(self, type_: Type, schema: dict | None, at: str, required=False) -> None:
        """A body or a part of it. What is required stays, also where it cannot be right."""
        schema = self._plain(schema)
        union = schema.get("oneOf") or schema.get("anyOf")
        if union:
            if type_.kind == "variant":
                self._value(type_.alternatives[0], union[0], at, required)
                return
            schema = self._plain(union[0])
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        if kind in (None, "any"):
            return
        if type_.kind == "value":
            self._emit(at, self._sample({"oneOf": union} if union else schema))
        elif kind == "object" and type_.kind == "struct":
            self._members(type_, schema, at)
        elif kind == "object" and type_.kind == "map":
            additional = schema.get("additionalProperties")
            if isinstance(additional, dict):
                self._value(type_.inner, additional, at + "/*")
        elif kind == "object" and type_.kind == "object":
            return
        elif kind == "array" and type_.kind == "list":
            if schema.get("minItems", 0) > 1:
                self._emit(at, self._sample(schema))
            else:
                self._value(type_.inner, schema.get("items"), at + "/*")
        elif kind in ("string", "boolean", "number", "integer"):
            self._scalar(type_, schema, kind, at, required)
        elif not required:
            self._omit_other(at, kind, type_)

    def _members(self, type_: Type, schema: dict, at: str) -> None:
        properties = schema.get("properties", {})
        for member in type_.ref.members:
            if member.wire in properties:
                inner = properties[member.wire]
                self._value(member.type, inner, f"{at}/{member.wire}", member.required)
            elif schema.get("additionalProperties") is False:
                why = "The description has no such member and allows no other; the overlay adds it."
                self._omit(f"{at}/{member.wire}", why)

    def _scalar(self, type_: Type, schema: dict, kind: str, at: str, required: bool) -> None:
        fits = {
            "string": ("string", "enum"),
            "boolean": ("boolean",),
            "number": ("integer", "number"),
            "integer": ("integer", "number"),
        }[kind]
        wanted = self._sample(schema)
        if type_.kind not in fits or (type_.kind == "integer" and not isinstance(wanted, int)):
            if not required:
                self._omit_other(at, kind, type_)
            return
        kept = type_.ref.values[0] if type_.kind == "enum" else DEFAULT[type_.kind]
        if wanted != kept:
            self._emit(at, wanted)

    def _sample(self, schema: dict | None):
        """A value that the schema accepts."""
        schema = self._plain(schema)
        union = schema.get("oneOf") or schema.get("anyOf")
        if union:
            made = [self._sample(alternative) for alternative in union]
            # oneOf wants a value that no other alternative accepts.
            sole = (m for m in made if sum(self._accepts(a, m) for a in union) == 1)
            return next(sole, made[0])
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        if kind == "object":
            properties = schema.get("properties", {})
            required = dict.fromkeys(schema.get("required", []))
            return {name: self._sample(properties.get(name)) for name in required}
        if kind == "array":
            first = self._sample(schema.get("items"))
            return [_varied(first, i) for i in range(max(1, schema.get("minItems", 0)))]
        if schema.get("enum"):
            return schema["enum"][0]
        if kind == "string":
            return self._string(schema)
        if kind in ("number", "integer"):
            return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
        return DEFAULT.get(kind, "sample")

    def _accepts(self, schema: dict, value) -> bool:
        """Whether a sample would pass, as far as samples differ."""
        schema = self._plain(schema)
        kinds = {"object": dict, "array": list, "string": str, "boolean": bool}
        if not isinstance(value, kinds.get(schema.get("type"), object)):
            return False
        if schema.get("enum") and value not in schema["enum"]:
            return False
        if not isinstance(value, dict):
            return True
        properties = schema.get("properties", {})
        return set(schema.get("required", [])) <= set(value) and all(
            self._accepts(properties[name], inner)
            for name, inner in value.items()
            if name in properties
        )

    @staticmethod
    def _string(schema: dict) -> str:
        if schema.get("format") in FORMATS:
            return FORMATS[schema["format"]]
        if "pattern" in schema:
            if schema["pattern"] not in PATTERNS:
                raise DescriptionError(
                    f"pattern {schema['pattern']!r} has no sample: add one to PATTERNS in samples.py"
                )
            return PATTERNS[schema["pattern"]]
        return DEFAULT["string"][: schema.get("maxLength")]


def _varied(value, number: int):
    """The value, made different by its number, for lists of unique elements."""
    if number == 0:
        return value
    if isinstance(value, str):
        return f"{value} {number}"
    if isinstance(value, dict):
        return {name: _varied(inner, number) for name, inner in value.items()}
    return value


def table(families: list[Family], models: list[FamilyModel]) -> str:
    """The whole table; `families` are those of the description as published."""
    lines = [
        "# SPDX-License-Identifier: BSL-1.0",
        "# What the types alone do not say of a valid request: version, family, operation, place",
        "# and member (* is any element), JSON value, and where that is null the reason why the member",
        "# is left out. Generated by tools/codegen; edits are lost.",
    ]
    by_key = {(f.version, f.name): f for f in families}
    for model in models:
        lines += Samples(by_key[model.version, model.family], model).run()
    return "\n".join(lines) + "\n"

# SPDX-License-Identifier: BSL-1.0
"""Lowering: a family's OpenAPI document becomes structs, enums and operations.

The rules are in README.md; what is decided against the description's word is counted in the report.
"""

import re
from collections import Counter

from . import names
from .description import Description, DescriptionError, Family, nameless
from .model import (
    Enum,
    FamilyModel,
    Locator,
    Member,
    Operation,
    Paging,
    Parameter,
    Struct,
    Type,
)
from .overlay import Overlay
from .report import Report

VALUE = "value"

# Namespaces that one version renamed; each header offers both names.
ALIASES = {
    ("v2", "ad_manager"): "ad_publishing",
    ("v2", "saas_api"): "saas",
    ("v2", "social_media_posting"): "social_planner",
    ("v3", "ad_publishing"): "ad_manager",
    ("v3", "saas"): "saas_api",
    ("v3", "social_planner"): "social_media_posting",
}

# Without a declared scheme only these are called without a token; every other such operation works
# on a location's data.
ANONYMOUS = {"get-access-token", "getWidget"}

TOKENS = {
    "bearer": ("location_oauth", "location_private"),
    "Location-Access": ("location_oauth", "location_private"),
    "Location-Access-Only": ("location_oauth",),
    "Agency-Access": ("agency_oauth", "agency_private"),
    "Agency-Access-Only": ("agency_oauth",),
}

# Numbers that some operations type as strings; the same text stands in a query.
NUMERIC_PAGING = {"limit", "skip", "offset", "page", "pageSize", "pageLimit", "pageLength"}

# Names that generated code uses unqualified, which no type or operation may hide. (A data member
# called `types` is harmless: before `::` only types and namespaces are looked up.)
RESERVED = {
    "boost", "content", "enum_tables", "field_tables", "file_part", "generation", "highlevel",
    "idempotency", "json", "json_fields", "list_style", "locator", "method", "operation_list", "operation_meta",
    "operation_tables", "operations", "paging", "paging_style", "parameter", "place", "query_pairs", "reply",
    "std", "token_kinds", "types", "wire_names",
}  # fmt: skip

# Members that the generator itself puts into structs and operations.
RESERVED_MEMBERS = {"unknown_fields"}
RESERVED_PARAMETERS = {
    "body", "extra_body", "extra_query", "files", "item_type", "meta", "operation_meta",
    "query_pairs", "response_type",
}  # fmt: skip

MAX_ENUM = 100


class Context:
    """Where a schema stands: for names, labels and the integer rule."""

    def __init__(self, label: str, prop: str, owner: str, inline: str, siblings=frozenset()):
        self.label = label
        # The property's or parameter's wire name.
        self.prop = prop
        # C++ name of the struct or operation around it.
        self.owner = owner
        # C++ name that an inline object here gets.
        self.inline = inline
        self.siblings = siblings

    def item(self) -> "Context":
        return Context(self.label + "[]", self.prop, self.owner, self.inline + "_item")

    def mapped(self) -> "Context":
        return Context(self.label + "{*}", self.prop, self.owner, self.inline + "_value")


class Lowering:
    def __init__(
        self, family: Family, description: Description, overlay: Overlay, report: Report
    ):
        self.family = family
        self.description = description
        self.overlay = overlay
        self.report = report
        self.version = family.version
        key = (family.version, family.name)
        self.schema_names = names.schema_names(
            list(family.schemas), self.overlay.renames.get(key, {})
        )
        self.components: dict[str, Type] = {}
        self.structs: list[Struct] = []
        self.enums: dict[frozenset, Enum] = {}

    # -- entry ----------------------------------------------------------------------------------

    def run(self) -> FamilyModel:
        majority = self._majority_version()
        operations = [
            self._operation(method, path, operation, majority)
            for method, path, operation in self.family.operations()
        ]
        self._directions(operations)
        self._avoid_class_member_clash()
        self._name_enums()
        structs = self._topological()
        name = names.identifier(self.family.name)
        model = FamilyModel(
            version=self.version,
            family=self.family.name,
            name=name,
            file=self.family.file,
            structs=structs,
            enums=sorted(self.enums.values(), key=lambda e: e.name),
            operations=operations,
            alias=ALIASES.get((self.version, name)),
        )
        self._validate(model)
        return model

    def _count(self, what: str, number: int = 1) -> None:
        self.report.count(self.version, what, number)

    def _note(self, text: str) -> None:
        self.report.note(f"{self.version} {self.family.name}: {text}")

    def _error(self, text: str) -> None:
        self.report.error(f"{self.version} {self.family.name}: {text}")

    # -- schemas --------------------------------------------------------------------------------

    def lower(self, schema: dict, at: Context) -> Type:
        self.overlay.met(schema)
        if "x-cpp" in schema:
            return self._forced(schema["x-cpp"])
        if "$ref" in schema:
            return self._component(schema["$ref"], at)
        if "allOf" in schema:
            if len(schema["allOf"]) == 1:
                return self.lower(schema["allOf"][0], at)
            return self._struct(self._flatten(schema), at, at.inline)
        if "oneOf" in schema or "anyOf" in schema:
            return self._union(schema, at)

        by_example = self._by_example(schema, at)
        if by_example is not None:
            return by_example

        kind = schema.get("type")
        if kind == "string":
            return self._string(schema, at)
        if kind == "boolean":
            return Type("boolean")
        if kind == "integer":
            return Type("integer")
        if kind == "number":
            return self._number(schema, at)
        if kind == "array":
            return self._array(schema, at)
        if kind == "object" or "properties" in schema:
            return self._object(schema, at)
        self._count("schemas without a type")
        return Type(VALUE, reason="untyped")

    def _union(self, schema: dict, at: Context) -> Type:
        alternatives = schema.get("oneOf") or schema["anyOf"]
        self.overlay.met(schema)
        if all(alternative == alternatives[0] for alternative in alternatives):
            if "x-union" in schema:
                self.overlay.idle(self.family, f"[[union]] {at.label}: of one alternative")
            self._count("unions of one alternative")
            return self.lower(alternatives[0], at)
        kind = schema.get("x-union")
        if kind == "variant":
            made: list[Type] = []
            for number, alternative in enumerate(alternatives, 1):
                inner = Context(at.label, at.prop, at.owner, f"{at.inline}_{number}", at.siblings)
                made.append(self.lower(alternative, inner))
            if len({type_.cpp_key() for type_ in made}) != len(made):
                raise DescriptionError(f"{at.label}: two alternatives are one type")
            self._count("unions variant")
            return Type("variant", alternatives=made, reason="union")
        if kind == "value":
            self._count("unions json::value")
        else:
            self._count("unions unclassified")
            self._note(f"union not classified, json::value: {at.label}")
        return Type(VALUE, reason="union")

    @staticmethod
    def _forced(text: str) -> Type:
        """`x-cpp` of the overlay: value, string, integer, number, boolean, object, list<...>."""
        found = re.fullmatch(r"(list|map)<(.+)>", text)
        if found:
            inner = Lowering._forced(found.group(2))
            return Type(found.group(1), inner=inner, reason="overlay")
        if text not in ("value", "string", "integer", "number", "boolean", "object"):
            raise DescriptionError(f"x-cpp {text!r}")
        return Type(text, reason="overlay")

    def _component(self, ref: str, at: Context) -> Type:
        if not ref.startswith("#/components/schemas/"):
            raise DescriptionError(f"{at.label}: cannot follow {ref}")
        name = ref.rsplit("/", 1)[-1]
        if name in self.components:
            made = self.components[name]
            if made.kind == "enum":
                made.ref.uses.append((at.prop, at.owner, at.label))
            return made
        if name not in self.family.schemas:
            raise DescriptionError(f"{at.label}: dangling {ref}")
        schema = self.family.schemas[name]
        self.overlay.met(schema)
        self._count("references followed")
        cpp = self.schema_names[name]
        own = Context(name, at.prop, at.owner, cpp)
        if "allOf" in schema and len(schema["allOf"]) > 1:
            schema = self._flatten(schema)
        if self._is_struct(schema):
            return self._struct(schema, own, cpp, component=name)
        made = self.lower(schema, own)
        if made.kind == "enum":
            made.ref.schema = name
        self.components[name] = made
        return made

    @staticmethod
    def _is_struct(schema: dict) -> bool:
        return (
            "x-cpp" not in schema
            and schema.get("type", "object") == "object"
            and bool(schema.get("properties"))
        )

    def _flatten(self, schema: dict) -> dict:
        """allOf of several objects as one."""
        self._count("allOf flattened")
        merged = {"type": "object", "properties": {}, "required": []}
        for part in schema["allOf"]:
            while "$ref" in part:
                part = self.family.schemas[part["$ref"].rsplit("/", 1)[-1]]
            merged["properties"].update(part.get("properties", {}))
            merged["required"] += part.get("required", [])
        return merged

    def _struct(
        self, schema: dict, at: Context, name: str, component: str | None = None
    ) -> Type:
        if not component:
            operation, _, part = at.label.partition(":")
            whole = part in ("body", "response")
            source = f"{part.capitalize()} of `{operation}`" if whole else f"`{at.label}`"
        elif schema.get("x-overlay"):
            source = f"`{component}`, which the description lacks"
        else:
            source = f"Schema `{component}`"
        struct = Struct(name=name, source=source, component=component)
        made = Type("struct", ref=struct)
        if component:
            # Before the members, so that a recursive schema finds itself.
            self.components[component] = made
        properties = schema["properties"]
        required = set(schema.get("required", []))
        for missing in sorted(required - set(properties)):
            self._count("required properties that do not exist")
            self._note(f"{at.label} requires `{missing}`, which it does not describe")
        deprecated = {p for p, s in properties.items() if s.get("deprecated")}
        members = names.member_names(list(properties), deprecated)
        siblings = frozenset(properties)
        for wire, property_schema in properties.items():
            inner = Context(
                f"{at.label}.{wire}",
                wire,
                name,
                f"{name}_{members[wire]}",
                siblings,
            )
            kind = self.lower(property_schema, inner)
            self._count(f"fields {kind.reason}")
            member = Member(
                wire=wire,
                name=members[wire],
                type=kind,
                required=wire in required,
                nullable=bool(property_schema.get("nullable")),
                initial=property_schema.get("x-initial"),
            )
            member.facts = self._facts(property_schema, kind)
            struct.members.append(member)
        self._check_unique([m.name for m in struct.members], f"members of {name}")
        self.structs.append(struct)
        return made

    @staticmethod
    def _facts(schema: dict, kind: Type) -> list[str]:
        """What the description says of a value besides its type; never its sentences."""
        facts = []
        if schema.get("format") == "date-time" and kind.kind == "string":
            facts.append("Date and time, ISO 8601.")
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and high is not None:
            facts.append(f"{low} to {high}.")
        elif low is not None:
            facts.append(f"At least {low}.")
        elif high is not None:
            facts.append(f"At most {high}.")
        if schema.get("maxLength") is not None and kind.kind == "string":
            facts.append(f"At most {schema['maxLength']} characters.")
        if schema.get("maxItems") is not None and kind.kind == "list":
            facts.append(f"At most {schema['maxItems']} elements.")
        default = schema.get("default")
        if isinstance(default, bool):
            facts.append(f"Default: {'true' if default else 'false'}.")
        elif isinstance(default, (int, float)):
            facts.append(f"Default: {default}.")
        elif isinstance(default, str) and re.fullmatch(r"[A-Za-z0-9_.:/+-]{1,40}", default):
            facts.append(f"Default: `{default}`.")
        if schema.get("readOnly"):
            facts.append("Read-only.")
        if schema.get("deprecated"):
            facts.append("Deprecated.")
        return facts

    def _string(self, schema: dict, at: Context) -> Type:
        if "enum" not in schema:
            return Type("string")
        values = list(dict.fromkeys(schema["enum"]))
        if not all(isinstance(v, str) and v for v in values):
            self._count("enums with odd values, string")
            return Type("string", reason="rule")
        if len(values) == 1:
            self._count("enums of one value, string")
            return Type("string", constant=values[0])
        if len(values) > MAX_ENUM:
            self._count(f"enums over {MAX_ENUM} values, string")
            return Type("string", reason="rule")
        key = frozenset(values)
        made = self.enums.get(key)
        if made is None:
            made = self.enums[key] = Enum(values=values)
        made.uses.append((at.prop, at.owner, at.label))
        self._count("enum uses")
        return Type("enum", ref=made)

    def _number(self, schema: dict, at: Context) -> Type:
        if any(isinstance(v, list) for v in schema.get("enum", [])):
            # The store's country codes: typed number, but lists of strings.
            self._count("enums with odd values, string")
            return Type("string", reason="rule")
        fraction = any(
            isinstance(v, float) and not v.is_integer() for v in schema.get("enum", [])
        )
        integer = not fraction and self._is_integer(at)
        self._count("numbers integer" if integer else "numbers double")
        return Type("integer" if integer else "number")

    def _is_integer(self, at: Context) -> bool:
        name = names.snake(at.prop)
        if name == "total":
            return not at.siblings & {"currency", "amountPaid", "discount"}
        rules = self.description.integers
        if name in rules["exact"]:
            return True
        if name in rules["never"]:
            return False
        return any(name.endswith(suffix) for suffix in rules["suffix"])

    def _array(self, schema: dict, at: Context) -> Type:
        items = schema.get("items") or {}
        if not items:
            self._count("arrays without items")
            return Type("list", inner=Type(VALUE), reason="rule")
        if items.get("type") == "array" and not items.get("items"):
            # An artefact of the description: arrays of objects documented as arrays of arrays.
            self._count("arrays of arrays without items")
            return Type("list", inner=Type(VALUE), reason="rule")
        inner = self.lower(items, at.item())
        if inner.kind == "string" and inner.constant:
            inner = Type("string")
        return Type("list", inner=inner, reason=inner.reason)

    def _object(self, schema: dict, at: Context) -> Type:
        if schema.get("properties"):
            return self._struct(schema, at, at.inline)
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict) and additional:
            return Type("map", inner=self.lower(additional, at.mapped()))
        self._count("objects without properties")
        return Type(VALUE, reason="object")

    def _by_example(self, schema: dict, at: Context) -> Type | None:
        """The type that the example shows when it contradicts the declared one."""
        example = schema.get("example")
        if example is None:
            return None
        kind = schema.get("type")

        def decided(type_: Type) -> Type:
            type_.reason = "example"
            return type_

        text = example.strip() if isinstance(example, str) else None
        if kind in ("string", "number", "integer", "boolean"):
            if isinstance(example, (dict, list)):
                self._note(f"{at.label}: {kind}, but the example is {type(example).__name__}")
                return decided(Type(VALUE))
            return None
        if kind == "object":
            if schema.get("properties") or schema.get("additionalProperties"):
                return None
            if text and text[0] not in "{[":
                self._note(f"{at.label}: object, but the example is text")
                plain = dict(schema, type="string")
                return decided(self._string(plain, at))
            if isinstance(example, (int, float)) and not isinstance(example, bool):
                self._note(f"{at.label}: object, but the example is a number")
                return decided(self._number(schema, at))
            return None
        if kind == "array":
            items = schema.get("items") or {}
            scalar = items.get("type") in ("string", "number", "integer", "boolean")
            if text is not None:
                if not text or not scalar or text[0] == "[" or _csv(text):
                    return None
                if text[0] == "{":
                    self._note(f"{at.label}: array of scalars, but the example is an object")
                    return decided(Type("list", inner=Type(VALUE)))
                self._note(f"{at.label}: array, but the example is text")
                return decided(Type(VALUE))
            listed = example if isinstance(example, list) else [example]
            kinds = {type(v) for v in listed}
            if scalar and (kinds & {dict, list} or len(kinds - {float, bool}) > 1):
                self._note(f"{at.label}: array of scalars, but the example has others")
                return decided(Type("list", inner=Type(VALUE)))
        return None

    # -- operations -----------------------------------------------------------------------------

    def _majority_version(self) -> str:
        declared = Counter(
            value
            for _, _, operation in self.family.operations()
            if (value := self._declared_version(operation))
        )
        if declared:
            return declared.most_common(1)[0][0]
        return "2021-07-28"

    @staticmethod
    def _declared_version(operation: dict) -> str | None:
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "header" and parameter["name"].lower() == "version":
                schema = parameter.get("schema", {})
                values = schema.get("enum") or [schema.get("default")]
                if values and values[0]:
                    return values[0]
        return None

    def _operation(self, method: str, path: str, operation: dict, majority: str) -> Operation:
        id_ = operation["operationId"]
        name = names.identifier(id_)
        facts = self.overlay.facts.get((self.version, self.family.name, id_), {})
        self._count("operations")

        declared = self._declared_version(operation)
        version = declared or ("v3" if self.version == "v3" else majority)
        if declared is None:
            self._count("operations without Version")
            self._note(f"{id_}: no Version, {version} assumed")

        parameters = self._parameters(path, operation, name, facts)
        sends, body, files = self._body(operation, name, facts)
        for fact in ("file_field", "max_file_bytes", "max_video_bytes"):
            if fact in facts and not files:
                self._idle(operation, fact)
        raw = bool(facts.get("raw"))
        if "raw" in facts and not raw:
            self._idle(operation, "raw")
        response = Type("string") if raw else self._response(operation, name)
        resource = self.description.resources.get((self.version, self.family.name, id_))
        location, company = self._locators(resource or {})
        if resource is None:
            self._count("operations without an entry in resource-id.json")
            self._note(f"{id_}: not in resource-id.json")
        if location is None and company is None:
            # Newer than the derived facts, or with a body from the overlay.
            location, company = self._locators_by_members(parameters, body)
            if location or company:
                self._count("resources by the members")

        return Operation(
            id=id_,
            name=name,
            method=method,
            path=path,
            version=version,
            version_assumed=declared is None,
            scopes=self._scopes(method, path, operation),
            tokens=self._tokens(operation),
            deprecated=bool(operation.get("deprecated")),
            sends=sends,
            raw=raw,
            parameters=parameters,
            body=body,
            files=files,
            file_field=facts.get("file_field", ""),
            max_file_bytes=facts.get("max_file_bytes", 0),
            max_video_bytes=facts.get("max_video_bytes", 0),
            response=response,
            location=location,
            company=company,
            paging=self._paging(operation, facts),
            idempotent=self._idempotent(method, operation, facts),
        )

    def _idempotent(self, method: str, operation: dict, facts: dict) -> str:
        made = {"get": "safe", "head": "safe", "delete": "idempotent"}.get(method, "neither")
        if "idempotent" in facts:
            if facts["idempotent"] not in ("safe", "idempotent", "neither"):
                raise DescriptionError(f"idempotent = {facts['idempotent']!r}")
            if facts["idempotent"] == made:
                self._idle(operation, "idempotent")
            made = facts["idempotent"]
        self._count(f"repeating {made}")
        return made

    def _parameters(self, path: str, operation: dict, name: str, facts: dict) -> list[Parameter]:
        declared = operation.get("parameters", [])
        made: list[Parameter] = []
        used: set[str] = set()
        # The template says which path parameters there are; some are not declared.
        for wire in re.findall(r"\{([^}]+)\}", path):
            if not any(p["in"] == "path" and p["name"] == wire for p in declared):
                self._count("path parameters not declared")
                self._note(f"{operation['operationId']}: {{{wire}}} is not declared")
            cpp = names.identifier(wire)
            used.add(cpp)
            made.append(
                Parameter(wire=wire, name=cpp, type=Type("string"), required=True, place="path")
            )
            self._count("path parameters")
        for parameter in declared:
            if parameter["in"] == "path" and "{" + parameter["name"] + "}" not in path:
                self._error(f"{operation['operationId']}: {parameter['name']} is not in {path}")
        query = []
        for parameter in declared:
            if parameter["in"] != "query":
                continue
            self._count("query parameters")
            wire = parameter["name"]
            cpp = names.identifier(wire)
            if cpp in used:
                cpp += "_query"
                self._count("query parameters named like a path parameter")
            schema = parameter.get("schema") or {}
            self.overlay.met(schema)
            schema = dict(schema)
            at = Context(f"{operation['operationId']}?{wire}", wire, name, f"{name}_{cpp}")
            kind = self._query_type(parameter, schema, at)
            if "default" in parameter:
                schema.setdefault("default", parameter["default"])
            style = "repeat"
            if kind.kind == "list" and (
                parameter.get("explode") is False
                or _csv(parameter.get("example", schema.get("example")))
            ):
                style = "comma"
                self._count("query lists joined by comma")
            if wire in (styles := facts.get("list_style", {})):
                if styles[wire] == style or kind.kind != "list":
                    self._idle(operation, f"list_style of {wire}")
                style = styles[wire]
            one = Parameter(
                wire=wire,
                name=cpp,
                type=kind,
                required=bool(parameter.get("required")),
                place="query",
                style=style,
            )
            one.initial = schema.get("x-initial")
            one.facts = self._facts(schema, kind)
            if parameter.get("deprecated"):
                one.facts.append("Deprecated.")
            query.append(one)
        made += [p for p in query if p.required] + [p for p in query if not p.required]
        for wire in set(facts.get("list_style", {})) - {p.wire for p in query}:
            self._idle(operation, f"list_style of {wire}")
        self._check_unique([p.name for p in made], f"parameters of {name}")
        return made

    def _idle(self, operation: dict, what: str) -> None:
        """A fact of the overlay that says what is so without it."""
        id_ = operation["operationId"]
        self.overlay.idle(self.family, f"[[operation]] {id_}: {what} has no effect")

    def _query_type(self, parameter: dict, schema: dict, at: Context) -> Type:
        if "x-cpp" not in schema and ("anyOf" in parameter or "oneOf" in parameter):
            return self._union(parameter, at)
        if schema.get("type") == "string" and at.prop in NUMERIC_PAGING and "enum" not in schema:
            self._count("paging parameters typed string, integer")
            return Type("integer", reason="rule")
        kind = self.lower(schema, at)
        if kind.kind not in ("boolean", "integer", "number", "string", "enum", "list", VALUE):
            self._error(f"{at.label}: a query cannot carry {kind.kind}")
        return kind

    def _body(self, operation: dict, name: str, facts: dict) -> tuple[str, Member | None, bool]:
        request = operation.get("requestBody")
        if not request:
            self._count("bodies none")
            return "none", None, False
        content = request["content"]
        media = next(iter(content))
        sends = {
            "application/json": "json",
            "application/x-www-form-urlencoded": "form",
            "multipart/form-data": "multipart",
        }.get(media)
        if sends is None:
            raise DescriptionError(f"{operation['operationId']}: body of {media}")
        if "application/x-www-form-urlencoded" in content:
            sends, media = "form", "application/x-www-form-urlencoded"
        self._count(f"bodies {sends}")
        schema = content[media].get("schema")
        files = sends == "multipart"
        at = Context(f"{operation['operationId']}:body", "body", name, f"{name}_body")
        if files:
            schema = self._without_files(schema or {})
            if not schema.get("properties"):
                return sends, None, True
            kind = self._struct(schema, at, at.inline)
        elif schema is None:
            raise DescriptionError(f"{operation['operationId']}: body without a schema")
        else:
            kind = self.lower(schema, at)
            if kind.kind == VALUE and kind.reason == "object":
                # Free-form: the caller writes an object.
                self._count("bodies free-form")
                kind = Type("object", reason="object")
        return (
            sends,
            Member("body", "body", kind, required=bool(request.get("required"))),
            files,
        )

    def _without_files(self, schema: dict) -> dict:
        while "$ref" in schema:
            schema = self.family.schemas[schema["$ref"].rsplit("/", 1)[-1]]
        properties = {
            wire: part
            for wire, part in schema.get("properties", {}).items()
            if part.get("format") != "binary"
        }
        required = [r for r in schema.get("required", []) if r in properties]
        return {"type": "object", "properties": properties, "required": required}

    def _response(self, operation: dict, name: str) -> Type:
        made = None
        for code, response in operation["responses"].items():
            if not code.startswith("2"):
                continue
            for media, content in response.get("content", {}).items():
                if "json" not in media:
                    raise DescriptionError(f"{operation['operationId']}: response of {media}")
                if made is not None:
                    raise DescriptionError(f"{operation['operationId']}: two responses")
                at = Context(
                    f"{operation['operationId']}:response", name, name, f"{name}_response"
                )
                made = self.lower(content["schema"], at)
        if made is None:
            self._count("responses not described")
            return Type(VALUE, reason="undescribed")
        self._count(f"responses {made.kind}")
        return made

    def _tokens(self, operation: dict) -> str:
        security = operation.get("security")
        if not security:
            self._count("operations without security")
            if operation["operationId"] in ANONYMOUS:
                return "none"
            return "location"
        kinds: list[str] = []
        for alternative in security:
            if len(alternative) != 1:
                raise DescriptionError(f"{operation['operationId']}: several schemes at once")
            for kind in TOKENS[next(iter(alternative))]:
                if kind not in kinds:
                    kinds.append(kind)
        whole = []
        for group in ("location", "agency"):
            pair = [f"{group}_oauth", f"{group}_private"]
            if all(kind in kinds for kind in pair):
                whole.append(group)
            else:
                whole += [kind for kind in pair if kind in kinds]
        return "any" if whole == ["location", "agency"] else "|".join(whole)

    def _scopes(self, method: str, path: str, operation: dict) -> list[str]:
        scopes: list[str] = []
        for alternative in operation.get("security") or []:
            for listed in alternative.values():
                scopes += [s for s in listed if s not in scopes]
        if scopes:
            return scopes
        filled = self.description.endpoint_scopes.get((method.upper(), nameless(path)), [])
        if filled:
            self._count("scopes from scopes.tsv")
            return list(filled)
        self._count("operations without scopes")
        return []

    @staticmethod
    def _locators(resource: dict) -> tuple[Locator | None, Locator | None]:
        location = company = None
        for source in resource.get("order", []):
            place = source.split("_")[0]
            if "_alt" in source and location is None:
                alt_type = any(a["in"] == place for a in resource.get("alt_type", []))
                location = Locator(place, resource["alt_id"][0]["name"], alt_type)
            elif "_location" in source and location is None:
                found = next(e for e in resource["location"] if e["in"] == place)
                location = Locator(place, found["name"])
            elif "_company" in source and company is None:
                found = next(e for e in resource["company"] if e["in"] == place)
                company = Locator(place, found["name"])
        return location, company

    @staticmethod
    def _locators_by_members(
        parameters: list[Parameter], body: Member | None
    ) -> tuple[Locator | None, Locator | None]:
        wires = [(p.place, p.wire) for p in parameters]
        if body and body.type.kind == "struct":
            wires += [("body", m.wire) for m in body.type.ref.members]
        location = company = None
        for place, wire in wires:
            if wire in ("locationId", "location_id"):
                location = location or Locator(place, wire)
            elif wire == "altId" and (place, "altType") in wires:
                location = location or Locator(place, wire, True)
            elif wire in ("companyId", "company_id"):
                company = company or Locator(place, wire)
        return location, company

    def _paging(self, operation: dict, facts: dict) -> Paging | None:
        key = (self.version, self.family.name, operation["operationId"])
        entry = self.description.pagination.get(key)
        corrected = facts.get("paging", {})
        for what, value in corrected.items():
            if entry is None or entry.get(what) == value:
                self._idle(operation, f"paging.{what}")
        if entry is None:
            return None
        entry = dict(entry, **corrected)
        style, params = entry["style"], entry["params"]
        items = entry["items"]
        if items is None:
            self._count("lists whose items are not described")
            if style == "none":
                # One response of unknown shape: nothing to go on with.
                return None
            self._count("pages whose items are not described")
        fields = {
            "none": ("", "", ""),
            "skip_limit": ("skip", "", "limit"),
            "offset_limit": ("offset", "", "limit"),
            "page_limit": ("page", "", "limit"),
            "page_page_size": ("page", "", "pageSize"),
            "page_only": ("page", "", ""),
            "page_page_length": ("page", "", "pageLength"),
            "page_limit_search_after": (
                "searchAfter",
                "page",
                "limit" if "limit" in params else "pageLimit",
            ),
            "start_after_pair": ("startAfter", "startAfterId", "limit"),
            "start_after_item_id": ("startAfter", "", "limit"),
            "start_after_date": ("startAfterDate", "", "limit"),
            "last_item_id": (next((p for p in params if p.startswith("last")), ""), "", "limit"),
            "cursor": (next((p for p in params if p in ("cursor", "next")), ""), "", "limit"),
            "page_token": ("pageToken", "", "pageSize"),
        }[style]
        position, position_id, size = fields
        if params and size not in params:
            size = ""
        next_, next_id, in_last = entry["next"], "", False
        if isinstance(next_, list):
            next_, next_id = next_
        if next_ is None or next_ == "undocumented":
            next_ = ""
        if next_.startswith("last_item:"):
            next_, in_last = next_.removeprefix("last_item:"), True
            if not next_.startswith("/"):
                next_ = "/sort"
        places = {p["in"] for p in params.values()}
        place = places.pop() if len(places) == 1 else ("body" if style != "none" else "query")
        self._count(f"paging {style}")
        return Paging(
            style=style,
            items=items or "",
            items_known=items is not None,
            position=position,
            position_id=position_id,
            size=size,
            place=place,
            next=next_,
            next_id=next_id,
            next_in_last_item=in_last,
            # `*` stands for any element; every element says the same.
            total=(entry["total"] or "").replace("/*/", "/0/"),
            has_more=entry["has_more"] or "",
            first_page=1 if entry.get("first_page") is None else entry["first_page"],
        )

    # -- after all operations are known -----------------------------------------------------------

    def _directions(self, operations: list[Operation]) -> None:
        def mark(type_: Type | None, direction: str) -> None:
            for ref in type_.refs() if type_ else ():
                if isinstance(ref, Struct) and not getattr(ref, direction):
                    setattr(ref, direction, True)
                    for member in ref.members:
                        mark(member.type, direction)

        for operation in operations:
            mark(operation.response, "response")
            if operation.body:
                mark(operation.body.type, "request")

    def _avoid_class_member_clash(self) -> None:
        """A class with a constructor cannot have a member of its own name."""
        taken = {s.name for s in self.structs}
        for struct in self.structs:
            if not any(m.name == struct.name for m in struct.members):
                continue
            self._count("structs renamed because of a member")
            full = names.identifier(struct.component) if struct.component else struct.name
            if full in taken:
                full = struct.name + "_model"
            taken.discard(struct.name)
            taken.add(full)
            struct.name = full

    def _name_enums(self) -> None:
        taken = Counter(s.name for s in self.structs)
        enums = list(self.enums.values())

        def short(enum: Enum) -> str:
            if enum.schema:
                return self.schema_names[enum.schema]
            uses = Counter(names.identifier(prop) for prop, _, _ in enum.uses)
            return max(uses, key=lambda n: (uses[n], -list(uses).index(n)))

        wanted = Counter(short(enum) for enum in enums)
        for enum in enums:
            enum.name = short(enum)
            if wanted[enum.name] > 1 or taken[enum.name] or enum.name in RESERVED:
                prop, owner, _ = enum.uses[0]
                enum.name = f"{owner}_{names.snake(prop)}"
            if taken[enum.name]:
                enum.name += "_kind"
            taken[enum.name] += 1
            enum.enumerators = [names.identifier(value) for value in enum.values]
            self._check_unique(enum.enumerators, f"enumerators of {enum.name}")
            self._count("enums")
            self._count("enumerators", len(enum.enumerators))

    def _topological(self) -> list[Struct]:
        """Members before what holds them, otherwise in the order of the description."""
        done: list[Struct] = []
        state: dict[int, str] = {}

        def visit(struct: Struct) -> None:
            if state.get(id(struct)) == "done":
                return
            if state.get(id(struct)) == "open":
                raise DescriptionError(f"{struct.name} contains itself")
            state[id(struct)] = "open"
            for member in struct.members:
                for ref in member.type.refs():
                    if isinstance(ref, Struct):
                        visit(ref)
            state[id(struct)] = "done"
            done.append(struct)

        order = {name: i for i, name in enumerate(self.family.schemas)}

        def rank(struct: Struct) -> int:
            return order[struct.component] if struct.component else len(order)

        for struct in sorted(self.structs, key=rank):
            visit(struct)
        return done

    # -- checks -----------------------------------------------------------------------------------

    def _check_unique(self, listed: list[str], what: str) -> None:
        for name, number in Counter(listed).items():
            if number > 1:
                self._error(f"{what}: {name} stands {number} times")

    def _check_names(self, listed: list[str], reserved: set[str]) -> None:
        self._count("names checked", len(listed))
        for name in listed:
            if name in reserved or not re.fullmatch(r"[a-z][a-z0-9_]*", name) or "__" in name:
                self._error(f"{name} cannot be a name")

    def _validate(self, model: FamilyModel) -> None:
        self._check_unique(
            [s.name for s in model.structs] + [e.name for e in model.enums], "types"
        )
        self._check_unique([o.name for o in model.operations], "operations")
        for struct in model.structs:
            self._count("structs")
            self._count("fields", len(struct.members))
            if struct.request and struct.response:
                self._count("structs used in both directions")
            elif not (struct.request or struct.response):
                self._error(f"{struct.name} is used nowhere")
        self._check_names([s.name for s in model.structs], RESERVED)
        self._check_names([e.name for e in model.enums], RESERVED)
        self._check_names([o.name for o in model.operations], RESERVED)
        for struct in model.structs:
            self._check_names([m.name for m in struct.members], RESERVED_MEMBERS)
        for operation in model.operations:
            self._check_names([p.name for p in operation.parameters], RESERVED_PARAMETERS)
        for operation in model.operations:
            placeholders = re.findall(r"\{([^}]+)\}", operation.path)
            self._count("path templates checked")
            if placeholders != [p.wire for p in operation.path_parameters]:
                self._error(f"{operation.name}: path members differ from {operation.path}")
            if operation.location:
                self._count(f"location in {operation.location.place}")
            if operation.company:
                self._count(f"company in {operation.company.place}")
            if not operation.location and not operation.company:
                self._count("operations without a resource")
            for found in (operation.location, operation.company):
                self._check_locator(operation, found)
            self._check_paging(operation)
            if operation.deprecated:
                self._count("operations deprecated")
            self._count(f"tokens {operation.tokens}")

    def _check_locator(self, operation: Operation, locator: Locator | None) -> None:
        if locator is None:
            return
        if locator.place in ("path", "query"):
            known = {p.wire for p in operation.parameters if p.place == locator.place}
        elif operation.body and operation.body.type.kind == "struct":
            known = {m.wire for m in operation.body.type.ref.members}
        else:
            known = set()
        if locator.name not in known:
            self._error(f"{operation.name}: {locator.name} is not in the {locator.place}")

    def _check_paging(self, operation: Operation) -> None:
        pages = operation.paging
        like = {"limit", "skip", "offset", "page", "pageSize", "pageLimit", "pageToken", "cursor"}
        if pages is None:
            wires = {p.wire for p in operation.query_parameters}
            # A search that is a POST pages in its body.
            if operation.body and operation.body.type.kind == "struct":
                wires |= {m.wire for m in operation.body.type.ref.members}
            if wires & like:
                self._count("lists by their parameters, without paging")
                self._note(f"{operation.id}: {sorted(wires & like)}, but no paging")
        if pages is None or pages.style == "none":
            return
        if pages.place == "query":
            known = {p.wire for p in operation.query_parameters}
        else:
            body = operation.body
            known = (
                {m.wire for m in body.type.ref.members}
                if body and body.type.kind == "struct"
                else set()
            )
        for wire in (pages.position, pages.position_id, pages.size):
            if wire and wire not in known:
                self._error(f"{operation.name}: {wire} is not in the {pages.place}")


def _csv(example) -> bool:
    return isinstance(example, str) and bool(re.fullmatch(r"\w+(,\w+)+", example.strip()))

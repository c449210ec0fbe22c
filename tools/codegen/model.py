# SPDX-License-Identifier: BSL-1.0
"""What the generator knows between reading and writing: C++ types, structs, enums, operations."""

from dataclasses import dataclass, field


@dataclass
class Type:
    """A C++ type without its optionality.

    `kind` is boolean, integer, number, string, value, object, list, map, struct, enum or variant.
    """

    kind: str
    inner: "Type | None" = None
    ref: "Struct | Enum | None" = None
    alternatives: "list[Type]" = field(default_factory=list)
    # The only value that the description allows, for a string.
    constant: str | None = None
    # Why the type is not the declared one: example, overlay, rule.
    reason: str = "declared"

    def cpp(self) -> str:
        plain = {
            "boolean": "bool",
            "integer": "std::int64_t",
            "number": "double",
            "string": "std::string",
            "value": "json::value",
            "object": "json::object",
        }
        if self.kind in plain:
            return plain[self.kind]
        if self.kind == "list":
            # std::vector<bool> has no addressable elements.
            inner = "json::value" if self.inner.kind == "boolean" else self.inner.cpp()
            return f"std::vector<{inner}>"
        if self.kind == "map":
            return f"json::map<{self.inner.cpp()}>"
        if self.kind == "variant":
            return f"std::variant<{', '.join(type_.cpp() for type_ in self.alternatives)}>"
        if self.kind == "struct":
            return f"types::{self.ref.name}"
        assert self.kind == "enum"
        return f"json::open_enum<types::{self.ref.name}>"

    def cpp_key(self) -> tuple:
        """Equal for equal types, also before enums have their names."""
        return (self.kind, id(self.ref), self.inner.cpp_key() if self.inner else None)

    def refs(self):
        if self.inner is not None:
            yield from self.inner.refs()
        for alternative in self.alternatives:
            yield from alternative.refs()
        if self.ref is not None:
            yield self.ref


@dataclass
class Member:
    """A member of a struct, or a parameter of an operation."""

    wire: str
    name: str
    type: Type
    required: bool = False
    nullable: bool = False
    # What it starts with, when the overlay says so.
    initial: str | int | None = None
    facts: list[str] = field(default_factory=list)

    def wrapper(self, request: bool) -> str:
        """plain, optional or nullable: how absence shows in C++."""
        kind = self.type.kind
        if not request:
            return "plain" if kind in ("list", "map", "enum", "value", "object") else "optional"
        if self.nullable:
            return "nullable"
        if kind in ("enum", "value"):
            return "plain"
        if self.required:
            return "optional" if kind in ("boolean", "integer", "number", "variant") else "plain"
        return "optional"

    def cpp(self, request: bool) -> str:
        wrapper = self.wrapper(request)
        if wrapper == "plain":
            return self.type.cpp()
        template = "std::optional" if wrapper == "optional" else "json::nullable"
        return f"{template}<{self.type.cpp()}>"

    def default(self, request: bool) -> str | int | None:
        """What it starts with: the overlay's value, or the only value of a required constant."""
        if self.initial is not None:
            return self.initial
        if request and self.required and self.type.constant and self.wrapper(True) == "plain":
            return self.type.constant
        return None


@dataclass
class Struct:
    name: str
    # What the doc comment calls it.
    source: str
    # The component schema's name, when it has one.
    component: str | None = None
    members: list[Member] = field(default_factory=list)
    request: bool = False
    response: bool = False


@dataclass
class Enum:
    values: list[str]
    # (property or parameter, C++ name of its struct or operation, label) of each use.
    uses: list[tuple[str, str, str]] = field(default_factory=list)
    name: str = ""
    # The component schema's name, when it has one.
    schema: str | None = None
    enumerators: list[str] = field(default_factory=list)


@dataclass
class Parameter(Member):
    place: str = "query"
    style: str = "repeat"


@dataclass
class Paging:
    style: str
    items: str
    position: str
    position_id: str
    size: str
    place: str
    next: str
    next_id: str
    next_in_last_item: bool
    total: str
    has_more: str
    first_page: int
    # Whether `items` is where they are; else nothing tells.
    items_known: bool = True


@dataclass
class Locator:
    place: str
    name: str
    with_alt_type: bool = False


@dataclass
class Operation:
    id: str
    name: str
    method: str
    path: str
    version: str
    version_assumed: bool
    scopes: list[str]
    tokens: str
    deprecated: bool
    sends: str
    raw: bool
    parameters: list[Parameter]
    body: Member | None
    # Whether files are sent, and the part name of a file that names none.
    files: bool
    file_field: str
    response: Type
    location: Locator | None
    company: Locator | None
    paging: Paging | None
    # safe, idempotent or neither
    idempotent: str = "neither"
    # The largest files that are taken; 0 where none is described.
    max_file_bytes: int = 0
    max_video_bytes: int = 0

    @property
    def path_parameters(self):
        return [p for p in self.parameters if p.place == "path"]

    @property
    def query_parameters(self):
        return [p for p in self.parameters if p.place == "query"]

    def item_type(self) -> str | None:
        """The C++ type of what it lists, where the response's type has the list."""
        type_ = self.response
        for step in self.paging.items.split("/")[1:] if self.paging else ():
            if type_.kind != "struct":
                return None
            type_ = next((m.type for m in type_.ref.members if m.wire == step), None)
            if type_ is None:
                return None
        if not self.paging or type_.kind not in ("list", "value"):
            return None
        cpp = type_.cpp()
        return cpp.removeprefix("std::vector<").removesuffix(">") if type_.kind == "list" else cpp

    def constructor_members(self) -> list[Member]:
        """Path parameters, then a required body that is not an object."""
        members = list(self.path_parameters)
        if self.body and self.body.required and self.body.type.kind not in ("struct", "object"):
            members.append(self.body)
        return members


@dataclass
class FamilyModel:
    version: str
    # The name in the description, and the C++ name.
    family: str
    name: str
    file: str
    structs: list[Struct]
    enums: list[Enum]
    operations: list[Operation]
    # Another name of the namespace.
    alias: str | None = None

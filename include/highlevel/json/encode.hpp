// SPDX-License-Identifier: BSL-1.0
//
// Writing described C++ values: as JSON text, as the text of a path or query parameter, and as
// pairs of a form. Not a template over the type, as the decoder is not.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/json/detail/text.hpp>
#include <highlevel/json/type.hpp>

#include <boost/json/array.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::json {

/// A value for a top-level member that the caller left empty.
class fill {
public:
    fill() = default;
    fill(std::string_view name_, std::string_view value_) : name(name_), value(value_) {}

    /// The name on the wire. A struct without such a member is left as it is.
    std::string_view name;
    std::string_view value;
};

/// What an encode adds to a value.
class encode_options {
public:
    encode_options() = default;

    /// Values for empty members at the top level, for example the location's id.
    std::span<const fill> fills{};
    /// Members to merge into the top level; their names win. Null: none.
    const object* extra = nullptr;
    /// Whether an empty required member is a failure.
    bool check_required = true;
    /// Writes U+FFFD in place of each byte that is not UTF-8, instead of failing: for files and
    /// logs of values that were read, since lenient reading keeps such bytes.
    bool replace_invalid_utf8 = false;
};

/// Whether an encode went well, and if not, which member failed.
class encode_result {
public:
    encode_result() = default;
    encode_result(errc code_, std::string text_)
        : code(make_error_code(code_)),
          text(std::move(text_)) {}

    /// `errc::missing_parameter` when a required member is empty, `errc::invalid_argument` when a
    /// value cannot be written (text that is not UTF-8, unless that is replaced, a number that is
    /// not finite, extra members for something else than an object).
    error_code code;
    /// JSON pointer of the member.
    std::string pointer;
    /// In words, without the pointer. Holds no values.
    std::string text;

    [[nodiscard]] explicit operator bool() const noexcept { return !code.failed(); }
};

/// A C++ value and its description.
class view {
public:
    view() = default;
    view(const type& of_, const void* self_) : of(&of_), self(self_) {}

    const type* of = nullptr;
    const void* self = nullptr;

    /// The member of a struct.
    [[nodiscard]] view member(const field& f) const noexcept {
        return {*f.of, static_cast<const char*>(self) + f.offset};
    }
    /// The element of a list or map.
    [[nodiscard]] view element(std::size_t index) const {
        return {*of->inner, of->element(self, index)};
    }
    /// The value within optionals, nullables and variants; without an address when there is none.
    [[nodiscard]] view held() const {
        view v = *this;
        while (v.self != nullptr) {
            if (v.of->what == kind::optional || v.of->what == kind::nullable)
                v = view(*v.of->inner, v.of->get(v.self));
            else if (v.of->what == kind::variant)
                v = view(*v.of->alternatives[v.of->index(v.self)], v.of->get(v.self));
            else
                break;
        }
        return v;
    }
    /// Whether it is an explicit null.
    [[nodiscard]] bool is_null() const { return of->what == kind::nullable && of->is_null(self); }
    /// Whether it counts as left out: an absent optional or nullable, an empty string, list, map,
    /// object or enumeration, a null json::value. A boolean, number or struct never is.
    [[nodiscard]] bool is_absent() const {
        switch (of->what) {
        case kind::optional: return of->get(self) == nullptr;
        case kind::nullable: return of->get(self) == nullptr && !of->is_null(self);
        case kind::string: return static_cast<const std::string*>(self)->empty();
        case kind::list:
        case kind::map: return of->size(self) == 0;
        case kind::enumeration: return of->text(self).empty();
        case kind::value: return static_cast<const value*>(self)->is_null();
        case kind::object: return static_cast<const object*>(self)->empty();
        case kind::variant: return of->get(self) == nullptr;
        case kind::boolean:
        case kind::integer:
        case kind::number:
        case kind::structure: break;
        }
        return false;
    }
};

namespace detail {

class writer {
public:
    writer(std::string& out, const encode_options& options) : out_(out), options_(options) {}

    encode_result root(view v) {
        bool const adds = options_.extra != nullptr && !options_.extra->empty();
        view const inner = v.held();
        if (inner.self != nullptr && inner.of->what == kind::structure)
            structure(inner, true);
        else if (adds && (inner.self == nullptr || inner.is_absent()))
            members(*options_.extra);
        else if (adds)
            merged(inner);
        else if (inner.self != nullptr)
            write(inner);
        else if (v.is_null())
            out_ += "null";
        return std::move(result_);
    }

private:
    bool fail(errc code, std::string_view text) {
        result_ = encode_result(code, std::string(text));
        return false;
    }

    // Names the member on the way back up; nothing is kept on the way down.
    bool at(std::string_view name, bool good) {
        if (!good) {
            std::string step;
            append_step(step, name);
            result_.pointer.insert(0, step);
        }
        return good;
    }
    bool at(std::size_t index, bool good) {
        if (!good) {
            std::string step;
            append_step(step, index);
            result_.pointer.insert(0, step);
        }
        return good;
    }

    bool string(std::string_view text) {
        return append_string(out_, text, options_.replace_invalid_utf8) ||
            fail(errc::invalid_argument, "the text is not UTF-8");
    }

    bool number(double d) {
        if (!std::isfinite(d)) return fail(errc::invalid_argument, "the number is not finite");
        append_number(out_, d);
        return true;
    }

    bool key(bool& first, std::string_view name) {
        out_ += first ? '{' : ',';
        first = false;
        if (!string(name)) return at(name, false);
        out_ += ':';
        return true;
    }

    void close(bool empty) { out_ += empty ? "{}" : "}"; }

    bool write(view v) {
        switch (v.of->what) {
        case kind::boolean:
            out_ += *static_cast<const bool*>(v.self) ? "true" : "false";
            return true;
        case kind::integer:
            append_number(out_, *static_cast<const std::int64_t*>(v.self));
            return true;
        case kind::number: return number(*static_cast<const double*>(v.self));
        case kind::string: return string(*static_cast<const std::string*>(v.self));
        case kind::enumeration: return string(v.of->text(v.self));
        case kind::value: return write(*static_cast<const value*>(v.self));
        case kind::object: return members(*static_cast<const object*>(v.self));
        case kind::structure: return structure(v, false);
        case kind::list: return list(v);
        case kind::map: return map(v);
        case kind::optional:
        case kind::nullable:
        case kind::variant: {
            view const inner = v.held();
            if (inner.self != nullptr) return write(inner);
            out_ += "null";
            return true;
        }
        }
        return true;
    }

    bool list(view v, const value& misfits = {}) {
        out_ += '[';
        auto const size = v.of->size(v.self);
        for (std::size_t i = 0; i < size; ++i) {
            if (i != 0) out_ += ',';
            if (!at(i, write(v.element(i)))) return false;
        }
        if (const array* more = misfits.if_array()) {
            for (std::size_t i = 0; i < more->size(); ++i) {
                if (size + i != 0) out_ += ',';
                if (!at(size + i, write((*more)[i]))) return false;
            }
        }
        out_ += ']';
        return true;
    }

    bool map(view v, const value& misfits = {}) {
        bool first = true;
        auto const size = v.of->size(v.self);
        const object* const more = misfits.if_object();
        for (std::size_t i = 0; i < size; ++i) {
            auto const name = v.of->key(v.self, i);
            if (!key(first, name) || !at(name, write(v.element(i)))) return false;
        }
        if (more != nullptr) {
            for (auto const& member : *more) {
                auto const name = name_of(member);
                if (holds(v, name)) continue;
                if (!key(first, name) || !at(name, write(member.value()))) return false;
            }
        }
        close(first);
        return true;
    }

    static bool holds(view map, std::string_view name) {
        auto const size = map.of->size(map.self);
        for (std::size_t i = 0; i < size; ++i)
            if (map.of->key(map.self, i) == name) return true;
        return false;
    }

    static std::string_view name_of(const object::value_type& member) noexcept {
        return {member.key().data(), member.key().size()};
    }

    bool extra(std::string_view name) const {
        return options_.extra != nullptr && options_.extra->contains(name);
    }

    const fill* filled(const field& f) const {
        for (auto const& candidate : options_.fills)
            if (candidate.name == f.name) return &candidate;
        return nullptr;
    }

    bool structure(view v, bool top) {
        bool first = true;
        const object* const unknown = unknown_of(*v.of, v.self);
        auto const fields = v.of->fields();
        for (auto const& f : fields) {
            if (top && extra(f.name)) continue;
            view const member = v.member(f);
            if (written(f, member, unknown)) {
                const value* const misfits =
                    unknown != nullptr ? unknown->if_contains(f.name) : nullptr;
                if (!key(first, f.name) || !at(f.name, write_member(member, misfits))) return false;
                continue;
            }
            if (const fill* given = top ? filled(f) : nullptr) {
                if (!key(first, f.name) || !at(f.name, string(given->value))) return false;
                continue;
            }
            if (f.need == presence::required && options_.check_required &&
                !(unknown != nullptr && unknown->contains(f.name)))
                return at(f.name, fail(errc::missing_parameter, "required and empty"));
        }
        if (unknown != nullptr)
            for (auto const& member : *unknown) {
                auto const name = name_of(member);
                if (top && extra(name)) continue;
                if (described(fields, v, name, unknown, top)) continue;
                if (!key(first, name) || !at(name, write(member.value()))) return false;
            }
        if (top && options_.extra != nullptr)
            for (auto const& member : *options_.extra) {
                auto const name = name_of(member);
                if (!key(first, name) || !at(name, write(member.value()))) return false;
            }
        close(first);
        return true;
    }

    // Whether a member is sent as it is. An empty map or object is a value where one is required.
    static bool written(const field& f, view member, const object* unknown) {
        if (!member.is_absent()) return true;
        bool const may_be_empty = member.of->what == kind::map || member.of->what == kind::object;
        return may_be_empty && f.need == presence::required &&
            !(unknown != nullptr && unknown->contains(f.name));
    }

    // Whether a name among the unknown fields was written already as a member of the type. A value
    // that did not fit when it was decoded stands there under its member's name.
    bool described(
        std::span<const field> fields,
        view v,
        std::string_view name,
        const object* unknown,
        bool top) const {
        for (auto const& f : fields) {
            if (f.name != name) continue;
            return written(f, v.member(f), unknown) || (top && filled(f) != nullptr);
        }
        return false;
    }

    // `misfits` are the elements of a list or map that did not fit when it was decoded: they go
    // back behind those that did, or a record that is read, changed and written would lose them.
    bool write_member(view v, const value* misfits) {
        if (v.is_null()) {
            out_ += "null";
            return true;
        }
        if (misfits == nullptr) return write(v);
        view const inner = v.held();
        if (inner.of->what == kind::list && misfits->is_array()) return list(inner, *misfits);
        if (inner.of->what == kind::map && misfits->is_object()) return map(inner, *misfits);
        return write(v);
    }

    bool members(const object& from) {
        bool first = true;
        for (auto const& member : from) {
            auto const name = name_of(member);
            if (!key(first, name) || !at(name, write(member.value()))) return false;
        }
        close(first);
        return true;
    }

    bool write(const value& from) {
        switch (from.kind()) {
        case boost::json::kind::null: out_ += "null"; return true;
        case boost::json::kind::bool_: out_ += from.get_bool() ? "true" : "false"; return true;
        case boost::json::kind::int64: append_number(out_, from.get_int64()); return true;
        case boost::json::kind::uint64: append_number(out_, from.get_uint64()); return true;
        case boost::json::kind::double_: {
            auto const start = out_.size();
            if (!number(from.get_double())) return false;
            // Read back, it is to be a double again.
            if (out_.find_first_of(".e", start) == out_.npos) out_ += ".0";
            return true;
        }
        case boost::json::kind::string:
            return string({from.get_string().data(), from.get_string().size()});
        case boost::json::kind::array: {
            out_ += '[';
            std::size_t i = 0;
            for (auto const& item : from.get_array()) {
                if (i != 0) out_ += ',';
                if (!at(i, write(item))) return false;
                ++i;
            }
            out_ += ']';
            return true;
        }
        case boost::json::kind::object: return members(from.get_object());
        }
        return true;
    }

    // Extra members beside a map, an object, or a value that is an object.
    bool merged(view v) {
        bool first = true;
        const object* from = nullptr;
        if (v.of->what == kind::object)
            from = static_cast<const object*>(v.self);
        else if (v.of->what == kind::value)
            from = static_cast<const value*>(v.self)->if_object();
        if (from != nullptr) {
            for (auto const& member : *from) {
                auto const name = name_of(member);
                if (extra(name)) continue;
                if (!key(first, name) || !at(name, write(member.value()))) return false;
            }
        } else if (v.of->what == kind::map) {
            auto const size = v.of->size(v.self);
            for (std::size_t i = 0; i < size; ++i) {
                auto const name = v.of->key(v.self, i);
                if (extra(name)) continue;
                if (!key(first, name) || !at(name, write(v.element(i)))) return false;
            }
        } else {
            return fail(errc::invalid_argument, "extra members need a body that is an object");
        }
        for (auto const& member : *options_.extra) {
            auto const name = name_of(member);
            if (!key(first, name) || !at(name, write(member.value()))) return false;
        }
        close(first);
        return true;
    }

    std::string& out_;
    const encode_options& options_;
    encode_result result_;
};

} // namespace detail

/// Appends the value at `self`, whose description is `t`, as compact JSON text.
///
/// Members that are absent are left out; a nullable that is null is sent as null; the unknown
/// fields of a struct follow its members. Integers are exact and doubles the shortest text that
/// reads back as the same number. Nothing is appended for an absent optional at the top level.
/// After a failure the text appended is incomplete.
inline encode_result encode(
    const type& t, const void* self, std::string& out, const encode_options& options = {}) {
    return detail::writer(out, options).root(view(t, self));
}

/// Appends a value as compact JSON text.
template <class T>
encode_result encode(const T& from, std::string& out, const encode_options& options = {}) {
    return encode(type_of<T>, &from, out, options);
}

/// What `scalar_text` found.
enum class scalar_form : std::uint8_t {
    /// Nothing to send: an absent optional or nullable, an empty string or enumeration, a null
    /// json::value.
    absent,
    /// An explicit null.
    explicit_null,
    /// A string, number, boolean or enumerator; its text was appended.
    text,
    /// A list: take its elements (`view::held`, `view::element`).
    list,
    /// An object; only JSON text can carry it.
    structured,
    /// A number that is not finite.
    invalid,
};

/// Appends the text of a scalar as it stands in a path, a query or a form, not yet escaped. Numbers
/// are plain decimals, without an exponent.
inline scalar_form scalar_text(const type& t, const void* self, std::string& out) {
    view const outer(t, self);
    if (outer.is_null()) return scalar_form::explicit_null;
    view const v = outer.held();
    if (v.self == nullptr) return scalar_form::absent;
    auto const number = [&](double d) {
        if (!std::isfinite(d)) return scalar_form::invalid;
        detail::append_decimal(out, d);
        return scalar_form::text;
    };
    switch (v.of->what) {
    case kind::boolean:
        out += *static_cast<const bool*>(v.self) ? "true" : "false";
        return scalar_form::text;
    case kind::integer:
        detail::append_number(out, *static_cast<const std::int64_t*>(v.self));
        return scalar_form::text;
    case kind::number: return number(*static_cast<const double*>(v.self));
    case kind::string: {
        auto const& text = *static_cast<const std::string*>(v.self);
        // A string in an optional was set on purpose, also to the empty text.
        if (text.empty() && t.what == kind::string) return scalar_form::absent;
        out += text;
        return scalar_form::text;
    }
    case kind::enumeration: {
        auto const text = v.of->text(v.self);
        if (text.empty()) return scalar_form::absent;
        out += text;
        return scalar_form::text;
    }
    case kind::list: return scalar_form::list;
    case kind::value: break;
    case kind::map:
    case kind::object:
    case kind::structure:
    case kind::optional:
    case kind::nullable:
    case kind::variant: return scalar_form::structured;
    }
    auto const& any = *static_cast<const value*>(v.self);
    switch (any.kind()) {
    case boost::json::kind::null: return scalar_form::absent;
    case boost::json::kind::bool_: out += any.get_bool() ? "true" : "false"; break;
    case boost::json::kind::int64: detail::append_number(out, any.get_int64()); break;
    case boost::json::kind::uint64: detail::append_number(out, any.get_uint64()); break;
    case boost::json::kind::double_: return number(any.get_double());
    case boost::json::kind::string:
        out.append(any.get_string().data(), any.get_string().size());
        break;
    case boost::json::kind::array:
    case boost::json::kind::object: return scalar_form::structured;
    }
    return scalar_form::text;
}

/// Pairs of name and text, not yet escaped.
using text_pairs = std::vector<std::pair<std::string, std::string>>;

/// Appends the members of a struct or of a JSON object as pairs for a form or a query.
///
/// A list gives one pair per element; an object, and an element that is one, is JSON text; an
/// explicit null is the empty text. `options` work as they do for `encode`; an extra member
/// replaces the struct's.
inline encode_result form_pairs(
    const type& t, const void* self, text_pairs& out, const encode_options& options = {}) {
    view const v = view(t, self).held();
    if (v.self == nullptr) return {};
    if (v.of->what != kind::structure && v.of->what != kind::object)
        return {errc::invalid_argument, "a form needs an object"};

    auto const fail = [](errc code, std::string_view name, std::string_view text) {
        encode_result made(code, std::string(text));
        detail::append_step(made.pointer, name);
        return made;
    };
    auto const one = [&](std::string_view name, view of) -> encode_result {
        std::string text;
        switch (scalar_text(*of.of, of.self, text)) {
        case scalar_form::absent: return {};
        case scalar_form::explicit_null:
        case scalar_form::text: break;
        case scalar_form::invalid:
            return fail(errc::invalid_argument, name, "the number is not finite");
        case scalar_form::list:
        case scalar_form::structured: {
            auto made = encode(*of.of, of.self, text);
            if (!made) {
                std::string step;
                detail::append_step(step, name);
                made.pointer.insert(0, step);
                return made;
            }
        }
        }
        out.emplace_back(std::string(name), std::move(text));
        return {};
    };
    auto const pairs = [&](std::string_view name, view of) -> encode_result {
        view const inner = of.held();
        if (inner.self == nullptr || inner.of->what != kind::list) return one(name, of);
        for (std::size_t i = 0; i < inner.of->size(inner.self); ++i)
            if (auto made = one(name, inner.element(i)); !made) return made;
        return {};
    };

    const object* const unknown = v.of->what == kind::object ? static_cast<const object*>(v.self)
                                                             : detail::unknown_of(*v.of, v.self);
    auto const fields = v.of->what == kind::structure ? v.of->fields() : std::span<const field>();
    auto const extra = [&](std::string_view name) {
        return options.extra != nullptr && options.extra->contains(name);
    };
    auto const given = [&](std::string_view name) -> const fill* {
        for (auto const& f : options.fills)
            if (f.name == name) return &f;
        return nullptr;
    };
    for (auto const& f : fields) {
        if (extra(f.name)) continue;
        view const member = v.member(f);
        if (!member.is_absent()) {
            if (auto made = pairs(f.name, member); !made) return made;
            // The elements of a list that did not fit when it was decoded.
            view const inner = member.held();
            const value* const misfits =
                unknown != nullptr ? unknown->if_contains(f.name) : nullptr;
            if (misfits == nullptr || !misfits->is_array() || inner.self == nullptr ||
                inner.of->what != kind::list)
                continue;
            for (auto const& misfit : misfits->get_array())
                if (auto made = one(f.name, view(type_of<value>, &misfit)); !made) return made;
        } else if (const fill* filled = given(f.name)) {
            out.emplace_back(std::string(f.name), std::string(filled->value));
        } else if (
            f.need == presence::required && options.check_required &&
            !(unknown != nullptr && unknown->contains(f.name))) {
            return fail(errc::missing_parameter, f.name, "required and empty");
        }
    }
    auto const bag = [&](const object& from, bool is_extra) -> encode_result {
        for (auto const& member : from) {
            std::string_view const name(member.key().data(), member.key().size());
            if (!is_extra && extra(name)) continue;
            if (!is_extra) {
                bool written = false;
                for (auto const& f : fields)
                    written = written ||
                        (f.name == name && (!v.member(f).is_absent() || given(name) != nullptr));
                if (written) continue;
            }
            if (auto made = one(name, view(type_of<value>, &member.value())); !made) return made;
        }
        return {};
    };
    if (unknown != nullptr)
        if (auto made = bag(*unknown, false); !made) return made;
    if (options.extra != nullptr)
        if (auto made = bag(*options.extra, true); !made) return made;
    return {};
}

} // namespace highlevel::json

// SPDX-License-Identifier: BSL-1.0
//
// The one decoder: takes parser events, walks the type descriptions, and writes straight into the
// structs. It is not a template, so a thousand types cost one instantiation of the parser.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/json/decode_options.hpp>
#include <highlevel/json/detail/tape.hpp>
#include <highlevel/json/detail/text.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/json/lazy_object.hpp>
#include <highlevel/json/type.hpp>

#include <boost/json/array.hpp>
#include <boost/json/string_view.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::json::detail {

// Puts a value into the state of a default constructed one. Recurses over structs held by value,
// never over data.
inline void clear_value(const type& t, void* self) {
    switch (t.what) {
    case kind::boolean: *static_cast<bool*>(self) = false; return;
    case kind::integer: *static_cast<std::int64_t*>(self) = 0; return;
    case kind::number: *static_cast<double*>(self) = 0; return;
    case kind::string: static_cast<std::string*>(self)->clear(); return;
    case kind::value: *static_cast<value*>(self) = nullptr; return;
    case kind::object: static_cast<object*>(self)->clear(); return;
    case kind::optional:
    case kind::nullable:
    case kind::list:
    case kind::map:
    case kind::enumeration: t.reset(self); return;
    case kind::variant: t.select(self, 0); return;
    case kind::structure:
        for (auto const& f : t.fields())
            clear_value(*f.of, static_cast<char*>(self) + f.offset);
        with_unknown(t, self, [](auto& bag) { bag.clear(); });
        return;
    }
}

// A scalar on its way from the text to a member.
class scalar {
public:
    enum class form : std::uint8_t { null, boolean, integer, natural, number, string };

    scalar() = default;
    explicit scalar(bool b) : what(form::boolean), boolean(b) {}
    explicit scalar(std::string_view s) : what(form::string), text(s) {}
    scalar(std::int64_t i, std::string_view raw) : what(form::integer), integer(i), text(raw) {}
    // Above the range of int64: smaller ones come as integers.
    scalar(std::uint64_t n, std::string_view raw) : what(form::natural), natural(n), text(raw) {}
    scalar(double d, std::string_view raw) : what(form::number), number(d), text(raw) {}

    [[nodiscard]] value to_value() const {
        switch (what) {
        case form::null: return nullptr;
        case form::boolean: return boolean;
        case form::integer: return integer;
        case form::natural: return natural;
        case form::number: return number;
        case form::string: return boost::json::string_view(text.data(), text.size());
        }
        return nullptr;
    }

    // The text for a string member. A number keeps its digits where the parser still had them.
    [[nodiscard]] std::string to_text() const {
        if (!text.empty() || what == form::string) return std::string(text);
        std::string made;
        switch (what) {
        case form::boolean: made = boolean ? "true" : "false"; break;
        case form::integer: append_number(made, integer); break;
        case form::natural: append_number(made, natural); break;
        case form::number:
            if (std::isfinite(number)) append_number(made, number);
            break;
        case form::null:
        case form::string: break;
        }
        return made;
    }

    form what = form::null;
    bool boolean = false;
    std::int64_t integer = 0;
    std::uint64_t natural = 0;
    double number = 0;
    // A string's characters, or a number's as they stood in the JSON text (may be empty).
    std::string_view text;
};

class reader {
public:
    reader(const type& root, void* target, const decode_options& options, diagnostics& notes)
        : options_(options),
          notes_(notes),
          stack_({}, stack_space_.data(), stack_space_.size()) {
        frames_.reserve(16);
        seen_.reserve(16);
        next_.reserve(128);
        push(shape::root, root, target);
    }
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;
    ~reader() = default;

    // Keys within this text need not be copied; it must outlive the reader.
    void text(std::string_view whole) noexcept { whole_ = whole; }

    // What strict reading stumbled over.
    [[nodiscard]] const diagnostic& refusal() const noexcept { return refusal_; }

    [[nodiscard]] std::string pointer() const {
        std::string made;
        for (auto const& f : frames_) {
            switch (f.what) {
            case shape::root: break;
            case shape::list: append_step(made, f.index); break;
            case shape::map: append_step(made, f.key); break;
            case shape::structure:
                if (f.current != nullptr)
                    append_step(made, f.current->name);
                else if (f.in_member)
                    append_step(made, f.key);
                break;
            }
        }
        return made;
    }

    // Counts a difference; false when strict reading must stop.
    bool note(bend what, std::string_view text, std::string_view member = {}) {
        if (options_.strict) {
            refusal_ = describe(what, text, member);
            return false;
        }
        if (notes_.size() < options_.max_diagnostics)
            notes_.add(describe(what, text, member));
        else
            notes_.count();
        return true;
    }

    // Feeds a value as if it were parsed; iterative, as the parser's events are.
    bool replay(const value& from) {
        struct level {
            const value* container;
            std::size_t index;
        };
        std::vector<level> levels;
        auto const view = [](const auto& s) { return std::string_view(s.data(), s.size()); };
        auto const enter = [&](const value& v) {
            switch (v.kind()) {
            case boost::json::kind::null: return on_null();
            case boost::json::kind::bool_: return on_bool(v.get_bool());
            case boost::json::kind::int64: return on_int64(v.get_int64(), {});
            case boost::json::kind::uint64: return on_uint64(v.get_uint64(), {});
            case boost::json::kind::double_: return on_double(v.get_double(), {});
            case boost::json::kind::string: return on_string(view(v.get_string()));
            case boost::json::kind::array: levels.push_back({&v, 0}); return on_array_begin();
            case boost::json::kind::object: levels.push_back({&v, 0}); return on_object_begin();
            }
            return true;
        };
        if (!enter(from)) return false;
        while (!levels.empty()) {
            auto& top = levels.back();
            if (const array* list = top.container->if_array()) {
                if (top.index == list->size()) {
                    levels.pop_back();
                    if (!on_array_end(list->size())) return false;
                } else if (!enter((*list)[top.index++])) {
                    return false;
                }
                continue;
            }
            auto const& members = top.container->get_object();
            if (top.index == members.size()) {
                levels.pop_back();
                if (!on_object_end(members.size())) return false;
                continue;
            }
            auto const& member = *(members.begin() + static_cast<std::ptrdiff_t>(top.index++));
            auto const key = view(member.key());
            if (!on_key(key) || !enter(member.value())) return false;
        }
        return true;
    }

    // What the parser tells. Each gives false when strict reading must stop.

    bool on_object_begin() {
        if (to_ == sink::members) return begin_object();
        if (to_ == sink::tape) tape_.begin();
        ++capture_depth_;
        return true;
    }

    bool on_object_end(std::size_t size) {
        if (to_ == sink::members) return end_container();
        if (to_ == sink::stack)
            stack_.push_object(size);
        else if (to_ == sink::tape)
            tape_.push_object(size);
        return --capture_depth_ != 0 || end_capture();
    }

    bool on_array_begin() {
        if (to_ == sink::members) return begin_array();
        if (to_ == sink::tape) tape_.begin();
        ++capture_depth_;
        return true;
    }

    bool on_array_end(std::size_t size) {
        if (to_ == sink::members) return end_container();
        if (to_ == sink::stack)
            stack_.push_array(size);
        else if (to_ == sink::tape)
            tape_.push_array(size);
        return --capture_depth_ != 0 || end_capture();
    }

    bool on_key(std::string_view key) {
        switch (to_) {
        case sink::members: return member(key);
        case sink::stack: stack_.push_key(key); break;
        case sink::tape: tape_.push_key(key); break;
        case sink::nowhere: break;
        }
        return true;
    }

    bool on_string(std::string_view text) {
        switch (to_) {
        case sink::members: return string(text);
        case sink::stack: stack_.push_string(text); break;
        case sink::tape: tape_.push_string(text); break;
        case sink::nowhere: break;
        }
        return true;
    }

    bool on_int64(std::int64_t number, std::string_view digits) {
        return on_scalar(scalar(number, digits));
    }
    bool on_uint64(std::uint64_t number, std::string_view digits) {
        return on_scalar(scalar(number, digits));
    }
    bool on_double(double number, std::string_view digits) {
        return on_scalar(scalar(number, digits));
    }
    bool on_bool(bool b) { return on_scalar(scalar(b)); }
    bool on_null() { return on_scalar(scalar()); }

private:
    enum class shape : std::uint8_t { root, structure, list, map };

    class habits;

    // A container that is being filled. The root is one with a single place.
    class frame {
    public:
        const type* of = nullptr;
        char* self = nullptr;
        habits* known = nullptr;
        // structure: its members, and the one whose value comes next; null for an unknown one.
        const field* fields = nullptr;
        const field* current = nullptr;
        // map, or an unknown member of a structure: the key.
        std::string_view key;
        // list: how many elements the text had so far.
        std::size_t index = 0;
        // structure: where its bits begin in seen_, and its unknown members on the tape.
        std::size_t seen = 0;
        std::size_t tape = 0;
        // structure: how many members it has, and how many unknown ones came.
        std::uint32_t count = 0;
        std::uint32_t unknown = 0;
        // structure: the place in next_, from known->next on, of the member that is likely next.
        std::uint32_t last = 0;
        shape what = shape::root;
        // structure: between a key and the end of its value.
        bool in_member = false;
    };

    // Where events go: into members, or for a subtree that no struct describes onto the stack that
    // makes a tree of it or the tape that keeps it as it is, or nowhere when it is not wanted.
    enum class sink : std::uint8_t { members, stack, tape, nowhere };

    // Where a captured subtree goes.
    enum class destination : std::uint8_t { unknown, misfit, value, object, variant };

    // What one decode learns of a struct type.
    class habits {
    public:
        habits(const type& t, std::vector<std::uint32_t>& all)
            : of(&t),
              fields(t.fields()),
              required((fields.size() + 63) / 64),
              sizes(fields.size()),
              next(all.size()) {
            for (std::uint32_t i = 0; i <= fields.size(); ++i)
                all.push_back(i);
            for (std::size_t i = 0; i < fields.size(); ++i)
                if (fields[i].need == presence::required)
                    required[i / 64] |= std::uint64_t{1} << (i % 64);
        }

        const field* find(std::string_view name) {
            if (table_.empty()) fill();
            for (auto at = hash(name) & (table_.size() - 1); table_[at] != 0;
                 at = (at + 1) & (table_.size() - 1)) {
                auto const& f = fields[table_[at] - 1];
                if (same_text(f.name, name)) return &f;
            }
            return nullptr;
        }

        const type* of;
        std::span<const field> fields;
        // The bits of those that must be there.
        std::vector<std::uint64_t> required;
        // For each that is a list, how many elements it had last: room is made for as many, unless
        // they are so many that it would be a waste when the next has none.
        std::vector<std::uint8_t> sizes;
        static constexpr std::size_t most_reserved = 16;
        // Where in next_ the member is that came first in the last record, and behind it for each
        // member the one that followed it. Servers keep one order, though seldom the description's.
        std::size_t next;

    private:
        // The description's names differ in length, ends or middle.
        static std::size_t hash(std::string_view name) noexcept {
            auto const n = name.size();
            if (n == 0) return 0;
            auto const at = [&](std::size_t i) {
                return std::size_t{static_cast<unsigned char>(name[i])};
            };
            auto const mixed = n * 31 + at(0) * 7 + at(n / 2) * 13 + at(n - 1) * 3 + at(n / 4) * 29;
            return (mixed * 2654435761U) >> 4U;
        }

        void fill() {
            std::size_t slots = 8;
            while (slots < fields.size() * 2)
                slots *= 2;
            table_.assign(slots, 0);
            for (std::uint32_t i = 0; i < fields.size(); ++i) {
                auto at = hash(fields[i].name) & (slots - 1);
                while (table_[at] != 0)
                    at = (at + 1) & (slots - 1);
                table_[at] = i + 1;
            }
        }

        // Open addressing; made when the order of the wire first differs from the description's.
        std::vector<std::uint32_t> table_;
    };

    diagnostic describe(bend what, std::string_view text, std::string_view member) const {
        std::string where = pointer();
        if (!member.empty()) append_step(where, member);
        return {what, std::move(where), std::string(text)};
    }

    // A key that stays valid while its value is read.
    std::string_view keep(std::string_view key) {
        std::less<const char*> const before;
        auto const end = whole_.data() + whole_.size();
        if (!before(key.data(), whole_.data()) && before(key.data(), end)) return key;
        kept_keys_.emplace_front(key);
        return kept_keys_.front();
    }

    // Looking a member up

    bool member(std::string_view key) {
        frame& top = frames_.back();
        if (top.what == shape::map) {
            top.key = keep(key);
            return true;
        }
        top.in_member = true;
        auto& likely = next_[top.known->next + top.last];
        const field* found = nullptr;
        if (likely < top.count && same_text(top.fields[likely].name, key)) {
            found = &top.fields[likely];
        } else {
            found = search(top, key);
            if (found == nullptr) {
                top.current = nullptr;
                top.key = keep(key);
                return !options_.report_unknown_fields ||
                    note(bend::unknown_field, "the type has no such member");
            }
            likely = static_cast<std::uint32_t>(found - top.fields);
        }
        top.current = found;
        auto const at = likely;
        top.last = at + 1;
        auto& word = seen_[top.seen + at / 64];
        auto const bit = std::uint64_t{1} << (at % 64);
        if ((word & bit) != 0) return again(top);
        word |= bit;
        return true;
    }

    static const field* search(const frame& f, std::string_view key) {
        if (f.count >= 5) return f.known->find(key);
        for (std::uint32_t i = 0; i < f.count; ++i)
            if (same_text(f.fields[i].name, key)) return &f.fields[i];
        return nullptr;
    }

    habits& habits_of(const type& of) {
        for (auto& known : habits_)
            if (known.of == &of) return known;
        return habits_.emplace_front(of, next_);
    }

    bool again(frame& top) {
        clear_value(*top.current->of, top.self + top.current->offset);
        with_unknown(*top.of, top.self, [&](auto& bag) { bag.erase(top.current->name); });
        return note(bend::duplicate_key, "occurs more than once; the last one counts");
    }

    // Places

    // The type that the next value should have; null for an unknown member.
    static const type* expected(const frame& top) noexcept {
        switch (top.what) {
        case shape::root: return top.of;
        case shape::structure: return top.current == nullptr ? nullptr : top.current->of;
        case shape::list:
        case shape::map: return top.of->inner;
        }
        return nullptr;
    }

    // The address for it, made now; null when strict reading must stop.
    void* place(frame& top) {
        switch (top.what) {
        case shape::root: return top.self;
        case shape::structure: return top.self + top.current->offset;
        case shape::list: return top.of->emplace(top.self);
        case shape::map: {
            auto const before = top.of->size(top.self);
            void* const made = top.of->insert(top.self, top.key);
            if (top.of->size(top.self) != before) return made;
            clear_value(*top.of->inner, made);
            return note(bend::duplicate_key, "occurs more than once; the last one counts")
                ? made
                : nullptr;
        }
        }
        return nullptr;
    }

    // A value is complete.
    void advance() noexcept {
        frame& top = frames_.back();
        ++top.index;
        top.in_member = false;
        top.current = nullptr;
    }

    // Whether unknown members of a struct are kept.
    [[nodiscard]] bool keeps(const frame& f) const noexcept {
        return options_.keep_unknown_fields && f.what == shape::structure &&
            f.of->unknown_fields != type::npos;
    }

    void keep_unknown(const scalar& s) {
        frame& top = frames_.back();
        if (!keeps(top)) return;
        ++top.unknown;
        tape_.push_key(top.key);
        record(s, tape_);
    }

    // To the tape or the stack.
    template <class To>
    static void record(const scalar& s, To& to) {
        switch (s.what) {
        case scalar::form::null: to.push_null(); break;
        case scalar::form::boolean: to.push_bool(s.boolean); break;
        case scalar::form::integer: to.push_int64(s.integer); break;
        case scalar::form::natural: to.push_uint64(s.natural); break;
        case scalar::form::number: to.push_double(s.number); break;
        case scalar::form::string: to.push_string(s.text); break;
        }
    }

    bool on_scalar(const scalar& s) {
        switch (to_) {
        case sink::members: return s.what == scalar::form::null ? put_null() : put(s);
        case sink::stack: record(s, stack_); break;
        case sink::tape: record(s, tape_); break;
        case sink::nowhere: break;
        }
        return true;
    }

    // Whether a scalar that does not fit `expected` is a member of the envelope rather than a
    // record: some operations answer with records by free keys and put a `traceId` among them.
    // Among scalars by free keys it is a scalar that does not fit.
    [[nodiscard]] bool is_beside_records(const frame& top, const type& expected) const noexcept {
        bool const records = expected.what == kind::structure || expected.what == kind::map ||
            expected.what == kind::object;
        return records && top.what == shape::map && frames_.size() == 2;
    }

    static object& object_of(object& bag) noexcept { return bag; }
    static object& object_of(lazy_object& bag) { return bag.get(); }

    // Members that the description lacks join those that did not fit, which have other names.
    static void add(object& bag, tape&& kept) {
        for (auto&& member : kept.read())
            bag.insert_or_assign(member.key(), std::move(member.value()));
    }
    static void add(lazy_object& bag, tape&& kept) {
        if (bag.made() == nullptr)
            bag.tape_ = std::move(kept);
        else
            add(bag.get(), std::move(kept));
    }

    // Puts what fits nowhere under its member's name beside the unknown fields of the nearest
    // struct: the misfits of a list as an array, those of a map as an object. Where no struct is
    // around it, those of the outermost map go to the place that the options name.
    void keep_misfit(value&& v) {
        if (!options_.keep_unknown_fields) return;
        std::size_t at = frames_.size() - 1;
        while (at > 0 && frames_[at].what != shape::structure)
            --at;
        if (at == 0 && options_.beside != nullptr && frames_.size() > 1 &&
            frames_[1].what == shape::map) {
            auto const key = frames_[1].key;
            options_.beside->insert_or_assign({key.data(), key.size()}, std::move(v));
            return;
        }
        frame const& around = frames_[at];
        if (!keeps(around) || around.current == nullptr) return;
        object* bag = nullptr;
        with_unknown(*around.of, around.self, [&](auto& held) { bag = &object_of(held); });
        auto const name = around.current->name;
        if (at + 1 == frames_.size()) {
            bag->insert_or_assign(name, std::move(v));
            return;
        }
        value& kept = (*bag)[name];
        frame const& inner = frames_[at + 1];
        if (inner.what == shape::map) {
            if (!kept.is_object()) kept.emplace_object();
            kept.get_object().insert_or_assign({inner.key.data(), inner.key.size()}, std::move(v));
        } else {
            if (!kept.is_array()) kept.emplace_array();
            kept.get_array().push_back(std::move(v));
        }
    }

    // Scalars

    bool string(std::string_view text) {
        frame const& top = frames_.back();
        // Nine values of ten.
        if (top.current != nullptr) {
            const type* const t = top.current->of;
            if (t == &type_of<std::optional<std::string>>) {
                auto& member =
                    *reinterpret_cast<std::optional<std::string>*>(top.self + top.current->offset);
                member.emplace(text);
                advance();
                return true;
            }
        }
        if (top.what == shape::list && top.of == &type_of<std::vector<std::string>>) {
            static_cast<std::string*>(top.of->emplace(top.self))->assign(text);
            advance();
            return true;
        }
        return put(scalar(text));
    }

    bool put_null() {
        frame& top = frames_.back();
        const type* const t = expected(top);
        bool good = true;
        if (t == nullptr) {
            keep_unknown(scalar());
        } else if (
            t->what == kind::nullable || t->what == kind::optional || t->what == kind::value) {
            void* const self = place(top);
            if (self == nullptr) return false;
            if (t->what == kind::nullable)
                t->set_null(self);
            else if (t->what == kind::value)
                *static_cast<value*>(self) = nullptr;
            if (t->what == kind::optional && top.current != nullptr) unsee(top);
        } else if (top.what == shape::structure) {
            unsee(top);
        } else if (top.what != shape::root) {
            good = note(bend::null_element, "null was left out");
        }
        advance();
        return good;
    }

    static std::size_t index_of_current(const frame& f) noexcept {
        return static_cast<std::size_t>(f.current - f.fields);
    }

    // Null is as good as absent.
    void unsee(frame& top) noexcept {
        auto const at = index_of_current(top);
        seen_[top.seen + at / 64] &= ~(std::uint64_t{1} << (at % 64));
    }

    bool put(const scalar& from) {
        frame& top = frames_.back();
        const type* const t = expected(top);
        if (t == nullptr) {
            keep_unknown(from);
            advance();
            return true;
        }
        // The outermost list that one value stands for.
        const type* single = nullptr;
        const type* leaf = t;
        for (bool deeper = true; deeper;) {
            switch (leaf->what) {
            case kind::list:
                if (single == nullptr) single = leaf;
                [[fallthrough]];
            case kind::optional:
            case kind::nullable: leaf = leaf->inner; break;
            case kind::variant: leaf = leaf->alternatives[alternative(*leaf, from)]; break;
            default: deeper = false;
            }
        }
        scalar made = from;
        bool keep = true;
        auto fits = convert(*leaf, made);
        // As where one scalar is expected, an empty text says "none": it is no list of one.
        if (single != nullptr && from.what == scalar::form::string && from.text.empty())
            fits = fit::nothing;
        if (fits == fit::exact || fits == fit::coerced || fits == fit::unknown) {
            void* self = place(top);
            if (self == nullptr) return false;
            for (const type* at = t; at != leaf;) {
                if (at->what == kind::variant) {
                    auto const which = alternative(*at, from);
                    self = at->select(self, which);
                    at = at->alternatives[which];
                } else {
                    self = at->emplace(self);
                    at = at->inner;
                }
            }
            assign(*leaf, self, made);
            keep = false;
        }
        bool good = true;
        switch (fits) {
        case fit::exact: break;
        case fit::unknown: good = note_enumerator(made.text); break;
        case fit::coerced: good = note_kind(bend::coerced, *leaf, from); break;
        case fit::nothing:
            // An empty string says "no value", as many forms do.
            keep = false;
            good = note_kind(bend::coerced, single != nullptr ? *single : *leaf, from);
            if (top.what == shape::structure) unsee(top);
            break;
        case fit::fraction: good = note_kind(bend::fractional, *leaf, from); break;
        case fit::overflow: good = note_kind(bend::out_of_range, *leaf, from); break;
        case fit::misfit:
            good = is_beside_records(top, *leaf) ? !options_.report_unknown_fields ||
                    note(bend::unknown_field, "stands beside the records")
                                                 : note_kind(bend::wrong_kind, *leaf, from);
            break;
        }
        if (good && single != nullptr && !keep && fits != fit::nothing)
            good = note(bend::single_element, "one value where a list was expected");
        if (keep) keep_misfit(from.to_value());
        advance();
        return good;
    }

    enum class fit : std::uint8_t {
        exact,
        coerced,
        unknown,
        nothing,
        fraction,
        overflow,
        misfit,
    };

    // Turns a scalar into what the type holds.
    static fit convert(const type& t, scalar& s) {
        using form = scalar::form;
        switch (t.what) {
        case kind::value: return fit::exact;
        case kind::string: return s.what == form::string ? fit::exact : fit::coerced;
        case kind::enumeration: return enumerate(t, s);
        case kind::boolean: return to_boolean(s);
        case kind::integer: return to_integer_form(s);
        case kind::number: return to_number(s);
        case kind::structure:
        case kind::map:
        case kind::object:
            return s.what == form::string && s.text.empty() ? fit::nothing : fit::misfit;
        case kind::optional:
        case kind::nullable:
        case kind::list:
        case kind::variant: break;
        }
        return fit::misfit;
    }

    static fit enumerate(const type& t, const scalar& s) {
        if (s.what != scalar::form::string) return fit::coerced;
        if (s.text.empty()) return fit::exact;
        for (auto const name : t.names())
            if (name == s.text) return fit::exact;
        return fit::unknown;
    }

    static fit to_boolean(scalar& s) {
        using form = scalar::form;
        if (s.what == form::boolean) return fit::exact;
        if (s.what == form::integer && (s.integer == 0 || s.integer == 1)) {
            s.boolean = s.integer == 1;
            return fit::coerced;
        }
        if (s.what != form::string) return fit::misfit;
        auto const text = trimmed(s.text);
        if (text.empty()) return fit::nothing;
        bool const yes = equal_ignoring_case(text, "true") || text == "1";
        if (!yes && !equal_ignoring_case(text, "false") && text != "0") return fit::misfit;
        s.boolean = yes;
        return fit::coerced;
    }

    static fit to_integer_form(scalar& s) {
        using form = scalar::form;
        fit fits = fit::exact;
        double number = 0;
        switch (s.what) {
        case form::integer: return fit::exact;
        case form::natural: return fit::overflow;
        case form::number: number = s.number; break;
        case form::string: {
            auto const text = trimmed(s.text);
            if (text.empty()) return fit::nothing;
            if (auto const whole = read_integer(text)) {
                s.integer = *whole;
                return fit::coerced;
            }
            auto const read = read_double(text);
            if (!read) return fit::misfit;
            number = *read;
            fits = fit::coerced;
            break;
        }
        case form::null:
        case form::boolean: return fit::misfit;
        }
        auto const whole = to_integer(number);
        if (!whole) return std::trunc(number) == number ? fit::overflow : fit::fraction;
        // JSON has one kind of number: 5.0 is as good an integer as 5.
        s.integer = *whole;
        return fits;
    }

    static fit to_number(scalar& s) {
        using form = scalar::form;
        switch (s.what) {
        case form::integer: s.number = static_cast<double>(s.integer); return fit::exact;
        case form::natural: s.number = static_cast<double>(s.natural); return fit::exact;
        case form::number: return std::isfinite(s.number) ? fit::exact : fit::overflow;
        case form::string: {
            auto const text = trimmed(s.text);
            if (text.empty()) return fit::nothing;
            auto const read = read_double(text);
            if (!read) return fit::misfit;
            s.number = *read;
            return fit::coerced;
        }
        case form::null:
        case form::boolean: break;
        }
        return fit::misfit;
    }

    static void assign(const type& t, void* self, const scalar& s) {
        switch (t.what) {
        case kind::boolean: *static_cast<bool*>(self) = s.boolean; return;
        case kind::integer: *static_cast<std::int64_t*>(self) = s.integer; return;
        case kind::number: *static_cast<double*>(self) = s.number; return;
        case kind::value:
            if (s.what == scalar::form::string)
                static_cast<value*>(self)->emplace_string().assign(s.text.data(), s.text.size());
            else
                *static_cast<value*>(self) = s.to_value();
            return;
        case kind::string:
            if (s.what == scalar::form::string)
                static_cast<std::string*>(self)->assign(s.text);
            else
                *static_cast<std::string*>(self) = s.to_text();
            return;
        case kind::enumeration:
            if (s.what == scalar::form::string)
                t.set_text(self, s.text);
            else
                t.set_text(self, s.to_text());
            return;
        default: return;
        }
    }

    static std::string_view name_of(kind what) noexcept {
        switch (what) {
        case kind::boolean: return "a boolean";
        case kind::integer: return "an integer";
        case kind::number: return "a number";
        case kind::string:
        case kind::enumeration: return "a string";
        case kind::list: return "an array";
        case kind::map:
        case kind::object:
        case kind::structure: return "an object";
        case kind::value:
        case kind::optional:
        case kind::nullable:
        case kind::variant: break;
        }
        return "another value";
    }

    static std::string_view name_of(const scalar& s) noexcept {
        switch (s.what) {
        case scalar::form::null: return "null";
        case scalar::form::boolean: return "a boolean";
        case scalar::form::integer:
        case scalar::form::natural: return "an integer";
        case scalar::form::number: return "a number";
        case scalar::form::string: return s.text.empty() ? "an empty string" : "a string";
        }
        return "another value";
    }

    bool note_kind(bend what, const type& wanted, const scalar& got) {
        return note_kind(what, wanted, name_of(got));
    }

    bool note_kind(bend what, const type& wanted, std::string_view got) {
        if (!options_.strict && notes_.size() >= options_.max_diagnostics) {
            notes_.count();
            return true;
        }
        std::string text = "expected ";
        text += name_of(wanted.what);
        text += ", got ";
        text += got;
        return note(what, text);
    }

    bool note_enumerator(std::string_view text) {
        // Enough to recognise it, too little for a log to be flooded.
        constexpr std::size_t enough = 40;
        return note(bend::unknown_enumerator, text.substr(0, enough));
    }

    // Objects and arrays

    void push(shape what, const type& of, void* self) {
        // In its place at once: a copy of what was just written waits for the writes.
        frame& f = frames_.emplace_back();
        f.what = what;
        f.of = &of;
        f.self = static_cast<char*>(self);
        if (what != shape::structure) return;
        f.known = &habits_of(of);
        f.fields = f.known->fields.data();
        f.count = static_cast<std::uint32_t>(f.known->fields.size());
        f.tape = tape_.size();
        f.seen = seen_.size();
        seen_.resize(seen_.size() + f.known->required.size());
    }

    bool begin_object() {
        frame& top = frames_.back();
        const type* const t = expected(top);
        if (t == nullptr) return capture(destination::unknown);
        bool single = false;
        const type* leaf = t;
        while (leaf->what == kind::optional || leaf->what == kind::nullable ||
               leaf->what == kind::list) {
            single = single || leaf->what == kind::list;
            leaf = leaf->inner;
        }
        switch (leaf->what) {
        case kind::structure:
        case kind::map:
        case kind::object:
        case kind::value:
        case kind::variant: break;
        default:
            return note_kind(bend::wrong_kind, *leaf, "an object") && capture(destination::misfit);
        }
        if (single && !note(bend::single_element, "one value where a list was expected"))
            return false;
        if (leaf->what == kind::variant) return capture(destination::variant, leaf);
        void* self = place(top);
        if (self == nullptr) return false;
        for (const type* at = t; at != leaf; at = at->inner)
            self = at->emplace(self);
        return open_object(*leaf, self);
    }

    bool open_object(const type& leaf, void* self) {
        switch (leaf.what) {
        case kind::structure: push(shape::structure, leaf, self); return true;
        case kind::map: push(shape::map, leaf, self); return true;
        case kind::object: return capture(destination::object, &leaf, self);
        default: return capture(destination::value, &leaf, self);
        }
    }

    bool begin_array() {
        frame& top = frames_.back();
        const type* const t = expected(top);
        if (t == nullptr) return capture(destination::unknown);
        const type* leaf = t;
        while (leaf->what == kind::optional || leaf->what == kind::nullable)
            leaf = leaf->inner;
        if (leaf->what != kind::list && leaf->what != kind::value && leaf->what != kind::variant)
            return note_kind(bend::wrong_kind, *leaf, "an array") && capture(destination::misfit);
        if (leaf->what == kind::variant) return capture(destination::variant, leaf);
        void* self = place(top);
        if (self == nullptr) return false;
        for (const type* at = t; at != leaf; at = at->inner)
            self = at->emplace(self);
        if (leaf->what == kind::list) {
            if (top.what == shape::structure) {
                auto const likely = top.known->sizes[index_of_current(top)];
                if (likely != 0) leaf->reserve(self, likely);
            }
            push(shape::list, *leaf, self);
            return true;
        }
        return capture(destination::value, leaf, self);
    }

    bool end_container() {
        frame& top = frames_.back();
        bool good = true;
        if (top.what == shape::structure) {
            auto const& required = top.known->required;
            for (std::size_t word = 0; word < required.size() && good; ++word)
                for (auto left = required[word] & ~seen_[top.seen + word]; left != 0 && good;
                     left &= left - 1) {
                    auto const at = word * 64 + static_cast<std::size_t>(std::countr_zero(left));
                    good =
                        note(bend::missing_required, "required and not there", top.fields[at].name);
                }
            seen_.resize(top.seen);
            if (top.unknown != 0) {
                auto kept = tape_.cut(top.tape, top.unknown);
                with_unknown(*top.of, top.self, [&](auto& bag) { add(bag, std::move(kept)); });
            }
        }
        if (top.what == shape::list) {
            frame const& around = frames_[frames_.size() - 2];
            if (around.what == shape::structure)
                around.known->sizes[index_of_current(around)] =
                    static_cast<std::uint8_t>(top.index <= habits::most_reserved ? top.index : 0);
        }
        frames_.pop_back();
        advance();
        return good;
    }

    // Captured subtrees

    bool capture(destination to, const type* of = nullptr, void* self = nullptr) {
        capture_depth_ = 1;
        capture_to_ = to;
        capture_of_ = of;
        capture_self_ = self;
        frame& top = frames_.back();
        if (to == destination::unknown && keeps(top)) {
            to_ = sink::tape;
            ++top.unknown;
            tape_.push_key(top.key);
            tape_.begin();
        } else if (
            to == destination::unknown ||
            (to == destination::misfit && !options_.keep_unknown_fields)) {
            to_ = sink::nowhere;
        } else {
            to_ = sink::stack;
            stack_.reset();
        }
        return true;
    }

    bool end_capture() {
        bool const made_tree = to_ == sink::stack;
        to_ = sink::members;
        if (made_tree) {
            value made = stack_.release();
            switch (capture_to_) {
            case destination::unknown: break;
            case destination::misfit: keep_misfit(std::move(made)); break;
            case destination::value: *static_cast<value*>(capture_self_) = std::move(made); break;
            case destination::object:
                *static_cast<object*>(capture_self_) = std::move(made.get_object());
                break;
            case destination::variant: return fill_variant(*capture_of_, std::move(made));
            }
        }
        advance();
        return true;
    }

    // Variants

    // The alternative that a scalar goes to: its own kind, else the first that can take it.
    static std::size_t alternative(const type& t, const scalar& s) {
        std::size_t best = 0;
        int best_score = -1;
        for (std::size_t i = 0; i < t.alternatives.size(); ++i) {
            const type* leaf = t.alternatives[i];
            while (leaf->what == kind::optional || leaf->what == kind::nullable)
                leaf = leaf->inner;
            if (leaf->what == kind::list || leaf->what == kind::variant) continue;
            scalar copy = s;
            int score = 0;
            switch (convert(*leaf, copy)) {
            // A string among the alternatives takes any text, an enumeration its own, a value
            // anything: the narrower wins.
            case fit::exact: score = leaf->what == kind::value ? 3 : specificity(*leaf, s); break;
            case fit::unknown: score = 2; break;
            case fit::coerced: score = 1; break;
            default: break;
            }
            if (score <= best_score) continue;
            best = i;
            best_score = score;
        }
        return best;
    }

    static int specificity(const type& leaf, const scalar& s) noexcept {
        bool const whole = s.what == scalar::form::integer;
        if (leaf.what == kind::enumeration || (leaf.what == kind::integer && whole)) return 5;
        return 4;
    }

    // The member is made only now, because a value that no alternative can take leaves it absent.
    bool fill_variant(const type& t, value&& from) {
        auto const nearest = alternative(t, from);
        if (nearest.likeness == 0) {
            bool const good = note(bend::wrong_kind, "no alternative is of this kind");
            keep_misfit(std::move(from));
            advance();
            return good;
        }
        if (nearest.likeness < sure &&
            !note(bend::unknown_alternative, "fits no alternative for sure"))
            return false;
        frame& top = frames_.back();
        void* self = place(top);
        if (self == nullptr) return false;
        for (const type* at = expected(top); at != &t; at = at->inner)
            self = at->emplace(self);
        push(shape::root, *t.alternatives[nearest.index], t.select(self, nearest.index));
        if (!replay(from)) return false;
        frames_.pop_back();
        advance();
        return true;
    }

    class choice {
    public:
        std::size_t index = 0;
        int likeness = -1;
    };

    // The alternative that an object or array goes to.
    static choice alternative(const type& t, const value& from) {
        choice best;
        for (std::size_t i = 0; i < t.alternatives.size(); ++i) {
            int const score = likeness(*t.alternatives[i], from);
            if (score <= best.likeness) continue;
            best.index = i;
            best.likeness = score;
        }
        return best;
    }

    // From here on a value is surely of the type; below, what is there tells which type is nearest.
    static constexpr int sure = 1 << 16;

    static const type& without_wrappers(const type& t) noexcept {
        const type* leaf = &t;
        while (leaf->what == kind::optional || leaf->what == kind::nullable)
            leaf = leaf->inner;
        return *leaf;
    }

    // How much a value looks like a type: 0 not at all, more with each member of a struct that is
    // there, and `sure` more when no required member is missing.
    static int likeness(const type& t, const value& from) {
        type const& leaf = without_wrappers(t);
        switch (leaf.what) {
        case kind::value: return sure;
        case kind::list:
            if (!from.is_array()) return 0;
            return from.get_array().empty() ? sure : sure + likeness_of_element(*leaf.inner, from);
        case kind::map:
        case kind::object: return from.is_object() ? sure : 0;
        case kind::structure: return from.is_object() ? likeness(leaf, from.get_object()) : 0;
        default: return 0;
        }
    }

    static int likeness_of_element(const type& t, const value& list) {
        value const& first = list.get_array().front();
        if (first.is_structured()) return likeness(t, first);
        bool const text = first.is_string();
        switch (t.what) {
        case kind::string:
        case kind::enumeration: return text ? 1 : 0;
        case kind::integer:
        case kind::number: return first.is_number() ? 1 : 0;
        case kind::boolean: return first.is_bool() ? 1 : 0;
        default: return 0;
        }
    }

    static int likeness(const type& t, const object& from) {
        // What one member tells: as much as four that are missing, since servers leave members out
        // more often than they add some; the right text in a discriminator more than any member.
        constexpr int member_there = 4;
        constexpr int member_of_kind = 4;
        constexpr int right_text = 32;
        constexpr int wrong_text = -24;
        constexpr int least = 64;
        int score = 0;
        bool complete = true;
        for (auto const& f : t.fields()) {
            const value* const there = from.if_contains(f.name);
            if (there == nullptr || there->is_null()) {
                if (f.need != presence::required) continue;
                complete = false;
                --score;
                continue;
            }
            score += member_there;
            type const& leaf = without_wrappers(*f.of);
            if (leaf.what == kind::enumeration && there->is_string()) {
                auto const& s = there->get_string();
                scalar text(std::string_view(s.data(), s.size()));
                score += enumerate(leaf, text) == fit::exact ? right_text : wrong_text;
            } else if (is_of_kind(leaf, *there)) {
                score += member_of_kind;
            }
        }
        if (complete && score > 0) return sure + score;
        // Anything is nearer than another kind of JSON.
        return std::max(1, least + score);
    }

    static bool is_of_kind(const type& leaf, const value& v) noexcept {
        switch (leaf.what) {
        case kind::boolean: return v.is_bool();
        case kind::integer:
        case kind::number: return v.is_number();
        case kind::string:
        case kind::enumeration: return v.is_string();
        case kind::list: return v.is_array();
        case kind::map:
        case kind::object:
        case kind::structure: return v.is_object();
        case kind::value:
        case kind::optional:
        case kind::nullable:
        case kind::variant: break;
        }
        return true;
    }

    const decode_options& options_;
    diagnostics& notes_;
    diagnostic refusal_;
    std::string_view whole_;
    std::vector<frame> frames_;
    // Bits of members that occurred, for the structures among the frames.
    std::vector<std::uint64_t> seen_;
    std::forward_list<habits> habits_;
    std::vector<std::uint32_t> next_;
    // Keys that had to be unescaped.
    std::forward_list<std::string> kept_keys_;

    sink to_ = sink::members;
    std::size_t capture_depth_ = 0;
    destination capture_to_ = destination::unknown;
    const type* capture_of_ = nullptr;
    void* capture_self_ = nullptr;
    // Unknown members of the structs among the frames.
    tape_writer tape_;
    std::array<unsigned char, 2048> stack_space_;
    boost::json::value_stack stack_;
};

} // namespace highlevel::json::detail

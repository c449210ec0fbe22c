// SPDX-License-Identifier: BSL-1.0
//
// What a lenient decode had to bend. The description and the server disagree often; the calls go
// on, and this list is how anyone finds out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::json {

/// In which way a value differed from its type.
enum class bend : std::uint8_t {
    /// A required member was absent or null.
    missing_required,
    /// A value of another kind, which nothing can be made of. The member stays absent; the value
    /// is in the `unknown_fields` of the enclosing struct. Elements of a list or map are there
    /// under
    /// the list's name, and are written back behind the elements that fit.
    wrong_kind,
    /// A scalar of another kind that could be read: "5" for a number, 5 for a string.
    coerced,
    /// A fraction where an integer was expected; treated as `wrong_kind`.
    fractional,
    /// A number that its type cannot hold; treated as `wrong_kind`.
    out_of_range,
    /// One value where a list was expected; it became a list of one.
    single_element,
    /// A null among the elements of a list or map that cannot hold one; left out.
    null_element,
    /// A member that occurred twice; the last one counts.
    duplicate_key,
    /// A text that the enumeration does not know; it was kept.
    unknown_enumerator,
    /// An object or array that is none of a variant's alternatives for sure; the nearest was taken.
    unknown_alternative,
    /// A member that the type does not have. Reported on request only; it is always kept.
    unknown_field,
    /// Half of a surrogate pair in a string; replaced by U+FFFD.
    lone_surrogate,
    /// No content at all where an object was expected.
    empty_text,
};

/// The enumerator's name, for example "wrong_kind".
[[nodiscard]] constexpr std::string_view to_string(bend what) noexcept {
    switch (what) {
    case bend::missing_required: return "missing_required";
    case bend::wrong_kind: return "wrong_kind";
    case bend::coerced: return "coerced";
    case bend::fractional: return "fractional";
    case bend::out_of_range: return "out_of_range";
    case bend::single_element: return "single_element";
    case bend::null_element: return "null_element";
    case bend::duplicate_key: return "duplicate_key";
    case bend::unknown_enumerator: return "unknown_enumerator";
    case bend::unknown_alternative: return "unknown_alternative";
    case bend::unknown_field: return "unknown_field";
    case bend::lone_surrogate: return "lone_surrogate";
    case bend::empty_text: return "empty_text";
    }
    return "unknown";
}

/// One place where the text and the type differed.
class diagnostic {
public:
    diagnostic() = default;
    diagnostic(bend what_, std::string pointer_, std::string text_)
        : what(what_),
          pointer(std::move(pointer_)),
          text(std::move(text_)) {}

    bend what = bend::wrong_kind;
    /// Where: a JSON pointer (RFC 6901), for example "/contacts/3/dateAdded".
    std::string pointer;
    /// In words, for example "expected an integer, got a string". Holds no values from the text
    /// but unknown enumerators, so it may be logged.
    std::string text;
};

/// The differences of one decode: the first few in full, all of them counted.
///
/// Allocates nothing as long as there are none.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class diagnostics {
public:
    using const_iterator = std::vector<diagnostic>::const_iterator;

    diagnostics() = default;

    /// How many there were, also those that are not kept.
    [[nodiscard]] std::size_t total() const noexcept { return total_; }
    /// How many are kept.
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    [[nodiscard]] bool empty() const noexcept { return total_ == 0; }
    [[nodiscard]] const diagnostic& operator[](std::size_t at) const noexcept { return items_[at]; }
    [[nodiscard]] const_iterator begin() const noexcept { return items_.begin(); }
    [[nodiscard]] const_iterator end() const noexcept { return items_.end(); }

    /// Counts one that is not kept.
    void count() noexcept { ++total_; }
    /// Counts and keeps one.
    void add(diagnostic item) {
        ++total_;
        items_.push_back(std::move(item));
    }
    void clear() noexcept {
        items_.clear();
        total_ = 0;
    }

private:
    std::vector<diagnostic> items_;
    std::size_t total_ = 0;
};

} // namespace highlevel::json

// SPDX-License-Identifier: BSL-1.0
//
// An enumeration that survives growth: HighLevel adds values without notice, and an unknown one
// must neither fail a decode nor get lost when the record is written back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace highlevel::json {

namespace detail {

// What every open_enum is, apart from its names; shared, because a family has hundreds of enums and
// each function of a class template is paid for by every translation unit. The text is a bare
// pointer, since it is rare; a unique_ptr would not be standard layout, which offsetof asks for.
class open_text {
public:
    open_text() = default;
    explicit open_text(std::uint16_t index) noexcept : index_(index) {}
    open_text(std::string_view text, std::span<const std::string_view> names) {
        assign(text, names);
    }
    open_text(const open_text& from)
        : text_(from.text_ ? new std::string(*from.text_) : nullptr),
          index_(from.index_) {}
    open_text(open_text&& from) noexcept
        : text_(std::exchange(from.text_, nullptr)),
          index_(std::exchange(from.index_, none)) {}
    open_text& operator=(open_text from) noexcept {
        std::swap(text_, from.text_);
        std::swap(index_, from.index_);
        return *this;
    }
    ~open_text() { delete text_; }

    void assign(std::string_view text, std::span<const std::string_view> names) {
        std::uint16_t index = 0;
        while (index < names.size() && names[index] != text)
            ++index;
        *this = index < names.size() ? open_text(index) : open_text(text);
    }

    void reset() noexcept { *this = open_text(); }

    [[nodiscard]] bool is_known() const noexcept { return index_ != none; }
    [[nodiscard]] std::uint16_t index() const noexcept { return index_; }

    [[nodiscard]] std::string_view text(std::span<const std::string_view> names) const noexcept {
        if (text_) return *text_;
        return index_ < names.size() ? names[index_] : std::string_view{};
    }

    friend bool operator==(const open_text& a, const open_text& b) noexcept {
        if (a.index_ != b.index_ || !a.text_ != !b.text_) return false;
        return !a.text_ || *a.text_ == *b.text_;
    }

private:
    explicit open_text(std::string_view text)
        : text_(text.empty() ? nullptr : new std::string(text)) {}

    static constexpr std::uint16_t none = 0xffff;

    std::string* text_ = nullptr;
    std::uint16_t index_ = none;
};

} // namespace detail

/// Empty, an enumerator of `E`, or text that `E` does not know.
///
/// `E` has by argument-dependent look-up `std::span<const std::string_view> wire_names(const E*)`,
/// whose index is the enumerator's value. Text that an enumerator stands for becomes the
/// enumerator; any other text is kept as it is, also lists such as "a,b" that a query accepts.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
template <class E>
class open_enum {
    static_assert(std::is_enum_v<E>, "open_enum wants an enumeration");

    template <class T>
    static constexpr bool is_text =
        std::is_convertible_v<const T&, std::string_view> && !std::is_same_v<T, std::nullptr_t>;

    static std::span<const std::string_view> names() noexcept {
        return wire_names(static_cast<const E*>(nullptr));
    }

public:
    using enum_type = E;

    open_enum() = default;
    open_enum(E known) noexcept : held_(static_cast<std::uint16_t>(known)) {}
    template <class T>
    requires is_text<T> open_enum(const T& text) : held_(std::string_view(text), names()) {}

    /// Takes wire text; empty text makes it empty.
    void assign(std::string_view text) { held_.assign(text, names()); }

    /// The enumerator, unless empty or unknown.
    [[nodiscard]] std::optional<E> known() const noexcept {
        if (!held_.is_known()) return std::nullopt;
        return static_cast<E>(held_.index());
    }

    /// The text on the wire; empty when it was never set. Valid until this object changes.
    [[nodiscard]] std::string_view text() const noexcept { return held_.text(names()); }

    [[nodiscard]] bool empty() const noexcept { return held_ == detail::open_text(); }

    /// Makes it empty.
    void reset() noexcept { held_.reset(); }

    friend bool operator==(const open_enum& a, const open_enum& b) noexcept {
        return a.held_ == b.held_;
    }
    friend bool operator==(const open_enum& a, E b) noexcept {
        return a.held_.is_known() && a.held_.index() == static_cast<std::uint16_t>(b);
    }
    template <class T>
    requires is_text<T>
    friend bool operator==(const open_enum& a, const T& b) noexcept {
        return a.text() == std::string_view(b);
    }

private:
    detail::open_text held_;
};

} // namespace highlevel::json

// SPDX-License-Identifier: BSL-1.0
//
// A member that tells "left alone" from "cleared". HighLevel reads an explicit null in an update
// as "clear this field", which std::optional cannot say.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace highlevel::json {

/// The type of `null`.
struct null_t {
    explicit constexpr null_t(int /*tag*/) noexcept {}
};

/// Sets a nullable to null: `op.body.phone = json::null`. Plain `nullptr` does the same.
inline constexpr null_t null{0};

namespace detail {

template <class U>
concept null_like = std::same_as<std::remove_cvref_t<U>, null_t> ||
    std::same_as<std::remove_cvref_t<U>, std::nullptr_t>;

} // namespace detail

/// Absent (nothing is sent), null (an explicit null is sent), or a value.
///
/// Behaves like std::optional with one more state; what is default constructed is absent.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
template <class T>
class nullable {
    // A pointer never turns into a bool by accident: `flag = "text"` does not compile.
    template <class U>
    static constexpr bool takes =
        !detail::null_like<U> && !std::same_as<std::remove_cvref_t<U>, nullable> &&
        std::is_constructible_v<T, U> && std::is_assignable_v<T&, U> &&
        !(std::same_as<T, bool> && std::is_pointer_v<std::decay_t<U>>);

public:
    using value_type = T;

    nullable() = default;
    /// Null.
    template <detail::null_like N>
    nullable(const N& /*tag*/) noexcept : null_(true) {}
    /// A value.
    template <class U = T>
    requires takes<U> nullable(U&& from) : value_(std::forward<U>(from)) {}

    template <detail::null_like N>
    nullable& operator=(const N& /*tag*/) noexcept {
        set_null();
        return *this;
    }
    // As std::optional does, `= {}` makes it absent also for scalars.
    template <class U = T>
    requires(takes<U> && !(std::is_scalar_v<T> && std::same_as<T, std::decay_t<U>>)) nullable&
    operator=(U&& from) {
        value_ = std::forward<U>(from);
        null_ = false;
        return *this;
    }

    /// Whether there is a value.
    [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
    [[nodiscard]] explicit operator bool() const noexcept { return value_.has_value(); }
    [[nodiscard]] bool is_null() const noexcept { return null_; }
    [[nodiscard]] bool is_absent() const noexcept { return !null_ && !value_.has_value(); }

    /// The value. Throws std::bad_optional_access when there is none.
    [[nodiscard]] T& value() { return value_.value(); }
    [[nodiscard]] const T& value() const { return value_.value(); }
    /// The value, or `other`.
    template <class U>
    [[nodiscard]] T value_or(U&& other) const {
        return value_.value_or(std::forward<U>(other));
    }
    /// The value. Precondition: has_value().
    [[nodiscard]] T& operator*() noexcept { return *value_; }
    [[nodiscard]] const T& operator*() const noexcept { return *value_; }
    [[nodiscard]] T* operator->() noexcept { return value_.operator->(); }
    [[nodiscard]] const T* operator->() const noexcept { return value_.operator->(); }

    /// Makes a value in place and gives it.
    template <class... Args>
    T& emplace(Args&&... args) {
        T& made = value_.emplace(std::forward<Args>(args)...);
        null_ = false;
        return made;
    }

    /// Makes it null.
    void set_null() noexcept {
        value_.reset();
        null_ = true;
    }

    /// Makes it absent.
    void reset() noexcept {
        value_.reset();
        null_ = false;
    }

    friend bool operator==(const nullable& a, const nullable& b) requires requires(const T& t) {
        t == t;
    }
    { return a.null_ == b.null_ && a.value_ == b.value_; }
    template <detail::null_like N>
    friend bool operator==(const nullable& a, const N& /*tag*/) noexcept {
        return a.null_;
    }
    template <class U>
    requires(takes<const U&>&& requires(const T& t, const U& u) { t == u; }) friend bool operator==(
        const nullable& a, const U& b) {
        return a.value_.has_value() && *a.value_ == b;
    }

private:
    std::optional<T> value_;
    bool null_ = false;
};

} // namespace highlevel::json

// SPDX-License-Identifier: BSL-1.0
//
// Why the limiter gave no permit. The client translates these into its own codes; users of the
// limiter alone meet them directly.
#pragma once

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>

#include <string>
#include <type_traits>

namespace highlevel::quota {

/// Reasons for which an acquire ends without a permit.
enum class errc : int {
    /// The lane's queue holds as many calls as `limits` allows; nothing was queued.
    queue_full = 1,
    /// The permit cannot be had before the deadline; `acquire_result::retry_in()` says when it can.
    deadline_too_soon,
    /// The day's requests are used up; `acquire_result::retry_in()` says when to ask again.
    daily_exhausted,
    /// The limiter does not take calls any more. Waiters of a limiter that is shut down and
    /// cancelled ones complete with `asio::error::operation_aborted`, which equals this one.
    aborted,
};

namespace detail {

class error_category final : public boost::system::error_category {
public:
    constexpr error_category() noexcept : boost::system::error_category(0x51b7c20e8da3f649ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.quota"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::queue_full: return "too many calls wait for a permit already";
        case errc::deadline_too_soon: return "no permit can be had before the deadline";
        case errc::daily_exhausted: return "the daily limit is used up";
        case errc::aborted: return "the wait for a permit was given up";
        }
        return "unknown error";
    }

    [[nodiscard]] boost::system::error_condition default_error_condition(
        int value) const noexcept override {
        if (static_cast<errc>(value) == errc::aborted)
            return boost::system::errc::make_error_condition(
                boost::system::errc::operation_canceled);
        return {value, *this};
    }
};

inline constexpr error_category error_category_instance{};

} // namespace detail

/// The category of `quota::errc`; its name is "highlevel.quota".
[[nodiscard]] inline const boost::system::error_category& category() noexcept {
    return detail::error_category_instance;
}

[[nodiscard]] inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), category()};
}

} // namespace highlevel::quota

template <>
struct boost::system::is_error_code_enum<highlevel::quota::errc> : std::true_type {};

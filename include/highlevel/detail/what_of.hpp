// SPDX-License-Identifier: BSL-1.0
//
// The words of an exception.
#pragma once

#include <exception>
#include <string>

namespace highlevel::detail {

/// What an exception says, for people.
[[nodiscard]] inline std::string what_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception of unknown type";
    }
}

} // namespace highlevel::detail

// SPDX-License-Identifier: BSL-1.0
//
// std::make_shared for what is made rarely: with one allocation more, but without its 40 functions
// per type, which a file that builds a client would compile for each of two dozen types.
#pragma once

#include <memory>
#include <utility>

namespace highlevel::detail {

/// A shared object; the count of its owners is allocated apart.
template <class T, class... Arguments>
[[nodiscard]] std::shared_ptr<T> share(Arguments&&... arguments) {
    return std::shared_ptr<T>{new T(std::forward<Arguments>(arguments)...)};
}

} // namespace highlevel::detail

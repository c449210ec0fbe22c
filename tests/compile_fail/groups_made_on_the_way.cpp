// SPDX-License-Identifier: BSL-1.0
//
// The groups of `for_each_fair` must outlive the call, so they cannot be temporaries of a view.
// MESSAGE: the groups must be ranges that lie somewhere, not made on the way
#include <highlevel/batch.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <ranges>
#include <vector>

auto run(std::vector<std::vector<int>>& numbers) {
    auto const fn = [](int, std::size_t) -> boost::asio::awaitable<void> { co_return; };
#if defined(HIGHLEVEL_TEST_GOOD)
    return highlevel::try_for_each_fair(numbers, 2, fn);
#else
    auto copies = numbers | std::views::transform([](const std::vector<int>& v) { return v; });
    return highlevel::try_for_each_fair(copies, 2, fn);
#endif
}

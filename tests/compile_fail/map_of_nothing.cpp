// SPDX-License-Identifier: BSL-1.0
//
// `map` keeps results, so its function must give some.
// MESSAGE: map keeps what the function gives; use for_each when it gives nothing
#include <highlevel/batch.hpp>

#include <boost/asio/awaitable.hpp>

#include <vector>

#if defined(HIGHLEVEL_TEST_GOOD)
boost::asio::awaitable<int> work(int number) {
    co_return number;
}
#else
boost::asio::awaitable<void> work(int) {
    co_return;
}
#endif

auto run(std::vector<int>& numbers) {
    auto const fn = [](int number) { return work(number); };
    return highlevel::map(numbers, 2, fn);
}

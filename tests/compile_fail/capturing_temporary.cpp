// SPDX-License-Identifier: BSL-1.0
//
// g++ 12 would destroy this lambda twice inside a co_await expression.
// MESSAGE: g\+\+ 12 destroys this temporary twice inside co_await
// COMPILER: GNU 12
#include <highlevel/batch.hpp>

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

boost::asio::awaitable<void> run(std::vector<int>& numbers, std::string text) {
#if defined(HIGHLEVEL_TEST_GOOD)
    auto const fn = [text](int) -> boost::asio::awaitable<void> { co_return; };
    co_await highlevel::try_for_each(numbers, 2, fn);
#else
    co_await highlevel::try_for_each(
        numbers, 2, [text](int) -> boost::asio::awaitable<void> { co_return; });
#endif
}

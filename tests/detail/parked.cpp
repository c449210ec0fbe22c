// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/parked.hpp: a handler of any size is called once, or destroyed.
#include "support/catch.hpp"

#include <highlevel/detail/parked.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>

namespace detail_parked_tests {

namespace asio = boost::asio;
using boost::system::error_code;
using highlevel::detail::parked;

/// A handler as small as that of a coroutine: without a code, and with its executor inside.
class small {
public:
    using executor_type = asio::io_context::executor_type;

    small(asio::io_context& context, std::unique_ptr<std::shared_ptr<int>> calls)
        : context_(&context),
          calls_(std::move(calls)) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return context_->get_executor(); }
    void operator()() { ++**calls_; }

private:
    asio::io_context* context_;
    std::unique_ptr<std::shared_ptr<int>> calls_;
};

TEST_CASE("parked_handler_is_called_once_through_its_executor", "[detail]") {
    asio::io_context context;
    auto const calls = std::make_shared<int>();
    {
        parked place;
        CHECK(!place);
        place.keep(small{context, std::make_unique<std::shared_ptr<int>>(calls)});
        REQUIRE(place);
        place.post(asio::error::eof);
        CHECK(!place);
        CHECK(*calls == 0); // never inside post()
    }
    CHECK(context.run() == 1);
    CHECK(*calls == 1);
    CHECK(calls.use_count() == 1);
}

TEST_CASE("parked_handler_hears_the_code_and_may_be_large", "[detail]") {
    asio::io_context context;
    std::optional<error_code> heard;
    {
        parked place;
        std::array<char, 100> large{};
        large.back() = 'x';
        place.keep(asio::bind_executor(context, [&heard, large](error_code ec) {
            if (large.back() == 'x') heard = ec;
        }));
        place.post(asio::error::eof);
    }
    CHECK(!heard);
    context.run();
    REQUIRE(heard);
    CHECK((*heard == asio::error::eof));
}

TEST_CASE("parked_handler_that_takes_anything_hears_the_code", "[detail]") {
    asio::io_context context;
    std::size_t heard = 0;
    parked place;
    place.keep(asio::bind_executor(context, [&](auto... all) { heard = sizeof...(all); }));
    place.post(asio::error::eof);
    context.run();
    CHECK(heard == 1);
}

TEST_CASE("parked_handler_that_is_not_posted_is_destroyed", "[detail]") {
    asio::io_context context;
    auto const calls = std::make_shared<int>();
    {
        parked place;
        place.keep(small{context, std::make_unique<std::shared_ptr<int>>(calls)});
        CHECK(calls.use_count() == 2);
    }
    CHECK(calls.use_count() == 1);
    {
        parked place;
        place.keep(asio::bind_executor(context, [calls](error_code) { ++*calls; }));
        CHECK(calls.use_count() == 2);
    }
    CHECK(calls.use_count() == 1);
    CHECK(context.run() == 0);
    CHECK(*calls == 0);
}

} // namespace detail_parked_tests

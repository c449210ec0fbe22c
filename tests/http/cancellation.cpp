// SPDX-License-Identifier: BSL-1.0
//
// The cancellation matrix: a call is stopped at each point at which it can be suspended, by
// terminal cancellation, by its deadline and by the end of its client. Afterwards permits and
// connections are back, and nothing has run inside the function that stopped it.
#include "support/catch.hpp"
#include "support/client_bench.hpp"
#include "support/fault_server.hpp"

#include <highlevel/auth/credentials.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/ring_at_end.hpp>
#include <highlevel/http/body.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace http_cancellation_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using highlevel::method;
namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace http = highlevel::http;

/// A caller's own source of tokens, which never has one ready, or never another. It knows neither
/// deadlines nor clients, unless it keeps deadlines.
class slow_provider final : public auth::provider {
public:
    slow_provider(bool has_one, bool keeps) : has_one_(has_one), keeps_(keeps) {}

    [[nodiscard]] bool keeps_deadlines() const noexcept override { return keeps_; }

    asio::awaitable<auth::grant> authorize(auth::token_request request) override {
        if (keeps_) {
            ++waiting;
            asio::steady_timer timer{co_await asio::this_coro::executor, request.deadline};
            timer.async_wait(highlevel::detail::ring_at_end{bell_, make_error_code(errc::timeout)});
            boost::system::error_code ec;
            co_await bell_->async_wait(asio::redirect_error(asio::use_awaitable, ec));
            co_return auth::grant{ec, "no token came"};
        }
        if (has_one_)
            co_return auth::grant{
                std::make_shared<const auth::secret>("one"),
                highlevel::token_kinds::location_private};
        auto const ec = co_await sleep();
        co_return auth::grant{ec, "no token came"};
    }
    asio::awaitable<bool> renew(
        auth::token_request /*request*/, std::shared_ptr<const auth::secret> /*refused*/) override {
        co_await sleep();
        co_return false;
    }

    /// Lets go of who waits, with a reason that is its own.
    void detach(const http::transport& /*client*/) noexcept override {
        bell_->ring(make_error_code(errc::no_token));
    }

    std::size_t waiting = 0;

private:
    asio::awaitable<boost::system::error_code> sleep() {
        ++waiting;
        asio::steady_timer timer{
            co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max()};
        boost::system::error_code ec;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        co_return ec;
    }

    bool has_one_;
    bool keeps_;
    std::shared_ptr<highlevel::detail::one_shot> bell_ =
        std::make_shared<highlevel::detail::one_shot>();
};

enum class point {
    token,
    kept_token,
    permit,
    connection,
    connecting,
    tunnel,
    tls,
    writing,
    uploading,
    first_byte,
    reading,
    renewing,
    pause
};

constexpr std::string_view name_of(point p) {
    switch (p) {
    case point::token:
    case point::kept_token: return "token";
    case point::permit: return "permit";
    case point::connection: return "queued";
    case point::connecting:
    case point::tunnel: return "connect";
    case point::tls: return "tls";
    case point::writing:
    case point::uploading: return "write";
    case point::first_byte: return "first_byte";
    case point::reading: return "read";
    case point::renewing: return "token";
    case point::pause: return "pause";
    }
    return {};
}

/// A server, a client, and one call that sleeps at the point.
class scene {
public:
    explicit scene(point where, std::chrono::milliseconds timeout = {}) {
        behaviour fault;
        switch (where) {
        case point::connection: fault.gated = true; break;
        case point::permit:
        case point::tunnel:
        case point::first_byte: fault.before = act::stall; break;
        case point::tls: fault.at_accept = act::stall; break;
        case point::writing:
        case point::uploading: fault.early = fault.gated = true; break;
        case point::renewing:
            fault = behaviour{http_reply(
                R"({"message":"Invalid Private Integration token"})", "401 Unauthorized",
                "Content-Type: application/json\r\n")};
            break;
        case point::reading:
            fault = behaviour{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", act::stall};
            break;
        case point::pause:
            fault = behaviour{http_reply("", "503 Unavailable", "Retry-After: 60\r\n")};
            break;
        case point::token:
        case point::kept_token:
        case point::connecting: break;
        }
        server = std::make_unique<fault_server>(fault);
        auto url = server->url();
        if (where == point::tls) url.replace(0, 4, "https");
        if (where == point::connecting) {
            silent = std::make_unique<full_listener>();
            url = silent->url();
        }
        if (where == point::tunnel) url = "https://api.test";
        b = std::make_unique<client_bench>(url);
        if (where == point::tunnel) b->options.proxy.url = server->url();
        if (where == point::connection) b->options.pool.max_connections = 1;
        if (where == point::token || where == point::kept_token || where == point::renewing) {
            provider = std::make_shared<slow_provider>(
                where == point::renewing, where == point::kept_token);
            b->options.credentials = std::shared_ptr<auth::provider>{provider};
        }
        b->start();
        // The first request of a bucket is alone: the next waits until its answer is here.
        if (where == point::permit) {
            holder = b->begin({method::get, "/holder"});
            b->run_until([&] { return server->request_count() == 1; });
        }
        // Beside the rate limit, so that only the connection is held.
        if (where == point::connection) {
            holding = http::request{method::get, "/holder"};
            asio::co_spawn(
                b->context, b->transport->exchange(*holding, {}),
                [this](std::exception_ptr, http::exchange_result) { held = true; });
            b->run_until([&] { return server->request_count() == 1; });
        }

        bool const sends = where == point::writing || where == point::uploading;
        http::request r{sends ? method::post : method::get, "/x"};
        std::string const large(sends ? 64 * 1024 * 1024 : 0, 'x');
        if (where == point::writing) r.body = large;
        if (where == point::uploading) {
            auto const source = std::make_shared<http::segmented_source>();
            source->add_text(large);
            r.source = source;
        }
        highlevel::call_options how;
        if (timeout.count() != 0) how.timeout = timeout;
        call = b->begin(std::move(r), how);
        if (timeout.count() != 0) return;
        b->run_until([&] { return there(where); });
        for (int i = 0; i < 20; ++i)
            b->context.poll();
    }

    /// Whether the call sleeps where it should, as far as can be seen from outside.
    [[nodiscard]] bool there(point where) const {
        auto const s = b->transport->stats();
        switch (where) {
        case point::token:
        case point::kept_token:
        case point::renewing: return provider->waiting == 1;
        case point::permit:
            return b->client->quota("loc").waiting_in(highlevel::quota::lane::interactive) == 1;
        case point::connection: return s.waiting == 1;
        case point::connecting: return s.connecting == 1;
        case point::tls: return server->accepted() == 1;
        case point::tunnel:
        case point::writing:
        case point::uploading:
        case point::first_byte:
        case point::reading: return server->request_count() == 1;
        case point::pause: return b->client->quota("loc").settled == 1;
        }
        return false;
    }

    /// Lets go of what was held in the way, and says whether everything is back then.
    [[nodiscard]] bool balanced() {
        server->open_gate();
        if (holder) {
            holder->signal.emit(asio::cancellation_type::terminal);
            b->run_until([&] { return holder->done(); });
        }
        if (holding) b->run_until([&] { return held; });
        if (!b->balanced()) return false;
        // Nothing is left to do either: no timer, no attempt to connect.
        b->context.restart();
        b->context.run_for(20s);
        return b->context.stopped();
    }

    std::unique_ptr<fault_server> server;
    std::unique_ptr<full_listener> silent;
    std::shared_ptr<slow_provider> provider;
    std::unique_ptr<client_bench> b;
    std::shared_ptr<running_call> holder;
    std::optional<http::request> holding;
    bool held = false;
    std::shared_ptr<running_call> call;
};

constexpr point all_points[] = {
    point::token,   point::kept_token, point::permit,  point::connection, point::connecting,
    point::tunnel,  point::tls,        point::writing, point::uploading,  point::first_byte,
    point::reading, point::renewing,   point::pause};

} // namespace

TEST_CASE("call_can_be_cancelled_wherever_it_sleeps", "[http][cancellation]") {
    for (point where : all_points) {
        CAPTURE(name_of(where));
        scene s{where};
        REQUIRE(!s.call->done());
        s.call->signal.emit(asio::cancellation_type::terminal);
        CHECK(!s.call->done()); // nothing completes inside emit()
        s.b->run_until([&] { return s.call->done(); });
        REQUIRE(s.call->result->has_error());
        auto const& failure = s.call->result->error();
        CHECK((failure.code() == asio::error::operation_aborted));
        CHECK(failure.cause() == highlevel::cause::cancelled);
        // Whether the first half of the body was taken in already cannot be seen from outside.
        if (where != point::reading || failure.reached() != "first_byte")
            CHECK(failure.reached() == name_of(where));
        CHECK(s.balanced());
    }
}

TEST_CASE("call_ends_with_its_client_wherever_it_sleeps", "[http][cancellation]") {
    for (point where : all_points) {
        CAPTURE(name_of(where));
        scene s{where};
        REQUIRE(!s.call->done());
        s.b->client.reset();
        CHECK(!s.call->done()); // nothing completes inside the destructor
        s.b->run_until([&] { return s.call->done(); });
        REQUIRE(s.call->result->has_error());
        CHECK((s.call->result->error().code() == asio::error::operation_aborted));
        CHECK(s.balanced());
    }
}

TEST_CASE("deadline_ends_a_call_wherever_it_sleeps_and_says_where", "[http][cancellation]") {
    for (point where : all_points) {
        // A pause that would end too late is not begun. A token that could not be renewed in time
        // leaves the server's refusal.
        if (where == point::pause || where == point::renewing) continue;
        CAPTURE(name_of(where));
        // A machine that is busy may come to the point too late; then once more with more time.
        std::optional<scene> at;
        for (auto timeout = 60ms; timeout < 30s; timeout *= 4) {
            at.emplace(where, timeout);
            at->b->run_until([&] { return at->call->done(); });
            REQUIRE(at->call->result->has_error());
            if (at->call->result->error().reached() == name_of(where)) break;
        }
        auto& s = *at;
        auto const& failure = s.call->result->error();
        CAPTURE(failure.what());
        CHECK(
            (failure.code() ==
             (where == point::permit ? make_error_code(errc::permit_timeout)
                                     : make_error_code(errc::timeout))));
        CHECK(failure.reached() == name_of(where));
        auto const& times = failure.times();
        auto spent = name_of(where) == "token" ? times.token : times.permit;
        for (auto p :
             {http::phase::queued, http::phase::connect, http::phase::tls, http::phase::write,
              http::phase::first_byte, http::phase::read})
            if (to_string(p) == name_of(where)) spent = times.network[p];
        CHECK(spent > 0ns);
        CHECK(
            failure.what().find("(in phase " + std::string{name_of(where)} + "; time spent: ") !=
            std::string::npos);
        CHECK(s.balanced());
    }
}

} // namespace http_cancellation_tests

// SPDX-License-Identifier: BSL-1.0
//
// A page of live buckets: what of each location's rate limit is used and available, who waits, and
// the last minute of requests, refusals, latency and connections. Starts a sandbox and a client of
// it, keeps the client busy if asked to, and serves the page on this machine until Ctrl-C.

#include "support/command_line.hpp"
#include "support/dashboard_page.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/metrics.hpp>
#include <highlevel/observers.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = boost::beast::http;
namespace json = boost::json;
namespace sandbox = highlevel::sandbox;
using asio::ip::tcp;
using boost::system::error_code;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage = R"(Serves a page of a running client's buckets until Ctrl-C.

  dashboard [options]

  --port N         port of the page on 127.0.0.1 (default: any free one)
  --load N         calls per second and location, on average: from 0.4 N of the first one to 1.6 N
                   of the last, in waves; 10 are granted (default: 0, an idle client)
  --locations N    locations to make up (default: 6)
  --strangers      another program uses the first location's bucket, too
  --seconds N      ends by itself after that time (default: never)

Prints a "dashboard" line with the page's address when it listens. /state has the page's data as
JSON, and /metrics what Prometheus reads.
)";

struct arguments {
    std::uint16_t port = 0;
    double load = 0;
    std::size_t locations = 6;
    bool strangers = false;
    std::int64_t seconds = 0;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--port"))
        a.port = at.number<std::uint16_t>(0, 65535);
    else if (at.is("--load"))
        a.load = at.number<double>(0, 1000);
    else if (at.is("--locations"))
        a.locations = at.number<std::size_t>(1, 60);
    else if (at.is("--strangers"))
        a.strangers = true;
    else if (at.is("--seconds"))
        a.seconds = at.number<std::int64_t>(1, 86'400);
    else
        return false;
    return true;
}

double milliseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::milli>{time}.count();
}

/// What the page shows of the client as a whole: totals, and the last minute second by second.
///
/// Thread safety: shared objects: safe.
class board final : public highlevel::observer {
public:
    static constexpr std::size_t history = 60;

    void on_call_start(const highlevel::call_info& /*call*/) noexcept override {
        std::lock_guard const lock{mutex_};
        ++calls_;
        ++in_progress_;
    }
    void on_call_end(
        const highlevel::call_info& /*call*/,
        const highlevel::call_end_event& event) noexcept override {
        std::lock_guard const lock{mutex_};
        --in_progress_;
        if (event.error) ++failed_;
    }
    void on_attempt(
        const highlevel::call_info& /*call*/,
        const highlevel::attempt_event& event) noexcept override {
        std::lock_guard const lock{mutex_};
        ++now_.requests;
        if (event.status == 429) {
            ++now_.refused;
            ++refused_;
        } else if (event.error) {
            ++now_.failed;
        }
        if (event.retried) ++retries_;
        if (taken_ < took_.size()) took_[taken_++] = event.took;
    }
    void on_connection_open(const highlevel::http::connection_open_event& event) noexcept override {
        std::lock_guard const lock{mutex_};
        if (event.error) return;
        ++open_;
        ++opened_;
        if (event.resumed) ++resumed_;
    }
    void on_connection_close(
        const highlevel::http::connection_close_event& /*event*/) noexcept override {
        std::lock_guard const lock{mutex_};
        --open_;
    }

    /// Ends a second.
    void tick() {
        std::lock_guard const lock{mutex_};
        auto const end = took_.begin() + static_cast<std::ptrdiff_t>(taken_);
        std::sort(took_.begin(), end);
        auto const at = [&](double share) {
            if (taken_ == 0) return 0.0;
            auto const last = static_cast<double>(taken_ - 1);
            return milliseconds(took_[static_cast<std::size_t>(share * last + 0.5)]);
        };
        now_.p50 = at(0.5);
        now_.p95 = at(0.95);
        seconds_.push_back(now_);
        if (seconds_.size() > history) seconds_.pop_front();
        now_ = {};
        taken_ = 0;
    }

    [[nodiscard]] json::object state() const {
        std::lock_guard const lock{mutex_};
        json::object out;
        out["calls"] = calls_;
        out["failed"] = failed_;
        out["in_progress"] = in_progress_;
        out["refused"] = refused_;
        out["retries"] = retries_;
        out["connections"] = {{"open", open_}, {"opened", opened_}, {"resumed", resumed_}};
        json::array seconds;
        for (auto const& s : seconds_)
            seconds.push_back(
                {{"requests", s.requests},
                 {"refused", s.refused},
                 {"failed", s.failed},
                 {"p50", s.p50},
                 {"p95", s.p95}});
        out["seconds"] = std::move(seconds);
        return out;
    }

private:
    class second {
    public:
        std::uint64_t requests = 0;
        std::uint64_t refused = 0;
        std::uint64_t failed = 0;
        double p50 = 0;
        double p95 = 0;
    };

    mutable std::mutex mutex_;
    std::uint64_t calls_ = 0;
    std::uint64_t failed_ = 0;
    std::int64_t in_progress_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t retries_ = 0;
    std::int64_t open_ = 0;
    std::uint64_t opened_ = 0;
    std::uint64_t resumed_ = 0;
    second now_;
    /// Of this second; more than fit are left out.
    std::array<std::chrono::nanoseconds, 4096> took_{};
    std::size_t taken_ = 0;
    std::deque<second> seconds_;
};

/// The client that is watched, and all that is known of it.
class watched_client {
public:
    watched_client(asio::io_context& context, const sandbox::server& server)
        : client_(context.get_executor(), options_for(server)),
          places_(server.locations()),
          url_(server.base_url()) {}

    [[nodiscard]] highlevel::account location(std::size_t at) const {
        return client_.location(places_[at].id);
    }
    [[nodiscard]] const std::vector<sandbox::location_info>& places() const { return places_; }
    [[nodiscard]] const highlevel::metrics& metrics() const { return *metrics_; }

    /// Ends a second.
    void tick() {
        board_->tick();
        for (auto const& place : places_) {
            auto const now = client_.quota(place.id);
            auto& levels = levels_[place.id];
            levels.push_back(now.available);
            if (levels.size() > board::history) levels.pop_front();
        }
    }

    [[nodiscard]] std::string state() const {
        auto out = board_->state();
        out["server"] = url_;
        out["uptime"] = milliseconds(clock_type::now() - started_) / 1000;
        json::array buckets;
        for (auto const& place : places_)
            buckets.push_back(bucket(place));
        out["buckets"] = std::move(buckets);
        return json::serialize(out);
    }

private:
    highlevel::client_options options_for(const sandbox::server& server) {
        highlevel::client_options options;
        options.base_url = server.base_url();
        options.credentials = highlevel::auth::private_integration{server.token()};
        options.tls.ca_pem = server.ca_certificate_pem();
        options.observer = std::make_shared<highlevel::observers>(board_, metrics_);
        return options;
    }

    [[nodiscard]] json::object bucket(const sandbox::location_info& place) const {
        using highlevel::quota::lane;
        auto const b = client_.quota(place.id);
        json::object out;
        out["id"] = place.id;
        out["name"] = place.name;
        out["known"] = b.known;
        out["shared"] = b.shared;
        out["limit"] = b.limit;
        out["interval_ms"] = b.interval.count();
        out["allowance"] = b.allowance;
        out["available"] = b.available;
        out["in_flight"] = b.in_flight;
        out["interactive"] = b.waiting_in(lane::interactive);
        out["bulk"] = b.waiting_in(lane::bulk);
        if (b.next_release) out["next_ms"] = b.next_release->count();
        if (b.daily_limit) out["daily_limit"] = *b.daily_limit;
        if (b.daily_remaining) out["daily_remaining"] = *b.daily_remaining;
        out["granted"] = b.granted;
        out["queued"] = b.queued;
        out["refused"] = b.refused;
        json::array levels;
        if (auto const at = levels_.find(place.id); at != levels_.end())
            levels.insert(levels.end(), at->second.begin(), at->second.end());
        out["levels"] = std::move(levels);
        return out;
    }

    std::shared_ptr<board> board_ = std::make_shared<board>();
    std::shared_ptr<highlevel::metrics> metrics_ = std::make_shared<highlevel::metrics>();
    highlevel::client client_;
    std::vector<sandbox::location_info> places_;
    std::string url_;
    clock_type::time_point started_ = clock_type::now();
    /// What was available, second by second.
    std::map<std::string, std::deque<std::uint32_t>> levels_;
};

/// Answers one request of a browser or of Prometheus.
http::response<http::string_body> answer(
    const http::request<http::empty_body>& asked, const watched_client& of) {
    http::response<http::string_body> out{http::status::ok, asked.version()};
    out.keep_alive(asked.keep_alive());
    out.set(http::field::cache_control, "no-store");
    auto const type = [&](std::string_view name) {
        out.set(http::field::content_type, {name.data(), name.size()});
    };
    if (asked.method() != http::verb::get) {
        out.result(http::status::method_not_allowed);
    } else if (asked.target() == "/") {
        type("text/html; charset=utf-8");
        out.set("Content-Security-Policy", "default-src 'self' 'unsafe-inline'; img-src data:");
        out.body() = std::string{dashboard_page::head}.append(dashboard_page::style);
        out.body().append(dashboard_page::body).append(dashboard_page::script);
    } else if (asked.target() == "/state") {
        type("application/json");
        out.body() = of.state();
    } else if (asked.target() == "/metrics") {
        auto const accept = asked[http::field::accept];
        bool const open = accept.find("application/openmetrics-text") != accept.npos;
        type(
            open ? highlevel::metrics::open_metrics_content_type
                 : highlevel::metrics::prometheus_content_type);
        out.body() = open ? of.metrics().open_metrics() : of.metrics().prometheus();
    } else {
        out.result(http::status::not_found);
    }
    out.prepare_payload();
    return out;
}

asio::awaitable<void> serve_browser(tcp::socket socket, const watched_client& of) {
    boost::beast::tcp_stream stream{std::move(socket)};
    boost::beast::flat_buffer buffer;
    for (bool more = true; more;) {
        http::request<http::empty_body> asked;
        error_code ec;
        stream.expires_after(30s);
        co_await http::async_read(
            stream, buffer, asked, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) break;
        auto const said = answer(asked, of);
        co_await http::async_write(stream, said, asio::redirect_error(asio::use_awaitable, ec));
        more = !ec && said.keep_alive();
    }
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
}

asio::awaitable<void> serve(tcp::acceptor& acceptor, const watched_client& of) {
    for (;;) {
        error_code ec;
        auto socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted) co_return;
        if (ec) continue;
        asio::co_spawn(
            acceptor.get_executor(), serve_browser(std::move(socket), of), asio::detached);
    }
}

asio::awaitable<void> rest(std::chrono::nanoseconds time) {
    asio::steady_timer timer{co_await asio::this_coro::executor, time};
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> count_seconds(watched_client& of) {
    for (;;) {
        co_await rest(1s);
        of.tick();
    }
}

/// One call, whatever comes of it: the observer hears.
asio::awaitable<void> one_call(
    highlevel::account location, std::string id, highlevel::call_options how) {
    contacts::get_contact const op{std::move(id)};
    (void)co_await location.try_call(op, how);
}

/// Calls at random times, `rate` per second on average, of both lanes; they come in waves of half a
/// minute.
asio::awaitable<void> keep_busy(
    highlevel::account location, std::vector<std::string> ids, double rate, unsigned seed) {
    std::mt19937 random{seed};
    std::bernoulli_distribution bulk{0.6};
    auto const executor = co_await asio::this_coro::executor;
    auto const began = clock_type::now();
    for (std::size_t next = 0;; ++next) {
        auto const passed = std::chrono::duration<double>{clock_type::now() - began}.count();
        auto const wave = 1 + 0.8 * std::sin(2 * std::numbers::pi * passed / 30 + seed);
        std::exponential_distribution<double> pause{rate * wave};
        co_await rest(std::chrono::nanoseconds{static_cast<std::int64_t>(pause(random) * 1e9)});
        highlevel::call_options how;
        how.timeout = 20s;
        if (bulk(random)) how.lane = highlevel::quota::lane::bulk;
        asio::co_spawn(executor, one_call(location, ids[next % ids.size()], how), asio::detached);
    }
}

/// Another program that uses the first location's bucket now and then.
asio::awaitable<void> be_a_stranger(sandbox::server& server) {
    for (;;) {
        co_await rest(3s);
        (void)server.spend(server.token(), server.locations().front().id, 6);
    }
}

int run(const arguments& args) {
    sandbox::options house;
    house.locations = args.locations;
    house.tls = true;
    house.latency_min = 25ms;
    house.latency_max = 160ms;
    house.faults.server_error_rate = args.load > 0 ? 0.004 : 0;
    sandbox::server server{house};
    server.start();

    asio::io_context context;
    watched_client watched{context, server};
    tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), args.port}};
    asio::co_spawn(context, serve(acceptor, watched), asio::detached);
    asio::co_spawn(context, count_seconds(watched), asio::detached);
    if (args.load > 0)
        for (std::size_t i = 0; i < args.locations; ++i) {
            auto const share = (static_cast<double>(i) + 0.5) / static_cast<double>(args.locations);
            asio::co_spawn(
                context,
                keep_busy(
                    watched.location(i), server.contact_ids(watched.places()[i].id),
                    args.load * (0.4 + 1.2 * share), static_cast<unsigned>(i)),
                asio::detached);
        }
    if (args.strangers) asio::co_spawn(context, be_a_stranger(server), asio::detached);

    asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&](const error_code& ec, int) {
        if (!ec) context.stop();
    });
    asio::steady_timer end{context};
    if (args.seconds != 0) {
        end.expires_after(std::chrono::seconds{args.seconds});
        end.async_wait([&](const error_code& ec) {
            if (!ec) context.stop();
        });
    }
    std::cout << "dashboard http://127.0.0.1:" << acceptor.local_endpoint().port() << "/\n"
              << std::flush;
    context.run();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("dashboard", usage, argc, argv, take, run);
}

// SPDX-License-Identifier: BSL-1.0
//
// Seeing what a client does: a log, metrics for Prometheus, an observer of one's own, and the trace
// that its requests belong to. Runs against a sandbox and prints what was seen.

#include <highlevel/highlevel.hpp>
#include <highlevel/log_observer.hpp>
#include <highlevel/metrics.hpp>
#include <highlevel/observers.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/trace_parent.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;

namespace {

// docs: begin own
/// Knows the longest time that a call had to wait for the rate limit.
class longest_wait final : public highlevel::observer {
public:
    void on_permit(
        const highlevel::call_info& /*call*/,
        const highlevel::permit_event& event) noexcept override {
        auto seen = longest_.load();
        while (event.waited > seen && !longest_.compare_exchange_weak(seen, event.waited)) {
        }
    }
    [[nodiscard]] std::chrono::nanoseconds get() const noexcept { return longest_.load(); }

private:
    std::atomic<std::chrono::nanoseconds> longest_{std::chrono::nanoseconds{0}};
};
// docs: end own

/// Reads three contacts, of which the last is not there.
asio::awaitable<void> work(highlevel::account location, std::string id) {
    for (int i = 0; i < 2; ++i) {
        contacts::get_contact const op{id};
        co_await location.call(op);
    }
    contacts::get_contact const missing{"nobody"};
    (void)co_await location.try_call(missing);
}

// docs: begin endpoint
/// What a server answers to a scrape.
std::string scraped(
    const highlevel::metrics& metrics, std::string_view accept, std::string_view& content_type) {
    bool const open = accept.find("application/openmetrics-text") != std::string_view::npos;
    content_type = open ? highlevel::metrics::open_metrics_content_type
                        : highlevel::metrics::prometheus_content_type;
    return open ? metrics.open_metrics() : metrics.prometheus();
}
// docs: end endpoint

int run() {
    highlevel::sandbox::server server;
    server.start();

    asio::io_context context;
    highlevel::client_options options;
    options.base_url = server.base_url();
    options.credentials = highlevel::auth::private_integration{server.token()};

    // docs: begin log
    highlevel::log_options how;
    how.threshold = highlevel::log_level::info;
    how.format = highlevel::log_format::json;
    auto const log = std::make_shared<highlevel::log_observer>(
        [](highlevel::log_level /*level*/, std::string_view line) { std::cout << line << '\n'; },
        how);
    // docs: end log

    // docs: begin several
    auto const metrics = std::make_shared<highlevel::metrics>();
    auto const waits = std::make_shared<longest_wait>();
    options.observer = std::make_shared<highlevel::observers>(log, metrics, waits);
    // docs: end several

    // docs: begin trace
    auto const job = highlevel::trace_parent::random(); // or parse() of what came in
    options.traceparent = [job](const highlevel::call_info& /*call*/) {
        return job.child().text();
    };
    // docs: end trace

    highlevel::client client{context.get_executor(), options};
    auto const place = server.locations().front().id;
    asio::co_spawn(
        context, work(client.location(place), server.contact_ids(place).front()),
        [](const std::exception_ptr& thrown) {
            if (thrown) std::rethrow_exception(thrown);
        });
    context.run();

    std::string_view content_type;
    std::istringstream text{scraped(*metrics, "text/plain", content_type)};
    std::cout << content_type << '\n';
    for (std::string line; std::getline(text, line);)
        if (line.starts_with("highlevel_calls_total")) std::cout << line << '\n';
    auto const longest = std::chrono::ceil<std::chrono::seconds>(waits->get());
    std::cout << "no call waited longer than " << longest.count() << " s\n";
    return 0;
}

} // namespace

int main() {
    try {
        return run();
    } catch (const std::exception& e) {
        std::cerr << "observability: " << e.what() << '\n';
        return 1;
    }
}

// SPDX-License-Identifier: BSL-1.0
//
// The whole way over real TLS sockets: client, limiter, pool and codec against the sandbox, with
// each thing that can go wrong named as it should be and nothing left behind.

#include "support/catch.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/locations.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace e2e_sandbox_tests {

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace locations = highlevel::v2::locations;
namespace sandbox = highlevel::sandbox;
using highlevel::cause;
using highlevel::errc;
using namespace std::chrono_literals;

namespace {

sandbox::options house() {
    sandbox::options o;
    o.tls = true;
    o.locations = 1;
    o.contacts_per_location = 5;
    o.interval = 200ms;
    return o;
}

/// A sandbox and a client that trusts it.
class fixture {
public:
    explicit fixture(const sandbox::options& how = house()) : server(how) {
        server.start();
        options.base_url = server.base_url();
        options.tls.ca_pem = server.ca_certificate_pem();
        options.tls.use_system_roots = false;
        options.credentials = highlevel::auth::private_integration{server.token()};
        options.retry.base_delay = 1ms;
        options.retry.max_delay = 1ms;
        id = server.locations().at(0).id;
    }

    highlevel::client& client() {
        if (!client_) client_.emplace(context.get_executor(), options);
        return *client_;
    }
    highlevel::account location() { return client().location(id); }

    template <class T>
    T run(asio::awaitable<T> work) {
        auto future = asio::co_spawn(context, std::move(work), asio::use_future);
        context.restart();
        // Idle connections keep timers alive, so the context is not run until it is out of work.
        while (future.wait_for(0s) != std::future_status::ready && context.run_one() != 0) {
        }
        return future.get();
    }

    highlevel::failure failed(highlevel::call_options how = {}) {
        auto const r = run(location().try_call(contacts::get_contact{first_contact()}, how));
        REQUIRE(r.has_error());
        // Whatever happened, the permit is settled. A lost request stays in flight until it can no
        // longer arrive at the server, so it is not asked for here.
        return r.error();
    }

    std::string first_contact() const { return server.contact_ids(id).at(0); }

    void script(sandbox::scripted_response answer) {
        server.set_hook([answer](const sandbox::request_view&) { return answer; });
    }

    sandbox::server server;
    highlevel::client_options options;
    asio::io_context context;
    std::string id;

private:
    std::optional<highlevel::client> client_;
};

} // namespace

TEST_CASE("contacts_are_created_read_changed_searched_listed_and_deleted", "[e2e]") {
    fixture f;
    auto const location = f.location();

    contacts::create_contact create;
    create.body.first_name = "Ada";
    create.body.email = "ada@example.com";
    create.body.tags = {"vip", "new"};
    auto const created = f.run(location.call(create));
    CHECK(created.status() == 201);
    REQUIRE(created->contact.has_value());
    REQUIRE(created->contact->id.has_value());
    std::string const id = *created->contact->id;
    CHECK_FALSE(created.trace_id().empty());

    auto const got = f.run(location.call(contacts::get_contact{id}));
    CHECK(got->contact->first_name == "Ada");
    CHECK(got->contact->tags == std::vector<std::string>{"vip", "new"});
    CHECK(got->contact->location_id == f.id);
    CHECK(got.quota().max == 100);

    contacts::update_contact update{id};
    update.body.last_name = "Lovelace";
    CHECK(f.run(location.call(update)).status() == 200);
    CHECK(f.run(location.call(contacts::get_contact{id}))->contact->last_name == "Lovelace");

    contacts::search_contacts_advanced search;
    search.body.page_limit = 4;
    auto const page = f.run(location.call(search));
    CHECK(page->total == 6);
    CHECK(page->contacts.size() == 4);
    search.body.search_after = page->contacts.back().search_after;
    CHECK(f.run(location.call(search))->contacts.size() == 2);

    auto const listed =
        f.run(location.call<contacts::get_contacts>([](auto& op) { op.limit = 100; }));
    CHECK(listed->contacts.size() == 6);

    CHECK(f.run(location.call(contacts::delete_contact{id})).status() == 200);
    auto const gone = f.run(location.try_call(contacts::get_contact{id}));
    REQUIRE(gone.has_error());
    CHECK(gone.error().cause() == cause::not_found);
    CHECK(f.server.contact_count(f.id) == 5);
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("a_location_is_read_with_its_handle", "[e2e]") {
    fixture f;
    auto const got = f.run(f.location().call(locations::get_location{f.id}));
    REQUIRE(got->location.has_value());
    CHECK(got->location->id == f.id);
}

TEST_CASE("a_duplicate_contact_names_the_existing_one", "[e2e]") {
    fixture f;
    contacts::create_contact create;
    create.body.email = "twice@example.com";
    auto const first = f.run(f.location().call(create));
    auto const again = f.run(f.location().try_call(create));
    REQUIRE(again.has_error());
    CHECK(again.error().cause() == cause::duplicate);
    CHECK(again.error().status() == 400);
    CHECK(again.error().recovery_id() == first->contact->id);
    CHECK(again.error().matching_field() == "email");
}

TEST_CASE("refusals_have_their_causes", "[e2e]") {
    fixture f;
    auto const limited = f.server.add_location("other", std::size_t{1});
    f.server.add_token("pit-scope", {f.id}, {"locations.readonly"});
    highlevel::auth::private_integration tokens{"pit-nobody"};
    f.options.credentials = tokens;
    CHECK(f.failed().status() == 401);
    CHECK(f.failed().cause() == cause::invalid_token);

    tokens.all(highlevel::auth::secret{"pit-scope"});
    auto const scope = f.failed();
    CHECK(scope.cause() == cause::scope_missing);
    CHECK(scope.scopes() == std::vector<std::string>{"contacts.readonly"});

    tokens.all(highlevel::auth::secret{limited.token});
    auto const stranger = f.failed();
    CHECK(stranger.status() == 403);
    CHECK(stranger.cause() == cause::wrong_location);

    tokens.all(highlevel::auth::secret{f.server.token()});
    auto const version = f.failed({.version = "1999-01-01"});
    CHECK(version.cause() == cause::wrong_version);

    auto const route =
        f.run(f.location().try_send(highlevel::http::request{highlevel::method::get, "/nowhere"}));
    REQUIRE(route.has_error());
    CHECK(route.error().status() == 401);
    CHECK(route.error().cause() == cause::unknown_route);

    auto const invalid = f.run(f.location().try_call<contacts::get_contacts>(
        [](auto& op) { op.extra_query.emplace_back("bogus", "1"); }));
    REQUIRE(invalid.has_error());
    CHECK(invalid.error().status() == 422);
    CHECK(invalid.error().cause() == cause::invalid_request);
    CHECK_THAT(invalid.error().messages().at(0), test::contains("bogus"));
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("a_certificate_of_a_stranger_is_refused", "[e2e]") {
    fixture f;
    sandbox::server stranger{house()};
    f.options.tls.ca_pem = stranger.ca_certificate_pem();
    auto const failure = f.failed();
    CHECK(failure.code() == errc::certificate_untrusted);
    CHECK(failure.cause() == cause::tls);
    CHECK_FALSE(failure.may_have_been_processed());
    CHECK(f.server.totals().requests == 0);
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("a_certificate_for_another_host_is_refused", "[e2e]") {
    auto how = house();
    how.certificate_names = {"elsewhere.example.com"};
    fixture f{how};
    CHECK(f.failed().code() == errc::hostname_mismatch);
    CHECK(f.server.totals().requests == 0);
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("an_expired_certificate_is_refused", "[e2e]") {
    auto how = house();
    how.certificate_expired = true;
    fixture f{how};
    CHECK(f.failed().code() == errc::certificate_untrusted);
    CHECK(f.server.totals().requests == 0);
}

TEST_CASE("a_server_that_fails_is_asked_again_and_then_reported", "[e2e]") {
    fixture f;
    f.script(sandbox::scripted_response{500, R"({"statusCode":500,"message":"Oops"})"});
    auto const failure = f.failed();
    CHECK(failure.status() == 500);
    CHECK(failure.cause() == cause::server_error);
    CHECK(failure.messages() == std::vector<std::string>{"Oops"});
    CHECK(failure.attempts() == 4);
    CHECK(f.server.totals().requests == 4);
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("an_html_body_and_an_empty_body_are_told_apart", "[e2e]") {
    fixture f;
    f.script(sandbox::scripted_response{200, "<html>maintenance</html>", "text/html"});
    CHECK(f.failed().code() == errc::unexpected_content);
    f.script(sandbox::scripted_response{403, "<html>Error 1010</html>", "text/html"});
    CHECK(f.failed().cause() == cause::blocked);
    f.script(sandbox::scripted_response{200, ""});
    auto const empty = f.run(f.location().call(contacts::get_contact{"x"}));
    CHECK_FALSE(empty->contact.has_value());
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("a_truncated_body_is_a_lost_connection", "[e2e]") {
    fixture f;
    sandbox::scripted_response cut{200, std::string(1000, 'x')};
    cut.close_after_bytes = 600;
    f.script(cut);
    auto const failure = f.failed({.retry = highlevel::retry_mode::never});
    CHECK(failure.code() == errc::connection_lost);
    CHECK(failure.cause() == cause::network);
    CHECK(failure.reached() == "read");
    CHECK(failure.may_have_been_processed());
    CHECK(f.client().quota(f.id).lost == 1);
    // The next call goes out on a new connection.
    f.server.set_hook({});
    CHECK(f.run(f.location().call(contacts::get_contact{f.first_contact()})).status() == 200);
}

TEST_CASE("a_truncated_answer_to_a_post_is_not_repeated", "[e2e]") {
    fixture f;
    sandbox::scripted_response cut{201, "{}"};
    cut.close_after_bytes = 0;
    f.script(cut);
    auto const r = f.run(f.location().try_call(contacts::create_contact{}));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == errc::connection_lost);
    CHECK(f.server.totals().requests == 1);
}

TEST_CASE("a_server_that_never_answers_meets_the_deadline", "[e2e]") {
    fixture f;
    sandbox::scripted_response silence;
    silence.stall = true;
    f.script(silence);
    auto const failure = f.failed({.timeout = 150ms});
    CHECK(failure.code() == errc::timeout);
    CHECK(failure.cause() == cause::timeout);
    CHECK(failure.reached() == "first_byte");
    CHECK(f.client().quota(f.id).lost == 1);
}

TEST_CASE("an_oversized_body_is_refused", "[e2e]") {
    fixture f;
    f.options.max_response_body = 1000;
    f.script(sandbox::scripted_response{200, '"' + std::string(100'000, 'x') + '"'});
    auto const failure = f.failed();
    CHECK(failure.code() == errc::response_too_large);
    CHECK(failure.cause() == cause::bad_response);
    CHECK(f.server.totals().requests == 1);
}

TEST_CASE("a_foreign_429_is_waited_out", "[e2e]") {
    fixture f;
    // Somebody else uses up all of the interval, just before the first request is counted.
    std::atomic<std::uint32_t> spent{0};
    f.server.set_hook(
        [&](const sandbox::request_view&) -> std::optional<sandbox::scripted_response> {
            if (spent == 0) spent = f.server.spend(f.server.token(), f.id, 100);
            return std::nullopt;
        });
    auto const got = f.run(f.location().call(contacts::get_contact{f.first_contact()}));
    CHECK(spent == 100);
    CHECK(got.status() == 200);
    CHECK(got.attempts() >= 2);
    CHECK(f.client().quota(f.id).in_flight == 0);
}

TEST_CASE("many_calls_on_many_locations_stay_inside_the_limits", "[e2e]") {
    auto how = house();
    how.locations = 20;
    how.max = 10;
    fixture f{how};
    auto const all = f.server.locations();
    std::atomic<int> done{0};
    constexpr int calls = 25;
    auto const one = [&](highlevel::account location,
                         std::string contact) -> asio::awaitable<void> {
        auto const got = co_await location.call(contacts::get_contact{contact});
        CHECK(got->contact->id == contact);
        ++done;
    };
    std::vector<std::future<void>> futures;
    for (auto const& place : all) {
        auto const contact = f.server.contact_ids(place.id).at(0);
        for (int i = 0; i < calls; ++i)
            futures.push_back(asio::co_spawn(
                f.context, one(f.client().location(place.id), contact), asio::use_future));
    }
    while (done < 20 * calls && f.context.run_one() != 0) {
    }
    for (auto& future : futures)
        future.get();
    auto const totals = f.server.totals();
    CHECK(totals.accepted == 20 * calls);
    CHECK(totals.refused == 0);
    for (auto const& place : all)
        CHECK(f.client().quota(place.id).in_flight == 0);
}

TEST_CASE("one_client_serves_many_threads", "[e2e]") {
    auto how = house();
    how.locations = 8;
    how.max = 60'000;
    fixture f{how};
    auto const all = f.server.locations();
    std::vector<std::string> ids;
    for (auto const& place : all)
        ids.push_back(f.server.contact_ids(place.id).at(0));
    std::atomic<int> done{0};
    constexpr int workers = 32;
    constexpr int calls = 10;
    auto const worker = [&](std::size_t n) -> asio::awaitable<void> {
        auto const location = f.client().location(all[n % all.size()].id);
        for (int i = 0; i < calls; ++i) {
            auto const got = co_await location.call(contacts::get_contact{ids[n % ids.size()]});
            if (got->contact->id == ids[n % ids.size()]) ++done;
        }
    };
    (void)f.client();
    std::vector<std::future<void>> futures;
    auto guard = asio::make_work_guard(f.context);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] { f.context.run(); });
    for (std::size_t n = 0; n < workers; ++n)
        futures.push_back(asio::co_spawn(f.context, worker(n), asio::use_future));
    for (auto& future : futures)
        future.get();
    f.context.stop();
    for (auto& thread : threads)
        thread.join();
    CHECK(done == workers * calls);
    CHECK(f.server.totals().accepted == workers * calls);
}

} // namespace e2e_sandbox_tests

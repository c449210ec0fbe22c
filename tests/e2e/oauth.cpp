// SPDX-License-Identifier: BSL-1.0
//
// OAuth from end to end: the client, an app and a store against the sandbox's OAuth server.

#include "support/catch.hpp"
#include "support/oauth_bench.hpp"

#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/locations.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace e2e_oauth_tests {

using namespace std::chrono_literals;
using highlevel::cause;
using highlevel::errc;
namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;

using house = test::oauth_bench;

namespace {

/// Answers every request to the contacts with this refusal.
void refuse_contacts(house& h, unsigned status, const std::string& body, bool html = false) {
    h.server.set_hook(
        [=](const highlevel::sandbox::request_view& request)
            -> std::optional<highlevel::sandbox::scripted_response> {
            if (!request.path.starts_with("/contacts")) return std::nullopt;
            highlevel::sandbox::scripted_response out{status, body};
            if (html) out.content_type = "text/html";
            return out;
        });
}

/// Holds requests for tokens, and with them the server's only thread, until it is opened or gone.
class held_tokens {
public:
    explicit held_tokens(house& h) : server_(h.server) {
        server_.set_hook(
            [this,
             opened = open_.get_future().share()](const highlevel::sandbox::request_view& request)
                -> std::optional<highlevel::sandbox::scripted_response> {
                if (request.path != "/oauth/token") return std::nullopt;
                reached_ = true;
                opened.wait();
                return std::nullopt;
            });
    }
    held_tokens(const held_tokens&) = delete;
    held_tokens& operator=(const held_tokens&) = delete;
    ~held_tokens() {
        open();
        server_.set_hook(nullptr);
    }

    /// Whether a request is held.
    [[nodiscard]] bool reached() const noexcept { return reached_; }
    void open() {
        if (!std::exchange(opened_, true)) open_.set_value();
    }

private:
    highlevel::sandbox::server& server_;
    std::promise<void> open_;
    std::atomic<bool> reached_{false};
    bool opened_ = false;
};

} // namespace

TEST_CASE("an installed location is worked on, in both spellings", "[e2e]") {
    for (auto const wire : {highlevel::generation::v2, highlevel::generation::v3}) {
        house h{std::make_shared<auth::memory_token_store>(), wire};
        auto const made = h.install(h.ids[0]);
        CHECK(made.what == auth::resource::location(h.ids[0]));
        CHECK(made.company_id == h.server.company_id());
        CHECK(h.list(h.ids[0]).has_value());
        auto const other = h.list(h.ids[1]);
        REQUIRE(other.has_error());
        CHECK(other.error().code() == errc::no_token);
    }
}

TEST_CASE("a location's token is minted from the company's", "[e2e]") {
    for (auto const wire : {highlevel::generation::v2, highlevel::generation::v3}) {
        house h{std::make_shared<auth::memory_token_store>(), wire};
        CHECK(h.install_company().what.kind == auth::resource_kind::company);
        CHECK(h.list(h.ids[1]).has_value());
        CHECK(h.server.oauth_totals().mints == 1);
        auto const report = h.run(h.app.install_locations(h.server.company_id(), 2));
        CHECK(report.ready.size() == 3);
        CHECK(report.failed.empty());
        CHECK(h.server.oauth_totals().mints == 3);
    }
}

TEST_CASE("a refused token is renewed once and the call repeated", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().rotations == 1);
    CHECK(h.server.oauth_totals().refreshes == 1);
}

TEST_CASE("an impossible pair of operation and account is refused locally", "[e2e]") {
    house h;
    h.install_company();
    contacts::get_contact op{"any"};
    auto const got = h.run(h.client->company(h.server.company_id()).try_call(op));
    REQUIRE(got.has_error());
    CHECK(got.error().code() == errc::wrong_token_kind);
    CHECK(got.error().detail().find("client.location(id)") != std::string::npos);
}

TEST_CASE("an inactive location keeps its refresh token for when it is active again", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    h.server.set_location_active(h.ids[0], false);
    CHECK(h.list(h.ids[0]).has_error());
    h.server.set_location_active(h.ids[0], true);
    h.run(h.app.renew(auth::resource::location(h.ids[0])));
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().reuses == 0);
}

TEST_CASE("64 coroutines on 8 threads and 4 clients renew an ended token once", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    // Four apps with clients of their own stand for four processes on one store.
    asio::io_context context;
    std::vector<auth::oauth_app> apps;
    std::vector<std::unique_ptr<highlevel::client>> clients;
    for (int i = 0; i < 4; ++i) {
        apps.emplace_back(test::oauth_settings(h.store));
        auto options = h.options;
        options.credentials = apps.back();
        clients.push_back(std::make_unique<highlevel::client>(context.get_executor(), options));
    }
    std::atomic<int> good{0};
    std::mutex failures_mutex;
    std::string failures;
    for (int i = 0; i < 64; ++i)
        asio::co_spawn(
            context,
            [&h, &good, &failures_mutex, &failures,
             location = clients[static_cast<std::size_t>(i % 4)]->location(
                 h.ids[0])]() -> asio::awaitable<void> {
                contacts::get_contacts op;
                op.location_id = h.ids[0];
                auto const got = co_await location.try_call(op);
                if (got) {
                    ++good;
                    co_return;
                }
                std::lock_guard const lock{failures_mutex};
                failures += got.error().what() + '\n';
            },
            [](std::exception_ptr) {});
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] { context.run(); });
    for (auto& t : threads)
        t.join();
    CHECK(failures == "");
    CHECK(good == 64);
    auto const counts = h.server.oauth_totals();
    CHECK(counts.refreshes == 1);
    CHECK(counts.rotations == 1);
    CHECK(counts.graces == 0);
}

TEST_CASE("refusals of the sandbox itself have their causes", "[e2e]") {
    house h;
    h.install_company();
    h.server.add_token("pit-agency", {h.server.company_id()});
    h.server.add_token("pit-one", {h.ids[0]});
    auto const company = h.run(h.store->load(auth::resource::company(h.server.company_id())));
    h.install(h.ids[0]);
    auto const location = h.run(h.store->load(auth::resource::location(h.ids[0])));
    REQUIRE((company && location));
    using highlevel::method;
    auto const users = "/users/search?companyId=" + h.server.company_id();
    struct row {
        auth::secret token;
        method verb;
        std::string target;
        std::string body;
        cause expected;
    };
    std::vector<row> const rows{
        {auth::secret{"pit-agency"}, method::get, users, {}, cause::wrong_token_kind},
        {auth::secret{"pit-agency"},
         method::get,
         "/contacts/?locationId=" + h.ids[0],
         {},
         cause::scope_missing},
        {company->access,
         method::get,
         "/contacts/?locationId=" + h.ids[0],
         {},
         cause::wrong_token_kind},
        {location->access, method::get, "/oauth/installedLocations", {}, cause::wrong_token_kind},
        {auth::secret{"pit-one"}, method::get, "/users/search", {}, cause::invalid_request},
        {auth::secret{"pit-one"}, method::post, "/objects/pets/records",
         R"({"locationId":")" + h.ids[0] + R"("})", cause::wrong_location},
        {auth::secret{"pit-one"}, method::get, "/Contacts/x", {}, cause::unknown_route},
        {auth::secret{"pit-one"}, method::post, "/oauth/reconnect", {}, cause::unknown_route},
        {company->access, method::post, "/oauth/location-token", {}, cause::unknown_route}};
    for (auto const& r : rows) {
        CAPTURE(r.target);
        auto options = h.options;
        options.credentials = auth::access_token::of_location(r.token);
        highlevel::client client{h.context.get_executor(), options};
        highlevel::http::request request{r.verb, r.target};
        request.body = r.body;
        if (!r.body.empty()) request.fields.set("content-type", "application/json");
        auto const got = h.run(client.location(h.ids[0]).try_send(request));
        REQUIRE(got.has_error());
        CHECK(got.error().cause() == r.expected);
    }
    CHECK(h.server.oauth_totals().refreshes == 0);
}

TEST_CASE("a gateway's time-out is tried again and no reason to refresh", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    int asked = 0;
    h.server.set_hook(
        [&](const highlevel::sandbox::request_view&)
            -> std::optional<highlevel::sandbox::scripted_response> {
            if (++asked > 1) return std::nullopt;
            return highlevel::sandbox::scripted_response{
                401, R"({"statusCode":401,"message":"Command timed out"})"};
        });
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(asked == 2);
    CHECK(h.server.oauth_totals().refreshes == 0);
}

TEST_CASE("a 401 that is not about the token spends no refresh token", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    for (auto const* body :
         {R"({"statusCode":401,"message":"The token is not authorized for this scope."})",
          R"({"statusCode":401,"message":"Token's user type mismatch!"})",
          R"({"statusCode":401,"message":"This route is not yet supported by the IAM Service."})",
          R"({"statusCode":401,"message":"version header was not found."})",
          R"({"statusCode":401,"message":"E01 - Unauthorized request"})",
          R"({"statusCode":401,"message":"This location is not accessible from this token."})",
          R"({"statusCode":401,"message":"Command timed out"})", "", "<html>Sign in</html>"}) {
        CAPTURE(body);
        refuse_contacts(h, 401, body, body[0] == '<');
        CHECK(h.list(h.ids[0]).has_error());
    }
    CHECK(h.server.oauth_totals().refreshes == 0);
}

TEST_CASE("a 401 about the token that lasts costs one refresh", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    refuse_contacts(h, 401, R"({"statusCode":401,"message":"Unauthorized"})");
    auto const got = h.list(h.ids[0]);
    REQUIRE(got.has_error());
    CHECK(got.error().cause() == cause::invalid_token);
    CHECK(h.server.oauth_totals().refreshes == 1);
    // A renewal did not help, so that another one right away would not, either.
    CHECK(h.list(h.ids[0]).has_error());
    CHECK(h.server.oauth_totals().refreshes == 1);
}

TEST_CASE("a conversation that exists gives the way back", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    refuse_contacts(
        h, 400,
        R"({"message":"exists","canonicalCode":"CONVERSATIONS_CONVERSATION_ALREADY_EXISTS",)"
        R"("conversationId":"c1"})");
    auto const got = h.list(h.ids[0]);
    REQUIRE(got.has_error());
    CHECK(got.error().cause() == cause::duplicate);
    CHECK(got.error().recovery_id() == "c1");
}

TEST_CASE("a refresh that is refused says why to the call", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    h.server.set_location_active(h.ids[0], false);
    CHECK(h.list(h.ids[0]).has_error());
    // The first failure is the 401; from then on the token is known to be no good.
    auto const got = h.list(h.ids[0]);
    REQUIRE(got.has_error());
    CHECK(got.error().cause() == cause::forbidden);
    CHECK(got.error().status() == 400);
    REQUIRE(got.error().messages().size() == 1);
    CHECK(got.error().messages()[0] == "Location is not active");
    CHECK(got.error().hint().find("deactivated") != std::string::npos);
}

TEST_CASE("a refresh that is under way goes on when its client ends", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    bool ended = false;
    {
        held_tokens held{h};
        asio::co_spawn(
            h.context, h.app.renew(auth::resource::location(h.ids[0])),
            [&](std::exception_ptr) { ended = true; });
        test::run_until(h.context, [&] { return held.reached(); });
        REQUIRE_FALSE(ended);
        h.client.reset();
        held.open();
        h.context.run();
    }
    CHECK(ended);
    // The pair that the server gave is in the store: another client works with it at once.
    h.server.end_access_tokens();
    h.client = std::make_unique<highlevel::client>(h.context.get_executor(), h.options);
    CHECK(h.list(h.ids[0]).has_value());
    auto const counts = h.server.oauth_totals();
    CHECK(counts.rotations == 2);
    CHECK(counts.graces == 0);
    CHECK(counts.reuses == 0);
}

TEST_CASE("the end of a program can wait for renewals", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    auto const before = h.run(h.store->load(auth::resource::location(h.ids[0])));
    std::optional<bool> finished;
    {
        held_tokens held{h};
        asio::co_spawn(h.context, h.app.renew(auth::resource::location(h.ids[0])), asio::detached);
        test::run_until(h.context, [&] { return held.reached(); });
        asio::co_spawn(h.context, h.app.finish(), [&](std::exception_ptr thrown, bool all) {
            if (!thrown) finished = all;
        });
        h.context.poll();
        CHECK_FALSE(finished);
        // Whoever waits for nothing learns that something is left to do.
        asio::co_spawn(h.context, h.app.finish(0ms), [&](std::exception_ptr, bool all) {
            CHECK_FALSE(all);
            CHECK_FALSE(finished);
            held.open();
        });
        test::run_until(h.context, [&] { return finished.has_value(); });
    }
    CHECK(finished == true);
    auto const after = h.run(h.store->load(auth::resource::location(h.ids[0])));
    REQUIRE((before && after));
    CHECK(after->version != before->version);
    CHECK(h.run(h.app.finish(0ms)));
}

TEST_CASE("an event loop that ends in a renewal leaves an app that works", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.client.reset();
    h.server.end_access_tokens();
    {
        asio::io_context context;
        highlevel::client client{context.get_executor(), h.options};
        asio::co_spawn(context, h.app.renew(auth::resource::location(h.ids[0])), asio::detached);
        context.run_one(); // no further than its beginning
    }
    h.client = std::make_unique<highlevel::client>(h.context.get_executor(), h.options);
    CHECK(h.list(h.ids[0]).has_value());
}

TEST_CASE("an app of two clients works on the event loop that is run", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    asio::io_context never_run;
    highlevel::client other{never_run.get_executor(), h.options};
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().rotations == 1);
}

TEST_CASE("a renewal that is asked for is done, also by a process that has just begun", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    auth::oauth_app fresh{test::oauth_settings(h.store)};
    auto options = h.options;
    options.credentials = fresh;
    highlevel::client client{h.context.get_executor(), options};
    h.run(fresh.renew(auth::resource::location(h.ids[0])));
    CHECK(h.server.oauth_totals().rotations == 1);
    h.server.set_location_active(h.ids[0], false);
    CHECK_THROWS_AS(h.run(fresh.renew(auth::resource::location(h.ids[0]))), highlevel::error);
    // What was good before is so still.
    CHECK(h.list(h.ids[0]).has_value());
}

TEST_CASE("a location that is chosen later is minted as soon as it is asked for", "[e2e]") {
    house h;
    h.run(h.app.exchange_code(
        auth::secret{h.server.issue_code(test::oauth_client_id, {}, {h.ids[0]})}));
    auto const company = h.server.company_id();
    CHECK_THROWS_AS(h.run(h.app.install_location(company, h.ids[1])), highlevel::error);
    (void)h.server.issue_code(test::oauth_client_id, h.ids[1]);
    CHECK_NOTHROW(h.run(h.app.install_location(company, h.ids[1])));
    CHECK(h.list(h.ids[1]).has_value());
}

TEST_CASE("codes and client credentials bring tokens, wrong ones say so", "[e2e]") {
    house h;
    auto const code = h.server.issue_code(test::oauth_client_id, h.ids[0]);
    auto const made =
        h.run(h.app.exchange_code(auth::secret{code}, {}, auth::resource_kind::location));
    CHECK(made.what == auth::resource::location(h.ids[0]));
    for (auto const& bad : {code, std::string{"never.issued"}}) {
        try {
            h.run(h.app.exchange_code(auth::secret{bad}));
            FAIL("a code that is no good was taken");
        } catch (const highlevel::error& e) {
            CHECK(e.failure().cause() == cause::invalid_token);
            CHECK(e.failure().status() == 401);
            CHECK(std::string{e.what()}.find(bad) == std::string::npos);
        }
    }
    auto const company = h.run(h.app.client_credentials());
    CHECK(company.what == auth::resource::company(h.server.company_id()));
}

TEST_CASE("a token from elsewhere moves in, and is renewed here", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    auto moved = h.run(h.store->load(auth::resource::location(h.ids[0])));
    REQUIRE(moved);
    h.run(h.app.forget(auth::resource::location(h.ids[0])));
    CHECK(h.list(h.ids[0]).has_error());
    h.run(h.app.adopt(*moved));
    CHECK(h.list(h.ids[0]).has_value());
    h.server.end_access_tokens();
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().rotations == 1);
}

TEST_CASE("installed locations come from all pages, however long those are", "[e2e]") {
    house h;
    for (int i = 0; i < 230; ++i)
        h.ids.push_back(h.server.add_location("more" + std::to_string(i), 0).id);
    h.install_company();
    auto const company = h.server.company_id();
    CHECK(h.run(h.app.installed_locations(company)).size() == h.ids.size());
    // A server that gives 50 at most, and one that repeats its first page for ever.
    for (bool const repeats : {false, true}) {
        h.server.set_hook(
            [&](const highlevel::sandbox::request_view& request)
                -> std::optional<highlevel::sandbox::scripted_response> {
                if (request.path != "/oauth/installedLocations") return std::nullopt;
                auto const at = request.query.find("skip=");
                auto const skip =
                    repeats ? 0 : std::stoul(std::string{request.query.substr(at + 5)});
                std::string list;
                for (auto i = skip; i < std::min<std::size_t>(skip + 50, h.ids.size()); ++i)
                    list += (list.empty() ? "" : ",") + ("{\"_id\":\"" + h.ids[i] + "\"}");
                return highlevel::sandbox::scripted_response{200, "{\"locations\":[" + list + "]}"};
            });
        auto const found = h.run(h.app.installed_locations(company)).size();
        CHECK(found == (repeats ? 50 : h.ids.size()));
    }
}

TEST_CASE("a bulk installation goes on where one location fails", "[e2e]") {
    house h;
    h.install_company();
    h.server.set_location_active(h.ids[1], false);
    auto const report = h.run(h.app.install_locations(h.server.company_id(), 2));
    CHECK(report.ready.size() == 2);
    REQUIRE(report.failed.size() == 1);
    CHECK(report.failed[0].first == h.ids[1]);
    CHECK(report.failed[0].second.status == 400);
    CHECK(report.failed[0].second.messages.at(0) == "Location is not active");
}

TEST_CASE("a v3 app refreshes in its own spelling", "[e2e]") {
    house h{std::make_shared<auth::memory_token_store>(), highlevel::generation::v3};
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().rotations == 1);
}

TEST_CASE("uninstalling a company forgets its locations' tokens, too", "[e2e]") {
    house h;
    h.install_company();
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.run(h.app.resources()).size() == 2);
    h.run(h.app.uninstall(auth::resource::company(h.server.company_id())));
    CHECK(h.run(h.app.resources()).empty());
    CHECK(h.list(h.ids[0]).has_error());
}

TEST_CASE("a plain access token is sent as it is, where its class fits", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    auto const held = h.run(h.store->load(auth::resource::location(h.ids[0])));
    REQUIRE(held);
    auto options = h.options;
    options.credentials = auth::access_token::of_location(held->access);
    highlevel::client client{h.context.get_executor(), options};
    contacts::get_contacts op;
    op.location_id = h.ids[0];
    CHECK(h.run(client.location(h.ids[0]).try_call(op)).has_value());
    auto const refused = h.run(client.company("x").try_call(op));
    REQUIRE(refused.has_error());
    CHECK(refused.error().code() == errc::wrong_token_kind);
    h.server.end_access_tokens();
    CHECK(h.run(client.location(h.ids[0]).try_call(op)).has_error());
    CHECK(h.server.oauth_totals().refreshes == 0);
}

TEST_CASE("uninstalling forgets the token", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.run(h.app.uninstall(auth::resource::location(h.ids[0])));
    CHECK(h.run(h.app.resources()).empty());
    CHECK(h.list(h.ids[0]).has_error());
}

} // namespace e2e_oauth_tests

// SPDX-License-Identifier: BSL-1.0
//
// The sandbox tells a receiver of what changes, as HighLevel does: signed, again when it is not
// taken, and twice when it is told to.
#include "support/catch.hpp"

#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/webhooks.hpp>
#include <highlevel/webhooks/receiver.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sandbox_webhooks_tests {

namespace asio = boost::asio;
namespace sandbox = highlevel::sandbox;
namespace webhooks = highlevel::webhooks;
using namespace std::chrono_literals;
using webhooks::event_kind;
using webhooks::outcome;

namespace {

// A sender and the receiver that it sends to, which must know the sender's keys.
class pair {
public:
    explicit pair(sandbox::webhook_sender_options how = {}, std::size_t capacity = 100) {
        sandbox::webhook_signer const signer;
        webhooks::receiver_options options;
        options.inbox.capacity = capacity;
        options.inbox.guard.signing.keys = {
            webhooks::public_key::from_pem(signer.ed25519_key_pem())};
        receiver.emplace(context_.get_executor(), options);
        receiver->start();
        how.port = receiver->port();
        sender.emplace(how, signer);
        thread_ = std::thread{[this] { context_.run(); }};
    }
    ~pair() {
        sender.reset();
        receiver.reset();
        work_.reset();
        thread_.join();
    }

    void settle() { asio::co_spawn(context_, sender->settled(), asio::use_future).get(); }

    webhooks::event next() {
        auto made = asio::co_spawn(context_, receiver->next(), asio::use_future).get();
        REQUIRE(made);
        return std::move(*made);
    }

private:
    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
    std::thread thread_;

public:
    std::optional<sandbox::webhook_sender> sender;
    std::optional<webhooks::receiver> receiver;
};

// The API without sockets, and one location in it.
class service {
public:
    explicit service(sandbox::change_hook hook) : api_(settings(std::move(hook)), 0ns) {
        sandbox::token_grant all{"t"};
        all.all_locations = true;
        api_.add_token(std::move(all));
        place_ = api_.data().locations().at(0)->id();
    }
    std::string call(std::string_view method, const std::string& path, const std::string& body) {
        sandbox::request_view request;
        request.method = method;
        request.target = request.path = path;
        request.body = body;
        request.token = "t";
        request.headers = {{"version", "2021-07-28"}, {"content-type", "application/json"}};
        sandbox::detail::reply out;
        api_.handle(request, 0ns, sandbox::timestamp{1700000000000ms}, out);
        INFO(out.body);
        REQUIRE(out.status / 100 == 2);
        return out.body;
    }
    [[nodiscard]] const std::string& place() const { return place_; }

private:
    static sandbox::options settings(sandbox::change_hook hook) {
        sandbox::options made;
        made.on_change = std::move(hook);
        return made;
    }
    sandbox::detail::api api_;
    std::string place_;
};

} // namespace

TEST_CASE("changes_of_contacts_arrive_as_signed_events", "[sandbox]") {
    pair both;
    service house{both.sender->hook()};
    auto const answer = house.call(
        "POST", "/contacts/",
        R"({"locationId":")" + house.place() + R"(","firstName":"Ada","email":"ada@example.com"})");
    auto const created = both.next();
    CHECK(created.signed_by == webhooks::scheme::ed25519);
    CHECK(created.head.app_id == "sandbox-app");
    CHECK(created.head.location_id == house.place());
    auto const* contact = created.get_if<event_kind::contact_create>();
    REQUIRE(contact);
    CHECK(contact->first_name == "Ada");
    CHECK(contact->email == "ada@example.com");
    CHECK(created.notes.empty());
    CHECK(contact->unknown_fields.empty());
    REQUIRE(contact->id);
    auto const id = *contact->id;
    CHECK(answer.find(id) != std::string::npos);

    house.call("PUT", "/contacts/" + id, R"({"lastName":"Lovelace"})");
    CHECK(both.next().get_if<event_kind::contact_update>()->name == "Ada Lovelace");
    house.call("POST", "/contacts/" + id + "/tags", R"({"tags":["vip"]})");
    CHECK(both.next().get_if<event_kind::contact_tag_update>()->tags.size() == 1);
    // Nothing changes, and nothing is told.
    house.call("POST", "/contacts/" + id + "/tags", R"({"tags":["vip"]})");
    house.call("DELETE", "/contacts/" + id + "/tags", R"({"tags":["vip"]})");
    CHECK(both.next().get_if<event_kind::contact_tag_update>()->tags.empty());
    house.call("DELETE", "/contacts/" + id, "");
    CHECK(both.next().get_if<event_kind::contact_delete>()->id == id);
    CHECK(both.sender->counters().events == 5);
}

TEST_CASE("what_is_not_taken_is_sent_again", "[sandbox]") {
    sandbox::webhook_sender_options how;
    how.retry_delay = 1ms;
    how.tries = 1'000'000;
    pair both{how, 1};
    for (int i = 0; i < 5; ++i)
        both.sender->send("NoteCreate", "loc");
    for (int i = 0; i < 5; ++i)
        CHECK(both.next().kind == event_kind::note_create);
    auto const counted = both.receiver->counters().inbox;
    CHECK(counted[outcome::accepted] == 5);
    CHECK(counted[outcome::duplicate] == 0);
}

TEST_CASE("some_are_sent_twice_and_taken_once", "[sandbox]") {
    sandbox::webhook_sender_options how;
    how.duplicates = 100;
    pair both{how};
    both.sender->send_install("loc", "comp");
    auto const made = both.next();
    CHECK(made.get_if<event_kind::app_install>()->company_id == "comp");
    both.sender->send_uninstall("loc");
    CHECK(both.next().get_if<event_kind::app_uninstall>()->location_id == "loc");
    both.settle();
    CHECK(both.receiver->counters().inbox[outcome::accepted] == 2);
    CHECK(both.receiver->counters().inbox[outcome::duplicate] == 2);
    auto const counted = both.sender->counters();
    CHECK(counted.events == 2);
    CHECK(counted.attempts == 4);
    CHECK(counted.delivered == 2);
    CHECK(counted.duplicates == 2);
}

TEST_CASE("what_nobody_takes_is_given_up", "[sandbox]") {
    sandbox::webhook_sender_options how;
    how.retry_delay = 1ms;
    how.retry_growth = 2;
    how.retry_jitter = 0.5;
    how.tries = 3;
    pair both{how, 1};
    both.sender->send("NoteCreate", "loc");
    both.sender->send("NoteCreate", "loc");
    both.settle();
    auto const counted = both.sender->counters();
    CHECK(counted.delivered == 1);
    CHECK(counted.given_up == 1);
    CHECK(counted.attempts == 4);
    CHECK(both.receiver->counters().inbox.full == 3);
}

TEST_CASE("removals_of_companies_and_changes_of_plans_are_told", "[sandbox]") {
    pair both;
    both.sender->send_company_uninstall("comp");
    auto const gone = both.next();
    CHECK(gone.kind == event_kind::app_uninstall);
    CHECK(gone.head.company_id == "comp");
    CHECK(gone.head.location_id.empty());
    both.sender->send_plan_change("loc", "comp", "small", "large");
    auto const changed = both.next();
    auto const* plan = changed.get_if<event_kind::plan_change>();
    REQUIRE(plan);
    CHECK(plan->location_id == "loc");
    CHECK(plan->current_plan_id == "small");
    CHECK(plan->new_plan_id == "large");
}

TEST_CASE("a_receiver_that_never_answers_holds_nobody_up", "[sandbox]") {
    // It accepts, by way of the system, and says nothing.
    asio::io_context context;
    asio::ip::tcp::acceptor const deaf{context, {asio::ip::address_v4::loopback(), 0}};
    sandbox::webhook_sender_options how;
    how.port = deaf.local_endpoint().port();
    how.tries = 2;
    how.retry_delay = 1ms;
    how.response_timeout = 20ms;
    sandbox::webhook_sender sender{how};
    sender.send("NoteCreate", "loc");
    auto waiting = asio::co_spawn(context, sender.settled(), asio::use_future);
    context.run();
    waiting.get();
    CHECK(sender.counters().attempts == 2);
    CHECK(sender.counters().given_up == 1);
}

TEST_CASE("nobody_waits_for_a_sender_that_is_gone", "[sandbox]") {
    asio::io_context context;
    sandbox::webhook_sender_options how;
    how.port = 1;
    how.retry_delay = 24h;
    std::optional<sandbox::webhook_sender> sender{std::in_place, how};
    auto const hook = sender->install_hook();
    sender->send("NoteCreate", "loc");
    auto begun = asio::co_spawn(context, sender->settled(), asio::use_future);
    context.poll();
    // Not even looked at before the end.
    auto late = asio::co_spawn(context, sender->settled(), asio::use_future);
    sender.reset();
    hook(sandbox::install_change{});
    context.restart();
    context.run();
    begun.get();
    late.get();
}

TEST_CASE("options_of_a_sender_are_checked", "[sandbox]") {
    using settings = sandbox::webhook_sender_options;
    struct row {
        const char* named;
        std::function<void(settings&)> spoil;
    };
    constexpr auto infinite = std::numeric_limits<double>::infinity();
    for (auto const& r : std::vector<row>{
             {"tries", [](settings& o) { o.tries = 0; }},
             {"address", [](settings& o) { o.address = "localhost"; }},
             {"retry_delay", [](settings& o) { o.retry_delay = -1ms; }},
             {"retry_delay", [](settings& o) { o.retry_delay = std::chrono::milliseconds::max(); }},
             {"retry_growth", [](settings& o) { o.retry_growth = 0.5; }},
             {"retry_growth", [=](settings& o) { o.retry_growth = infinite; }},
             {"retry_jitter", [](settings& o) { o.retry_jitter = 1.5; }},
             {"response_timeout", [](settings& o) { o.response_timeout = 0ms; }},
             {"response_timeout",
              [](settings& o) { o.response_timeout = std::chrono::milliseconds::max(); }},
             {"duplicates", [](settings& o) { o.duplicates = 101; }}}) {
        CAPTURE(r.named);
        settings how;
        r.spoil(how);
        CHECK_THROWS_WITH(sandbox::webhook_sender{how}, test::contains(r.named));
    }
    settings most;
    most.retry_delay = 24h;
    most.response_timeout = 24h;
    most.duplicates = 100;
    CHECK_NOTHROW(sandbox::webhook_sender{most});
}

} // namespace sandbox_webhooks_tests

// SPDX-License-Identifier: BSL-1.0
//
// Pages and items of real operations over a scripted network: what each request says, what a
// failure leaves behind, prefetch, and resuming.

#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/body.hpp>
#include <highlevel/pages.hpp>
#include <highlevel/v2/blogs.hpp>
#include <highlevel/v2/calendars.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/conversation_ai.hpp>
#include <highlevel/v2/conversations.hpp>
#include <highlevel/v2/emails.hpp>
#include <highlevel/v2/forms.hpp>
#include <highlevel/v2/knowledge_base.hpp>
#include <highlevel/v2/objects.hpp>
#include <highlevel/v2/opportunities.hpp>
#include <highlevel/v2/phone_system.hpp>
#include <highlevel/v2/products.hpp>
#include <highlevel/v2/saas_api.hpp>
#include <highlevel/v2/snapshots.hpp>
#include <highlevel/v2/users.hpp>
#include <highlevel/v2/voice_ai.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pages_tests {

namespace asio = boost::asio;
namespace json = highlevel::json;
namespace v2 = highlevel::v2;
namespace contacts = highlevel::v2::contacts;
using highlevel::errc;
using test::scripted_transport;

static_assert(std::same_as<
              highlevel::items<contacts::search_contacts_advanced>::value_type,
              contacts::types::searched_contact>);
static_assert(!std::is_aggregate_v<highlevel::page_options>);

namespace {

/// A client over a scripted transport.
class fixture {
public:
    explicit fixture(highlevel::auth::resource_kind kind = highlevel::auth::resource_kind::location)
        : kind_(kind) {
        options.credentials = highlevel::auth::private_integration{"pit-secret"};
        options.transport = network;
        options.retry.base_delay = std::chrono::milliseconds{0};
        options.retry.max_delay = std::chrono::milliseconds{0};
    }

    highlevel::account account() {
        if (!client_) client_.emplace(context.get_executor(), options);
        return kind_ == highlevel::auth::resource_kind::location ? client_->location("loc1")
                                                                 : client_->company("com1");
    }

    template <class T>
    T run(asio::awaitable<T> work) {
        return test::run(context, std::move(work));
    }
    void run(asio::awaitable<void> work) { test::run(context, std::move(work)); }

    /// Answers with these bodies in turn.
    void answers(const std::vector<std::string>& bodies) {
        for (auto const& body : bodies)
            network->then(scripted_transport::reply(200, body));
    }

    /// What was asked for: the target, and the body when there is one.
    std::vector<std::string> asked() const {
        std::vector<std::string> made;
        for (auto const& r : network->requests())
            made.push_back(r.body.empty() ? r.target : r.target + " " + r.body);
        return made;
    }

    std::shared_ptr<scripted_transport> network = std::make_shared<scripted_transport>();
    highlevel::client_options options;
    asio::io_context context;

private:
    highlevel::auth::resource_kind kind_;
    std::optional<highlevel::client> client_;
};

template <highlevel::operation Op>
asio::awaitable<int> count_pages(highlevel::pages<Op> pages) {
    int made = 0;
    while (auto page = co_await pages.next())
        ++made;
    co_return made;
}

template <highlevel::operation Op>
asio::awaitable<int> count_items(highlevel::items<Op> items) {
    int made = 0;
    while (co_await items.next() != nullptr)
        ++made;
    co_return made;
}

/// Contacts "c<first>" and on, each with its cursor.
std::string search_page(int first, int count, int total) {
    std::string made = R"({"contacts":[)";
    for (int i = first; i < first + count; ++i) {
        auto const n = std::to_string(i);
        if (i != first) made += ',';
        made += R"({"id":"c)" + n + R"(","searchAfter":[)" + n + R"(,"c)" + n + R"("]})";
    }
    return made + R"(],"total":)" + std::to_string(total) + "}";
}

/// Answers one request, and no other.
class one_answer final : public highlevel::http::transport {
public:
    asio::awaitable<highlevel::http::exchange_result> exchange(
        const highlevel::http::request& /*r*/,
        highlevel::http::exchange_options /*options*/) override {
        if (std::exchange(answered_, true)) {
            asio::steady_timer never{co_await asio::this_coro::executor};
            never.expires_at(asio::steady_timer::time_point::max());
            co_await never.async_wait(asio::use_awaitable);
        }
        co_return scripted_transport::reply(200, search_page(0, 2, 9));
    }
    void close() noexcept override {}

private:
    bool answered_ = false;
};

contacts::search_contacts_advanced search_by(std::int64_t size) {
    contacts::search_contacts_advanced op;
    op.body.page_limit = size;
    op.body.query = "ada";
    return op;
}

} // namespace

TEST_CASE("search_pages_keep_every_parameter_and_move_the_cursor", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 5), search_page(2, 2, 5), search_page(4, 1, 5)});
    CHECK(f.run(count_pages(f.account().pages(search_by(2)))) == 3);
    auto const sent = f.network->requests();
    REQUIRE(sent.size() == 3);
    for (std::size_t i = 0; i < sent.size(); ++i) {
        auto const body = boost::json::parse(sent[i].body).as_object();
        CHECK(body.at("query") == "ada");
        CHECK(body.at("pageLimit") == 2);
        CHECK(body.at("locationId") == "loc1");
        CHECK_FALSE(body.contains("page"));
        CHECK(body.contains("searchAfter") == (i != 0));
    }
    CHECK(
        boost::json::serialize(boost::json::parse(sent[2].body).at("searchAfter")) ==
        R"([3,"c3"])");
}

TEST_CASE("items_come_one_by_one_typed_and_in_order", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 3), search_page(2, 1, 3)});
    std::vector<std::string> seen;
    auto const read = [&]() -> asio::awaitable<void> {
        auto list = f.account().items(search_by(2));
        while (auto* contact = co_await list.next()) {
            seen.push_back(std::move(contact->id).value());
            CHECK(list.total() == 3);
        }
        auto const got1 = co_await list.next();
        CHECK(got1 == nullptr);
    };
    f.run(read());
    CHECK(seen == std::vector<std::string>{"c0", "c1", "c2"});
    CHECK(f.network->requests().size() == 2);
}

TEST_CASE("each_style_asks_for_its_own_next_page", "[pages]") {
    using kind = highlevel::auth::resource_kind;
    auto const check = [](auto op, std::vector<std::string> bodies, std::vector<std::string> asked,
                          int items, kind of = kind::location) {
        fixture f{of};
        f.answers(bodies);
        INFO(op.meta.name);
        CHECK(f.run(count_items(f.account().items(op))) == items);
        CHECK(f.asked() == asked);
    };
    SECTION("skip_limit") {
        v2::users::search_users op;
        op.company_id = "com1";
        op.limit = 2;
        check(
            op,
            {R"({"users":[{"id":"a"},{"id":"b"}],"count":3})",
             R"({"users":[{"id":"c"}],"count":3})"},
            {"/users/search?companyId=com1&skip=0&limit=2&locationId=loc1",
             "/users/search?companyId=com1&skip=2&limit=2&locationId=loc1"},
            3);
    }
    SECTION("skip_limit over an array at the root") {
        v2::calendars::fetch_calendar_resources op{"rooms"};
        op.limit = 2;
        check(
            op, {R"([{"name":"a"},{"name":"b"}])", "[]"},
            {"/calendars/resources/rooms?locationId=loc1&limit=2&skip=0",
             "/calendars/resources/rooms?locationId=loc1&limit=2&skip=2"},
            2);
    }
    SECTION("offset_limit") {
        v2::blogs::get_all_blog_authors_by_location op;
        op.limit = 2;
        op.offset = 0;
        check(
            op, {R"({"authors":[{"_id":"a"},{"_id":"b"}]})", R"({"authors":[{"_id":"c"}]})"},
            {"/blogs/authors?locationId=loc1&limit=2&offset=0",
             "/blogs/authors?locationId=loc1&limit=2&offset=2"},
            3);
    }
    SECTION("page_limit with the next page named") {
        v2::forms::get_forms_submissions op;
        op.limit = 1;
        check(
            op,
            {R"({"submissions":[{"id":"a"}],"meta":{"total":2,"nextPage":2}})",
             R"({"submissions":[{"id":"b"}],"meta":{"total":2,"nextPage":null}})"},
            {"/forms/submissions?locationId=loc1&page=1&limit=1",
             "/forms/submissions?locationId=loc1&page=2&limit=1"},
            2);
    }
    SECTION("page_page_size from one") {
        v2::voice_ai::get_agents op;
        op.page_size = 1;
        check(
            op, {R"({"agents":[{"id":"a"}],"total":2})", R"({"agents":[{"id":"b"}],"total":2})"},
            {"/voice-ai/agents?locationId=loc1&page=1&pageSize=1",
             "/voice-ai/agents?locationId=loc1&page=2&pageSize=1"},
            2);
    }
    SECTION("page_page_size from zero") {
        v2::phone_system::active_numbers op;
        op.page_size = 2;
        check(
            op,
            {R"({"numbers":[{"phoneNumber":"1"},{"phoneNumber":"2"}]})",
             R"({"numbers":[{"phoneNumber":"3"}]})"},
            {"/phone-system/numbers/location/loc1?pageSize=2&page=0",
             "/phone-system/numbers/location/loc1?pageSize=2&page=1"},
            3);
    }
    SECTION("page_only") {
        v2::saas_api::get_saas_locations_deprecated op;
        check(
            op,
            {R"({"locations":[{"locationId":"a"}],"pagination":{"hasNext":true}})",
             R"({"locations":[{"locationId":"b"}],"pagination":{"hasNext":false}})"},
            {"/saas-api/public-api/saas-locations/com1?page=1",
             "/saas-api/public-api/saas-locations/com1?page=2"},
            2, kind::company);
    }
    SECTION("page_page_length") {
        v2::knowledge_base::get_all_website_urls_data_by_knowledge_base op;
        op.page_length = 2;
        op.knowledge_base_id = "kb";
        fixture f;
        f.answers(
            {R"({"urls":[{"url":"a"},{"url":"b"}],"count":3})",
             R"({"urls":[{"url":"c"}],"count":3})"});
        CHECK(f.run(count_items(f.account().items(op))) == 3);
        REQUIRE(f.asked().size() == 2);
        CHECK(f.asked()[0].find("page=1") != std::string::npos);
        CHECK(f.asked()[1].find("page=2") != std::string::npos);
    }
    SECTION("page_limit_search_after that demands a page") {
        v2::objects::search_object_records op{"custom_objects.pets"};
        op.body.page_limit = 1;
        check(
            op,
            {R"({"records":[{"id":"a","searchAfter":[1,"a"]}],"total":2})",
             R"({"records":[{"id":"b","searchAfter":[2,"b"]}],"total":2})",
             R"({"records":[],"total":2})"},
            {R"(/objects/custom_objects.pets/records/search {"locationId":"loc1","page":1,"pageLimit":1})",
             R"(/objects/custom_objects.pets/records/search {"locationId":"loc1","page":1,"pageLimit":1,"searchAfter":[1,"a"]})",
             R"(/objects/custom_objects.pets/records/search {"locationId":"loc1","page":1,"pageLimit":1,"searchAfter":[2,"b"]})"},
            2);
    }
    SECTION("start_after_pair, never with a page") {
        v2::opportunities::search_opportunity op;
        op.limit = 1;
        op.page = 1;
        fixture f;
        f.answers(
            {R"({"opportunities":[{"id":"a"}],"meta":{"total":2,"startAfter":17,"startAfterId":"a"}})",
             R"({"opportunities":[{"id":"b"}],"meta":{"total":2,"startAfter":18,"startAfterId":"b"}})",
             R"({"opportunities":[],"meta":{"total":2}})"});
        CHECK(f.run(count_items(f.account().items(op))) == 2);
        auto const asked = f.asked();
        REQUIRE(asked.size() == 3);
        CHECK(asked[0].find("page=1") != std::string::npos);
        CHECK(asked[1].find("page=") == std::string::npos);
        CHECK(asked[1].find("startAfter=17") != std::string::npos);
        CHECK(asked[1].find("startAfterId=a") != std::string::npos);
        CHECK(asked[1].find("limit=1") != std::string::npos);
        CHECK(asked[1].find("location_id=loc1") != std::string::npos);
    }
    SECTION("start_after_item_id") {
        v2::conversation_ai::search_agent op;
        op.limit = 1;
        fixture f;
        f.answers(
            {R"({"agents":[{"id":"a"}],"totalCount":2})",
             R"({"agents":[{"id":"b"}],"totalCount":2})", R"({"agents":[],"totalCount":2})"});
        CHECK(f.run(count_items(f.account().items(op))) == 2);
        REQUIRE(f.asked().size() == 3);
        CHECK(f.asked()[1].find("startAfter=a") != std::string::npos);
    }
    SECTION("start_after_date") {
        v2::conversations::search_conversation op;
        op.limit = 1;
        fixture f;
        f.answers(
            {R"({"conversations":[{"id":"a","sort":[1700000000002]}],"total":2})",
             R"({"conversations":[{"id":"b","sort":[1700000000001]}],"total":2})",
             R"({"conversations":[],"total":2})"});
        CHECK(f.run(count_items(f.account().items(op))) == 2);
        REQUIRE(f.asked().size() == 3);
        CHECK(f.asked()[1].find("startAfterDate=1700000000002") != std::string::npos);
    }
    SECTION("last_item_id in the response") {
        v2::conversations::get_messages op{"conv"};
        op.limit = 1;
        check(
            op,
            {R"({"messages":{"lastMessageId":"a","nextPage":true,"messages":[{"id":"a"}]}})",
             R"({"messages":{"lastMessageId":"b","nextPage":false,"messages":[{"id":"b"}]}})"},
            {"/conversations/conv/messages?limit=1",
             "/conversations/conv/messages?lastMessageId=a&limit=1"},
            2);
    }
    SECTION("last_item_id of the last item, sent empty at first") {
        v2::snapshots::get_snapshot_push op{"snap"};
        op.from = "2021-01-01";
        op.to = "2021-02-01";
        op.limit = 1;
        fixture f{kind::company};
        f.answers({R"({"data":[{"id":"a"}]})", R"({"data":[]})"});
        CHECK(f.run(count_items(f.account().items(op))) == 1);
        REQUIRE(f.asked().size() == 2);
        CHECK(f.asked()[0].find("lastDoc=") != std::string::npos);
        CHECK(f.asked()[1].find("lastDoc=a") != std::string::npos);
    }
    SECTION("cursor") {
        v2::conversations::export_messages_by_location op;
        op.limit = 10;
        fixture f;
        f.answers(
            {R"({"messages":[{"id":"a"}],"nextCursor":"c 1","total":2})",
             R"({"messages":[{"id":"b"}],"nextCursor":null,"total":2})"});
        CHECK(f.run(count_items(f.account().items(op))) == 2);
        REQUIRE(f.asked().size() == 2);
        CHECK(f.asked()[0].find("cursor=") == std::string::npos);
        CHECK(f.asked()[1].find("cursor=c%201") != std::string::npos);
    }
    SECTION("none") {
        contacts::get_all_tasks op{"c1"};
        check(op, {R"({"tasks":[{"id":"a"},{"id":"b"}]})"}, {"/contacts/c1/tasks"}, 2);
    }
}

TEST_CASE("max_items_ends_items_exactly_and_asks_for_no_further_page", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 9), search_page(2, 2, 9), search_page(4, 2, 9)});
    highlevel::page_options options;
    options.max_items = 3;
    CHECK(f.run(count_items(f.account().items(search_by(2), options))) == 3);
    CHECK(f.network->requests().size() == 2);
}

TEST_CASE("a_repeated_page_is_reported_and_not_given_twice", "[pages]") {
    fixture f;
    // The last answer serves all that follow.
    f.answers({search_page(0, 2, 9)});
    auto const read = [&]() -> asio::awaitable<void> {
        auto pages = f.account().pages(search_by(2));
        auto const got2 = co_await pages.next();
        CHECK(got2.has_value());
        auto const second = co_await pages.try_next();
        REQUIRE(second.has_error());
        CHECK(second.error().code() == errc::paging_stuck);
        CHECK(second.error().cause() == highlevel::cause::bad_response);
        CHECK(second.error().operation() == "contacts.search_contacts_advanced");
        auto const third = co_await pages.try_next();
        CHECK(third.has_error());
    };
    f.run(read());
    CHECK(f.network->requests().size() == 2);
}

TEST_CASE("a_page_that_failed_is_asked_for_again_by_the_next_call", "[pages]") {
    fixture f;
    f.options.retry.max_attempts = 1;
    f.network->then(scripted_transport::reply(200, search_page(0, 2, 3)))
        .then(scripted_transport::reply(400, R"({"message":"no"})"))
        .then(scripted_transport::reply(200, search_page(2, 1, 3)));
    auto const read = [&]() -> asio::awaitable<void> {
        auto pages = f.account().pages(search_by(2));
        auto const got3 = co_await pages.next();
        CHECK(got3.has_value());
        auto const token = pages.page_token();
        auto const failed = co_await pages.try_next();
        REQUIRE(failed.has_error());
        CHECK(failed.error().status() == 400);
        CHECK(pages.page_token() == token);
        auto again = co_await pages.next();
        REQUIRE(again.has_value());
        CHECK((*again)->contacts.size() == 1);
        auto const got4 = co_await pages.next();
        CHECK_FALSE(got4.has_value());
    };
    f.run(read());
    auto const sent = f.network->requests();
    REQUIRE(sent.size() == 3);
    CHECK(sent[1].body == sent[2].body);
}

TEST_CASE("a_token_resumes_another_run_at_the_exact_item", "[pages]") {
    auto const bodies = [] {
        return std::vector<std::string>{
            search_page(0, 3, 7), search_page(3, 3, 7), search_page(6, 1, 7)};
    };
    for (int stop = 0; stop <= 7; ++stop) {
        INFO(stop);
        std::vector<std::string> seen;
        std::string token;
        auto const read = [&](highlevel::account of, int most) -> asio::awaitable<void> {
            highlevel::page_options options;
            options.from = token;
            auto list = of.items(search_by(3), options);
            for (int i = 0; i < most; ++i) {
                auto* const contact = co_await list.next();
                if (contact == nullptr) break;
                seen.push_back(contact->id.value());
            }
            token = list.page_token();
        };
        fixture first;
        first.answers(bodies());
        first.run(read(first.account(), stop));

        fixture second;
        // A server that looks at the cursor.
        second.network->then([&](const highlevel::http::request& r) {
            auto const body = boost::json::parse(r.body).as_object();
            auto const* const after = body.if_contains("searchAfter");
            int const from = after ? static_cast<int>(after->as_array().at(0).as_int64()) + 1 : 0;
            return scripted_transport::reply(200, search_page(from, std::min(3, 7 - from), 7));
        });
        second.run(read(second.account(), 100));
        REQUIRE(seen.size() == 7);
        for (int i = 0; i < 7; ++i)
            CHECK(seen[static_cast<std::size_t>(i)] == "c" + std::to_string(i));
    }
}

TEST_CASE("a_token_of_another_operation_is_refused_before_a_byte_is_sent", "[pages]") {
    fixture f;
    f.answers({"{}"});
    highlevel::page_options options;
    options.from = R"({"op":"v2.users.search_users","n":5})";
    auto const read = [&]() -> asio::awaitable<void> {
        auto pages = f.account().pages(search_by(2), options);
        auto const got = co_await pages.try_next();
        REQUIRE(got.has_error());
        CHECK(got.error().code() == errc::invalid_argument);
    };
    f.run(read());
    CHECK(f.network->requests().empty());
}

TEST_CASE("prefetch_keeps_order_and_goes_no_further_than_its_bound", "[pages]") {
    for (std::size_t const ahead : {1U, 2U, 5U}) {
        INFO(ahead);
        fixture f;
        f.answers(
            {search_page(0, 2, 9), search_page(2, 2, 9), search_page(4, 2, 9), search_page(6, 2, 9),
             search_page(8, 1, 9)});
        highlevel::page_options options;
        options.prefetch = ahead;
        std::vector<std::string> seen;
        auto const settle = [&]() -> asio::awaitable<void> {
            // Lets what is ready run; nothing here waits for a clock.
            for (int i = 0; i < 200; ++i)
                co_await asio::post(f.context, asio::use_awaitable);
        };
        auto const read = [&]() -> asio::awaitable<void> {
            auto pages = f.account().pages(search_by(2), options);
            co_await settle();
            CHECK(f.network->requests().empty());
            for (std::size_t n = 1;; ++n) {
                auto page = co_await pages.next();
                if (!page) break;
                for (auto const& contact : (*page)->contacts)
                    seen.push_back(contact.id.value());
                co_await settle();
                CHECK(f.network->requests().size() == std::min<std::size_t>(n + ahead, 5));
            }
            auto const got5 = co_await pages.next();
            CHECK_FALSE(got5.has_value());
        };
        f.run(read());
        REQUIRE(seen.size() == 9);
        for (std::size_t i = 0; i < 9; ++i)
            CHECK(seen[i] == "c" + std::to_string(i));
    }
}

TEST_CASE("a_failure_ahead_comes_in_its_turn_and_can_be_repeated", "[pages]") {
    fixture f;
    f.options.retry.max_attempts = 1;
    f.network->then(scripted_transport::reply(200, search_page(0, 2, 3)))
        .then(scripted_transport::reply(400, R"({"message":"no"})"))
        .then(scripted_transport::reply(200, search_page(2, 1, 3)));
    highlevel::page_options options;
    options.prefetch = 3;
    auto const read = [&]() -> asio::awaitable<void> {
        auto pages = f.account().pages(search_by(2), options);
        auto const got6 = co_await pages.next();
        CHECK(got6.has_value());
        auto const got7 = co_await pages.try_next();
        CHECK(got7.has_error());
        auto last = co_await pages.next();
        REQUIRE(last.has_value());
        CHECK((*last)->contacts.size() == 1);
        auto const got8 = co_await pages.next();
        CHECK_FALSE(got8.has_value());
    };
    f.run(read());
}

TEST_CASE("pages_that_are_dropped_while_fetching_ahead_leave_nothing_behind", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 9), search_page(2, 2, 9), search_page(4, 2, 9)});
    highlevel::page_options options;
    options.prefetch = 2;
    auto const read = [&]() -> asio::awaitable<void> {
        auto pages = f.account().pages(search_by(2), options);
        (void)co_await pages.next();
    };
    // Runs until nothing is left to run.
    f.run(read());
    CHECK(f.network->requests().size() <= 3);
}

TEST_CASE("cancelling_a_wait_for_a_page_ahead_ends_it", "[pages]") {
    fixture f;
    asio::cancellation_signal stop;
    highlevel::page_options options;
    options.prefetch = 1;
    f.network->then([&](const highlevel::http::request&) {
        // The reader waits for this page now.
        asio::post(f.context, [&] { stop.emit(asio::cancellation_type::terminal); });
        asio::post(f.context, [] {});
        return scripted_transport::reply(200, search_page(0, 2, 9));
    });
    bool cancelled = false;
    auto const read = [&]() -> asio::awaitable<void> {
        auto pages = f.account().pages(search_by(2), options);
        for (;;) {
            auto const got = co_await pages.try_next();
            if (got.has_error()) {
                CHECK(got.error().code() == asio::error::operation_aborted);
                CHECK(got.error().cause() == highlevel::cause::cancelled);
                cancelled = true;
                co_return;
            }
        }
    };
    // Or at the suspension after it.
    if (test::run_cancellable(f.context, read(), stop)) cancelled = true;
    CHECK(cancelled);
}

TEST_CASE("whatever_the_decoder_takes_is_paged_on", "[pages]") {
    auto const depth = [](int n) {
        auto const deep = static_cast<std::size_t>(n);
        return R"("x":)" + std::string(deep, '[') + std::string(deep, ']');
    };
    auto const body = [](const std::string& prefix, const std::string& more) {
        auto made = search_page(0, 2, 3);
        return prefix + "{" + more + "," + made.substr(1);
    };
    for (auto const& first :
         {body("\xef\xbb\xbf", R"("x":1)"), body("", depth(40)), body("", R"("x":"\ud83d")"),
          body("", "\"x\":\"\xff\"")}) {
        INFO(first);
        fixture f;
        f.answers({first, search_page(2, 1, 3)});
        CHECK(f.run(count_items(f.account().items(search_by(2)))) == 3);
    }
}

TEST_CASE("a_list_that_is_not_where_its_type_has_it_is_reported_for_good", "[pages]") {
    fixture f;
    // One object more than described: the raw list is found, and the decoder takes the object for a
    // list of one.
    f.answers({R"({"contacts":{"contacts":[{"id":"a","searchAfter":[1,"a"]}]}})"});
    auto const read = [&]() -> asio::awaitable<void> {
        auto list = f.account().items(search_by(1));
        auto const got = co_await list.try_next();
        REQUIRE(got.has_error());
        CHECK(got.error().code() == errc::paging_stuck);
        auto const again = co_await list.try_next();
        CHECK(again.has_error());
        // The token still names the page that was not given.
        CHECK(list.page_token().find("searchAfter") == std::string::npos);
        CHECK(list.page_token().find("\"at\"") == std::string::npos);
    };
    f.run(read());
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("a_limit_does_not_make_the_token_an_end", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 5), search_page(2, 2, 5)});
    std::string token;
    auto const read = [&]() -> asio::awaitable<void> {
        highlevel::page_options options;
        options.max_items = 2;
        auto pages = f.account().pages(search_by(2), options);
        auto const first = co_await pages.next();
        CHECK(first.has_value());
        auto const second = co_await pages.next();
        CHECK_FALSE(second.has_value());
        token = pages.page_token();
        options.from = token;
        auto rest = f.account().pages(search_by(2), options);
        auto const third = co_await rest.next();
        REQUIRE(third.has_value());
        CHECK((*third)->contacts.at(0).id == "c2");
    };
    f.run(read());
    CHECK(f.network->requests().size() == 2);
}

TEST_CASE("a_limit_counts_only_items_that_are_given", "[pages]") {
    fixture f;
    f.answers({search_page(0, 3, 9), search_page(0, 3, 9), search_page(3, 3, 9)});
    auto const read = [&]() -> asio::awaitable<void> {
        auto first = f.account().items(search_by(3));
        (void)co_await first.next();
        (void)co_await first.next();
        highlevel::page_options options;
        options.from = first.page_token();
        options.max_items = 3;
        auto rest = f.account().items(search_by(3), options);
        int given = 0;
        while (co_await rest.next() != nullptr)
            ++given;
        CHECK(given == 3);
    };
    f.run(read());
    CHECK(f.network->requests().size() == 3);
}

TEST_CASE("pages_move_with_all_that_they_know", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 5), search_page(2, 2, 5), search_page(0, 2, 5)});
    auto const read = [&]() -> asio::awaitable<void> {
        auto list = f.account().items(search_by(2));
        auto other = f.account().items(search_by(2));
        for (int i = 0; i < 3; ++i)
            (void)co_await list.next();
        auto const token = list.page_token();
        (void)co_await other.next();
        auto const others = other.page_token();
        std::swap(list, other);
        CHECK(other.page_token() == token);
        CHECK(list.page_token() == others);
    };
    f.run(read());
}

TEST_CASE("a_list_refuses_a_sink_before_a_byte_is_sent", "[pages]") {
    fixture f;
    f.answers({search_page(0, 2, 5)});
    class no_sink final : public highlevel::http::body_sink {
    public:
        std::string begin(const highlevel::http::response& /*head*/) override { return {}; }
        std::string write(std::string_view /*bytes*/) override { return {}; }
        std::string finish() override { return {}; }
    };
    no_sink sink;
    auto const read = [&]() -> asio::awaitable<void> {
        highlevel::page_options options;
        options.call.sink = &sink;
        auto pages = f.account().pages(search_by(2), options);
        auto const got = co_await pages.try_next();
        REQUIRE(got.has_error());
        CHECK(got.error().code() == errc::invalid_argument);
    };
    f.run(read());
    CHECK(f.network->requests().empty());
}

TEST_CASE("a_context_that_is_destroyed_takes_a_wait_for_a_page_ahead_along", "[pages]") {
    std::weak_ptr<int> frame;
    int got = 0;
    {
        fixture f;
        f.options.transport = std::make_shared<one_answer>();
        highlevel::page_options options;
        options.prefetch = 1;
        auto const read = [&]() -> asio::awaitable<void> {
            auto const held = std::make_shared<int>(0);
            frame = held;
            auto pages = f.account().pages(search_by(2), options);
            while (auto page = co_await pages.next())
                ++got;
        };
        asio::co_spawn(f.context, read(), asio::detached);
        f.context.poll();
        CHECK(got == 1);
        CHECK_FALSE(frame.expired());
    }
    CHECK(got == 1);
    CHECK(frame.expired());
}

TEST_CASE("a_fetch_ahead_that_is_destroyed_wakes_who_waits_for_it", "[pages]") {
    fixture f;
    f.options.transport = std::make_shared<one_answer>();
    highlevel::page_options options;
    options.prefetch = 1;
    auto list = f.account().pages(search_by(2), options);
    std::optional<boost::system::error_code> first;
    std::optional<boost::system::error_code> second;
    auto const read = [&](std::optional<boost::system::error_code>& into) -> asio::awaitable<void> {
        auto const got = co_await list.try_next();
        into = got.has_error() ? got.error().code() : boost::system::error_code{};
    };
    {
        // The fetch of the second page is under way here.
        asio::io_context other;
        asio::co_spawn(other, read(first), asio::detached);
        other.poll();
        REQUIRE(first);
        CHECK_FALSE(*first);
        asio::co_spawn(f.context, read(second), asio::detached);
        f.context.poll();
        CHECK_FALSE(second);
    }
    f.context.restart();
    f.context.poll();
    REQUIRE(second);
    CHECK(*second == asio::error::operation_aborted);
}

TEST_CASE("a_page_whose_list_is_not_where_its_type_has_it_is_not_given", "[pages]") {
    // With a size of two the page is also the last one.
    for (int const size : {1, 2}) {
        INFO(size);
        fixture f;
        f.answers({R"({"contacts":{"contacts":[{"id":"a","searchAfter":[1,"a"]}]}})"});
        auto const read = [&]() -> asio::awaitable<void> {
            auto list = f.account().pages(search_by(size));
            for (int i = 0; i < 2; ++i) {
                auto const got = co_await list.try_next();
                REQUIRE(got.has_error());
                CHECK(got.error().code() == errc::paging_stuck);
            }
            CHECK(list.page_token().find("\"end\"") == std::string::npos);
        };
        f.run(read());
        CHECK(f.network->requests().size() == 1);
    }
}

TEST_CASE("items_of_any_type_in_another_place_are_no_end_of_a_list_that_does_not_page", "[pages]") {
    // The last is an object in place of the list, which decodes as a list of one.
    for (auto const* const body :
         {R"({"reviews":[{"rating":5}]})", R"({"result":{"data":[{"rating":5}]}})",
          R"({"data":{"data":[{"rating":5}]}})"}) {
        INFO(body);
        fixture f;
        f.answers({body});
        auto const read = [&]() -> asio::awaitable<void> {
            auto list = f.account().items(v2::products::get_reviews_count{});
            for (int i = 0; i < 2; ++i) {
                auto const got = co_await list.try_next();
                REQUIRE(got.has_error());
                CHECK(got.error().code() == errc::paging_stuck);
            }
        };
        f.run(read());
    }
    fixture f;
    f.answers({R"({"data":[{"rating":5},{"rating":4}]})"});
    CHECK(f.run(count_items(f.account().items(v2::products::get_reviews_count{}))) == 2);
}

TEST_CASE("a_list_whose_place_is_not_described_stays_the_same_on_its_last_page", "[pages]") {
    fixture f;
    f.answers(
        {R"({"builders":[{"id":"a"},{"id":"b"}],"errors":[]})",
         R"({"builders":[],"errors":["x"]})"});
    v2::emails::fetch_template op;
    op.limit = 2;
    CHECK(f.run(count_items(f.account().items(op))) == 2);
    CHECK(f.network->requests().size() == 2);
}

} // namespace pages_tests

// SPDX-License-Identifier: BSL-1.0
//
// Every style of paging against a sandbox that serves it, over loopback: all records once and in
// order, whatever the size of the last page, and no quiet end when the server errs.

#include "support/catch.hpp"
#include "support/run.hpp"

#include <highlevel/auth/credentials.hpp>
#include <highlevel/auth/secret.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/pages.hpp>
#include <highlevel/sandbox/paging.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/blogs.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/conversation_ai.hpp>
#include <highlevel/v2/conversations.hpp>
#include <highlevel/v2/forms.hpp>
#include <highlevel/v2/knowledge_base.hpp>
#include <highlevel/v2/saas_api.hpp>
#include <highlevel/v2/users.hpp>
#include <highlevel/v2/voice_ai.hpp>
#include <highlevel/v3/oauth.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace e2e_paging_tests {

namespace asio = boost::asio;
namespace sandbox = highlevel::sandbox;
namespace v2 = highlevel::v2;
namespace v3 = highlevel::v3;
using highlevel::account;
using highlevel::errc;
using highlevel::page_options;
using sandbox::list_fault;

namespace {

/// What reading a list came to.
class reading {
public:
    std::size_t items = 0;
    std::size_t given_pages = 0;
    std::optional<std::uint64_t> total;
    /// Not set when the list came to its end.
    boost::system::error_code error;
    std::string token;
};

template <highlevel::operation Op>
asio::awaitable<void> read_items(highlevel::items<Op> list, std::size_t most, reading& into) {
    while (into.items < most) {
        auto const got = co_await list.try_next();
        if (!got) {
            into.error = got.error().code();
            break;
        }
        if (*got == nullptr) break;
        ++into.items;
    }
    into.total = list.total();
    into.token = list.page_token();
}

/// A list operation of one style, with a page size of 3.
class subject {
public:
    std::string style;
    const highlevel::operation_meta* meta;
    std::function<asio::awaitable<void>(const account&, page_options, std::size_t, reading&)> read;
};

template <highlevel::operation Op>
subject of(std::string style, Op op) {
    return {
        std::move(style), &Op::meta,
        [op](const account& at, page_options how, std::size_t most, reading& into) {
            return read_items(at.items(op, std::move(how)), most, into);
        }};
}

std::vector<subject> every_style() {
    v2::users::search_users users;
    users.company_id = "com1";
    users.limit = 3;
    v2::blogs::get_all_blog_authors_by_location authors;
    authors.limit = 3;
    authors.offset = 0;
    v2::forms::get_forms_submissions submissions;
    submissions.limit = 3;
    v2::voice_ai::get_agents agents;
    agents.page_size = 3;
    v2::knowledge_base::get_all_website_urls_data_by_knowledge_base urls;
    urls.page_length = 3;
    urls.knowledge_base_id = "kb";
    v2::contacts::search_contacts_advanced search;
    search.body.page_limit = 3;
    v2::contacts::get_contacts pair;
    pair.limit = 3;
    v2::conversation_ai::search_agent bots;
    bots.limit = 3;
    v2::conversations::search_conversation conversations;
    conversations.limit = 3;
    v2::conversations::get_messages messages{"conv"};
    messages.limit = 3;
    v2::conversations::export_messages_by_location exported;
    exported.limit = 3;
    v3::oauth::get_installed_location installed;
    installed.page_size = 3;
    installed.company_id = "com1";
    installed.app_id = "app1";
    return {
        of("skip_limit", users),
        of("offset_limit", authors),
        of("page_limit", submissions),
        of("page_page_size", agents),
        of("page_only", v2::saas_api::get_saas_locations_deprecated{"com1"}),
        of("page_page_length", urls),
        of("page_limit_search_after", search),
        of("start_after_pair", pair),
        of("start_after_item_id", bots),
        of("start_after_date", conversations),
        of("last_item_id", messages),
        of("cursor", exported),
        of("page_token", installed),
    };
}

/// The sandbox's token as whatever kind an operation accepts: some take OAuth tokens only.
class any_token final : public highlevel::auth::provider {
public:
    explicit any_token(const std::string& text)
        : token_(std::make_shared<const highlevel::auth::secret>(text)) {}

    asio::awaitable<highlevel::auth::grant> authorize(
        highlevel::auth::token_request request) override {
        co_return highlevel::auth::grant{token_, request.accepted};
    }
    asio::awaitable<bool> renew(
        highlevel::auth::token_request /*request*/,
        std::shared_ptr<const highlevel::auth::secret> /*refused*/) override {
        co_return false;
    }

private:
    std::shared_ptr<const highlevel::auth::secret> token_;
};

/// A sandbox that serves lists, and a client of it.
class fixture {
public:
    fixture() : server(house()) {
        server.set_hook(lists.hook());
        server.start();
        highlevel::client_options options;
        options.base_url = server.base_url();
        options.credentials =
            highlevel::auth::credentials{std::make_shared<any_token>(server.token())};
        client.emplace(context.get_executor(), options);
    }

    static sandbox::options house() {
        sandbox::options o;
        o.max = 60'000;
        return o;
    }

    /// Reads a list of so many records to its end, or at most `most` of it.
    reading read(
        const subject& what,
        std::size_t records,
        list_fault faults = {},
        page_options how = {},
        std::size_t most = 1000) {
        lists.add(*what.meta, records, faults, 3);
        return go_on(what, std::move(how), most);
    }

    reading go_on(const subject& what, page_options how = {}, std::size_t most = 1000) {
        auto const& locations = server.locations();
        bool const agency =
            (what.meta->tokens & highlevel::token_kinds::location) == highlevel::token_kinds::none;
        auto const at =
            agency ? client->company(server.company_id()) : client->location(locations.at(0).id);
        reading made;
        test::run_until_done(context, what.read(at, std::move(how), most, made));
        made.given_pages = lists.pages(*what.meta);
        return made;
    }

    sandbox::list_server lists;
    sandbox::server server;
    asio::io_context context;
    std::optional<highlevel::client> client;
};

/// Whether records that are deleted meanwhile shift the list.
bool counts(const subject& s) {
    for (auto const* const style :
         {"skip_limit", "offset_limit", "page_limit", "page_page_size", "page_only",
          "page_page_length"})
        if (s.style == style) return true;
    return false;
}

} // namespace

TEST_CASE("every_style_gives_every_record_once_whatever_the_last_page", "[e2e][paging]") {
    fixture f;
    for (auto const& s : every_style()) {
        // None, a part of a page, pages that are all full, and a short last one.
        for (std::size_t const records : {0U, 1U, 2U, 3U, 6U, 7U, 9U, 11U}) {
            INFO(s.style << " " << records);
            auto const got = f.read(s, records);
            CHECK_FALSE(got.error);
            CHECK(got.items == records);
            // At most one page more than there are: a full last page may look like any other.
            CHECK(got.given_pages <= records / 3 + 1);
        }
    }
}

TEST_CASE("every_style_reads_totals_that_are_text", "[e2e][paging]") {
    fixture f;
    list_fault text;
    text.total_as_text = true;
    for (auto const& s : every_style()) {
        INFO(s.style);
        auto const got = f.read(s, 7, text);
        CHECK_FALSE(got.error);
        CHECK(got.items == 7);
        if (!s.meta->pages->total.empty()) CHECK(got.total == 7);
    }
}

TEST_CASE("no_style_goes_round_in_circles", "[e2e][paging]") {
    fixture f;
    for (auto const& s : every_style()) {
        INFO(s.style);
        list_fault page;
        page.repeat_page = true;
        auto const same = f.read(s, 30, page);
        CHECK(same.error == errc::paging_stuck);
        CHECK(same.items == 3);
        CHECK(same.given_pages == 2);
        // A later run does not begin to circle either.
        page_options how;
        how.from = same.token;
        auto const again = f.go_on(s, how);
        CHECK(again.error == errc::paging_stuck);
        CHECK(again.items == 0);

        auto const& pages = *s.meta->pages;
        if (pages.next.empty() || pages.next_in_last_item || s.style == "page_limit_search_after")
            continue;
        list_fault cursor;
        cursor.repeat_cursor = true;
        auto const circle = f.read(s, 30, cursor);
        CHECK(circle.error == errc::paging_stuck);
        CHECK(circle.items <= 6);
    }
}

TEST_CASE("a_record_deleted_between_pages_ends_no_list_early", "[e2e][paging]") {
    fixture f;
    list_fault gone;
    gone.delete_between = true;
    for (auto const& s : every_style()) {
        INFO(s.style);
        auto const got = f.read(s, 10, gone);
        CHECK_FALSE(got.error);
        // Lists that are paged by number shift: the record behind the first page is passed over.
        CHECK(got.items == (counts(s) ? 9 : 10));
    }
}

TEST_CASE("a_later_page_without_its_list_is_an_error_in_every_style", "[e2e][paging]") {
    fixture f;
    list_fault none;
    none.omit_list_of_page = 1;
    for (auto const& s : every_style()) {
        INFO(s.style);
        auto const got = f.read(s, 10, none);
        CHECK(got.error == errc::paging_stuck);
        CHECK(got.items == 3);
        // Read again from there, all of it comes.
        page_options how;
        how.from = got.token;
        auto const rest = f.go_on(s, how);
        CHECK_FALSE(rest.error);
        CHECK(rest.items == 7);
    }
}

TEST_CASE("every_style_goes_on_from_any_item", "[e2e][paging]") {
    fixture f;
    for (auto const& s : every_style()) {
        for (std::size_t stop = 0; stop <= 7; ++stop) {
            INFO(s.style << " " << stop);
            auto const first = f.read(s, 7, {}, {}, stop);
            CHECK(first.items == stop);
            page_options how;
            how.from = first.token;
            how.prefetch = stop % 2;
            auto const rest = f.go_on(s, how);
            CHECK_FALSE(rest.error);
            CHECK(rest.items == 7 - stop);
        }
    }
}

} // namespace e2e_paging_tests

// SPDX-License-Identifier: BSL-1.0
//
// Every style of paging against a scripted server: what each request says and where the list ends.

#include "support/catch.hpp"

#include <highlevel/detail/pager.hpp>
#include <highlevel/json/decode.hpp>

#include <boost/json/parse.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace detail_pager_tests {

namespace json = highlevel::json;
using highlevel::operation_meta;
using highlevel::paging;
using highlevel::paging_style;
using highlevel::detail::page_start;
using highlevel::detail::pager;

namespace {

operation_meta meta_of(const paging& how) {
    operation_meta meta;
    meta.family = "things";
    meta.name = "list";
    meta.pages = &how;
    return meta;
}

page_start start(json::value size = {}, json::value position = {}) {
    page_start made;
    made.size = std::move(size);
    made.position = std::move(position);
    return made;
}

/// The fields of the next request as "name=value name=value".
std::string asks(const pager& p) {
    std::string made;
    for (auto const& field : p.fields()) {
        if (!made.empty()) made += ' ';
        made += field.name;
        made += '=';
        made += boost::json::serialize(field.value);
    }
    return made;
}

/// A list of `count` numbers beginning at `first`.
std::string ids(std::int64_t first, std::int64_t count) {
    std::string made = "[";
    for (auto i = first; i < first + count; ++i) {
        if (i != first) made += ',';
        made += R"({"id":"i)" + std::to_string(i) + R"(","searchAfter":[)" + std::to_string(i) +
            R"(,"i)" + std::to_string(i) + R"("],"sort":[)" + std::to_string(1000 + i) + "]}";
    }
    return made + "]";
}

std::string page(std::int64_t first, std::int64_t count, const std::string& more = {}) {
    return R"({"things":)" + ids(first, count) + (more.empty() ? "" : "," + more) + "}";
}

constexpr paging skip{
    .style = paging_style::skip_limit,
    .items = "/things",
    .position = "skip",
    .size = "limit",
    .total = "/total"};
constexpr paging offset{
    .style = paging_style::offset_limit,
    .items = "/things",
    .position = "offset",
    .size = "limit",
    .total = "/pagination/total",
    .has_more = "/pagination/hasMore"};
constexpr paging by_page{
    .style = paging_style::page_page_size,
    .items = "/things",
    .position = "page",
    .size = "pageSize",
    .total = "/total"};
constexpr paging from_zero{
    .style = paging_style::page_page_size,
    .items = "/things",
    .position = "page",
    .size = "pageSize",
    .first_page = 0};
constexpr paging next_page{
    .style = paging_style::page_limit,
    .items = "/things",
    .position = "page",
    .size = "limit",
    .next = "/meta/nextPage",
    .total = "/meta/total"};
constexpr paging page_only{
    .style = paging_style::page_only,
    .items = "/things",
    .position = "page",
    .total = "/pagination/total",
    .has_more = "/pagination/hasNext"};
constexpr paging page_length{
    .style = paging_style::page_page_length,
    .items = "/things",
    .position = "page",
    .size = "pageLength",
    .total = "/count"};
constexpr paging search{
    .style = paging_style::page_limit_search_after,
    .items = "/things",
    .position = "searchAfter",
    .position_id = "page",
    .size = "pageLimit",
    .in = highlevel::place::body,
    .next = "/searchAfter",
    .total = "/total",
    .next_in_last_item = true};
constexpr paging pair{
    .style = paging_style::start_after_pair,
    .items = "/things",
    .position = "startAfter",
    .position_id = "startAfterId",
    .size = "limit",
    .next = "/meta/startAfter",
    .total = "/meta/total",
    .next_id = "/meta/startAfterId"};
constexpr paging after_item{
    .style = paging_style::start_after_item_id,
    .items = "/things",
    .position = "startAfter",
    .size = "limit",
    .next = "/id",
    .total = "/totalCount",
    .next_in_last_item = true};
constexpr paging after_date{
    .style = paging_style::start_after_date,
    .items = "/things",
    .position = "startAfterDate",
    .size = "limit",
    .next = "/sort",
    .total = "/total",
    .next_in_last_item = true};
constexpr paging last_id{
    .style = paging_style::last_item_id,
    .items = "/messages/messages",
    .position = "lastMessageId",
    .size = "limit",
    .next = "/messages/lastMessageId",
    .has_more = "/messages/nextPage"};
constexpr paging cursor{
    .style = paging_style::cursor,
    .items = "/things",
    .position = "cursor",
    .size = "limit",
    .next = "/nextCursor",
    .total = "/total"};
constexpr paging page_token{
    .style = paging_style::page_token,
    .items = "/items",
    .position = "pageToken",
    .size = "pageSize",
    .next = "/pagination/nextPageToken",
    .total = "/pagination/totalRecords",
    .has_more = "/pagination/hasNextPage"};
constexpr paging whole{.style = paging_style::none, .items = "/things"};

/// Lets the pager read a body; the client decodes it first in the same way.
bool observe(pager& p, std::string_view body) {
    json::value root;
    return json::decode(body, root) && p.observe(root);
}

} // namespace

TEST_CASE("a_list_that_does_not_page_is_one_page", "[pager]") {
    auto const meta = meta_of(whole);
    pager p{meta, start()};
    CHECK(asks(p).empty());
    REQUIRE(observe(p, page(0, 7)));
    CHECK(p.count() == 7);
    CHECK(p.done());

    operation_meta const lists_nothing;
    pager none{lists_nothing, start()};
    CHECK(none.fields().empty());
    REQUIRE(observe(none, R"({"contact":{}})"));
    CHECK(none.done());
}

TEST_CASE("skip_moves_on_by_the_items_received_until_a_short_page", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start(10)};
    CHECK(asks(p) == "skip=0");
    REQUIRE(observe(p, page(0, 10)));
    CHECK_FALSE(p.done());
    CHECK(asks(p) == "skip=10");
    REQUIRE(observe(p, page(10, 10)));
    CHECK(asks(p) == "skip=20");
    REQUIRE(observe(p, page(20, 3)));
    CHECK(p.done());
    CHECK(p.problem().empty());
}

TEST_CASE("skip_begins_where_the_operation_says", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start("10", "40")};
    CHECK(asks(p) == "skip=40");
    REQUIRE(observe(p, page(40, 10, R"("total":55)")));
    CHECK(asks(p) == "skip=50");
    REQUIRE(observe(p, page(50, 5, R"("total":55)")));
    CHECK(p.done());
}

TEST_CASE("a_full_last_page_is_followed_by_an_empty_one_or_met_by_the_total", "[pager]") {
    auto const meta = meta_of(skip);
    pager without{meta, start(10)};
    REQUIRE(observe(without, page(0, 10)));
    REQUIRE(observe(without, page(10, 10)));
    CHECK_FALSE(without.done());
    REQUIRE(observe(without, page(20, 0)));
    CHECK(without.done());

    pager with{meta, start(10)};
    REQUIRE(observe(with, page(0, 10, R"("total":20)")));
    CHECK_FALSE(with.done());
    REQUIRE(observe(with, page(10, 10, R"("total":20)")));
    CHECK(with.done());
    CHECK(with.total() == 20);
}

TEST_CASE("a_total_that_is_the_count_of_the_page_does_not_end_the_list", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start(10)};
    REQUIRE(observe(p, page(0, 10, R"("total":10)")));
    CHECK_FALSE(p.done());
    REQUIRE(observe(p, page(10, 10, R"("total":10)")));
    CHECK_FALSE(p.done());
    REQUIRE(observe(p, page(20, 4, R"("total":4)")));
    CHECK(p.done());
}

TEST_CASE("a_total_that_is_not_met_keeps_short_pages_going", "[pager]") {
    // The server gives fewer than it was asked for.
    auto const meta = meta_of(skip);
    pager p{meta, start(500)};
    REQUIRE(observe(p, page(0, 100, R"("total":"250")")));
    CHECK_FALSE(p.done());
    CHECK(p.total() == 250);
    REQUIRE(observe(p, page(100, 100, R"("total":"250")")));
    CHECK_FALSE(p.done());
    REQUIRE(observe(p, page(200, 50, R"("total":"250")")));
    CHECK(p.done());
}

TEST_CASE("without_a_page_size_a_page_shorter_than_another_is_the_last", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start()};
    REQUIRE(observe(p, page(0, 20)));
    CHECK_FALSE(p.done());
    REQUIRE(observe(p, page(20, 19)));
    CHECK(p.done());
}

TEST_CASE("an_empty_first_page_ends_every_style", "[pager]") {
    for (auto const* how :
         {&skip, &offset, &by_page, &from_zero, &next_page, &page_only, &page_length, &search,
          &pair, &after_item, &after_date, &last_id, &cursor, &page_token, &whole}) {
        INFO(static_cast<int>(how->style));
        auto const meta = meta_of(*how);
        for (std::string_view const body :
             {R"({"things":[],"items":[],"messages":{"messages":[]},"total":0})", "{}", "[]", "",
              "null", R"({"things":null,"messages":null,"items":null})", "7"}) {
            pager p{meta, start(10)};
            REQUIRE(observe(p, body));
            CHECK(p.done());
            CHECK(p.problem().empty());
            CHECK(p.count() == 0);
        }
    }
}

TEST_CASE("a_record_deleted_between_pages_does_not_keep_the_list_going", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start(10)};
    REQUIRE(observe(p, page(0, 10, R"("total":20)")));
    // i5 was deleted: i10 has moved into the first page, and the second has nine.
    REQUIRE(observe(p, page(11, 9, R"("total":19)")));
    CHECK(p.done());

    pager stale{meta, start(10)};
    REQUIRE(observe(stale, page(0, 10, R"("total":20)")));
    REQUIRE(observe(stale, page(11, 9, R"("total":20)")));
    // The total still counts it: one request more finds out.
    CHECK_FALSE(stale.done());
    REQUIRE(observe(stale, page(20, 0, R"("total":20)")));
    CHECK(stale.done());

    // A cursor does not shift.
    auto const meta_search = meta_of(search);
    pager exact{meta_search, start(2)};
    REQUIRE(observe(exact, page(0, 2, R"("total":4)")));
    CHECK(asks(exact) == R"(searchAfter=[1,"i1"] page=null)");
    REQUIRE(observe(exact, page(2, 1, R"("total":3)")));
    CHECK(exact.done());
}

TEST_CASE("has_more_decides_over_the_size_of_the_page", "[pager]") {
    auto const meta = meta_of(offset);
    pager p{meta, start("10")};
    CHECK(asks(p) == "offset=0");
    REQUIRE(observe(p, page(0, 4, R"("pagination":{"hasMore":true,"total":"9"})")));
    CHECK_FALSE(p.done());
    CHECK(asks(p) == "offset=4");
    REQUIRE(observe(p, page(4, 10, R"("pagination":{"hasMore":false})")));
    CHECK(p.done());

    pager text{meta, start(10)};
    REQUIRE(observe(text, page(0, 10, R"("pagination":{"hasMore":"false"})")));
    CHECK(text.done());

    pager liar{meta, start(10)};
    REQUIRE(observe(liar, page(0, 0, R"("pagination":{"hasMore":true})")));
    CHECK_FALSE(liar.done());
    CHECK_FALSE(liar.problem().empty());
}

TEST_CASE("pages_are_counted_from_one_or_from_zero", "[pager]") {
    auto const meta = meta_of(by_page);
    pager p{meta, start(5)};
    CHECK(asks(p) == "page=1");
    REQUIRE(observe(p, page(0, 5, R"("total":12)")));
    CHECK(asks(p) == "page=2");
    REQUIRE(observe(p, page(5, 5, R"("total":12)")));
    CHECK(asks(p) == "page=3");
    REQUIRE(observe(p, page(10, 2, R"("total":12)")));
    CHECK(p.done());

    auto const meta_zero = meta_of(from_zero);
    pager zero{meta_zero, start(5)};
    CHECK(asks(zero) == "page=0");
    REQUIRE(observe(zero, page(0, 5)));
    CHECK(asks(zero) == "page=1");

    pager later{meta, start(5, 7)};
    CHECK(asks(later) == "page=7");
    // Where it stands in the list is not known, so the total says nothing.
    REQUIRE(observe(later, page(30, 3, R"("total":100)")));
    CHECK(later.done());

    auto const meta_length = meta_of(page_length);
    pager urls{meta_length, start(2)};
    REQUIRE(observe(urls, page(0, 2, R"("count":3)")));
    CHECK(asks(urls) == "page=2");
    REQUIRE(observe(urls, page(2, 1, R"("count":3)")));
    CHECK(urls.done());
}

TEST_CASE("a_next_page_that_the_server_names_is_taken_and_null_ends", "[pager]") {
    auto const meta = meta_of(next_page);
    pager p{meta, start(5)};
    REQUIRE(observe(p, page(0, 5, R"("meta":{"nextPage":2,"total":8})")));
    CHECK(asks(p) == "page=2");
    REQUIRE(observe(p, page(5, 5, R"("meta":{"nextPage":null,"total":8})")));
    CHECK(p.done());

    pager text{meta, start(5)};
    REQUIRE(observe(text, page(0, 5, R"("meta":{"nextPage":"2"})")));
    CHECK(asks(text) == "page=2");

    pager silent{meta, start(5)};
    REQUIRE(observe(silent, page(0, 5)));
    CHECK(asks(silent) == "page=2");
    REQUIRE(observe(silent, page(5, 1)));
    CHECK(silent.done());

    pager back{meta, start(5, 3)};
    REQUIRE(observe(back, page(0, 5, R"("meta":{"nextPage":3})")));
    CHECK_FALSE(back.problem().empty());
}

TEST_CASE("page_only_goes_on_while_the_server_says_so", "[pager]") {
    auto const meta = meta_of(page_only);
    pager p{meta, start()};
    CHECK(asks(p) == "page=1");
    REQUIRE(observe(p, page(0, 10, R"("pagination":{"hasNext":true})")));
    CHECK(asks(p) == "page=2");
    REQUIRE(observe(p, page(10, 3, R"("pagination":{"hasNext":true})")));
    CHECK_FALSE(p.done());
    REQUIRE(observe(p, page(13, 10, R"("pagination":{"hasNext":false})")));
    CHECK(p.done());
}

TEST_CASE("search_goes_on_after_the_last_item_and_never_names_a_page_too", "[pager]") {
    auto const meta = meta_of(search);
    pager p{meta, start(100)};
    // Neither on the first page: the caller asked for none.
    CHECK(asks(p).empty());
    std::int64_t first = 0;
    for (; first < 25'000; first += 100) {
        REQUIRE(observe(p, page(first, 100, R"("total":25037)")));
        REQUIRE_FALSE(p.done());
        REQUIRE(p.problem().empty());
        auto const last = std::to_string(first + 99);
        CHECK(asks(p) == "searchAfter=[" + last + R"(,"i)" + last + R"("] page=null)");
    }
    REQUIRE(observe(p, page(first, 37, R"("total":25037)")));
    CHECK(p.done());
}

TEST_CASE("search_from_a_page_of_the_callers_choice_goes_on_with_the_cursor", "[pager]") {
    auto const meta = meta_of(search);
    auto from = start(2);
    from.position_id = 3;
    pager p{meta, std::move(from)};
    CHECK(asks(p) == "page=3");
    REQUIRE(observe(p, page(4, 2)));
    CHECK(asks(p) == R"(searchAfter=[5,"i5"] page=null)");
}

TEST_CASE("search_that_demands_a_page_gets_the_first_one_with_the_cursor", "[pager]") {
    auto const meta = meta_of(search);
    auto from = start(2);
    from.position_id_required = true;
    pager p{meta, std::move(from)};
    CHECK(asks(p) == "page=1");
    REQUIRE(observe(p, page(0, 2)));
    CHECK(asks(p) == R"(searchAfter=[1,"i1"] page=1)");
}

TEST_CASE("search_without_cursors_counts_pages_up_to_ten_thousand_items", "[pager]") {
    auto const meta = meta_of(search);
    pager p{meta, start(4000)};
    auto const plain = [](int first) {
        std::string made = R"({"things":[)";
        for (int i = 0; i < 4000; ++i)
            made += (i != 0 ? "," : "") + std::to_string(first + i);
        return made + "]}";
    };
    REQUIRE(observe(p, plain(0)));
    CHECK(asks(p) == "page=2");
    CHECK(p.problem().empty());
    REQUIRE(observe(p, plain(4000)));
    // The third page would end at 12,000.
    CHECK_FALSE(p.done());
    CHECK(p.problem().find("10,000") != std::string_view::npos);
}

TEST_CASE("a_pair_of_positions_goes_together_and_without_a_page", "[pager]") {
    auto const meta = meta_of(pair);
    pager p{meta, start(2)};
    CHECK(asks(p).empty());
    REQUIRE(observe(
        p, page(0, 2, R"("meta":{"total":5,"startAfter":1700000000001,"startAfterId":"i1"})")));
    CHECK(asks(p) == R"(startAfter=1700000000001 startAfterId="i1" page=null)");
    REQUIRE(observe(
        p, page(2, 2, R"("meta":{"total":5,"startAfter":1700000000002,"startAfterId":"i3"})")));
    // The cursor is there on the last page too.
    REQUIRE(observe(
        p, page(4, 1, R"("meta":{"total":5,"startAfter":1700000000003,"startAfterId":"i4"})")));
    CHECK(p.done());

    pager half{meta, start(2)};
    REQUIRE(observe(half, page(0, 2, R"("meta":{"startAfter":1700000000001})")));
    CHECK_FALSE(half.done());
    CHECK_FALSE(half.problem().empty());
}

TEST_CASE("the_last_items_id_or_date_is_the_next_position", "[pager]") {
    auto const meta_item = meta_of(after_item);
    pager item{meta_item, start(2)};
    CHECK(asks(item).empty());
    REQUIRE(observe(item, page(0, 2)));
    CHECK(asks(item) == R"(startAfter="i1")");
    REQUIRE(observe(item, page(2, 1)));
    CHECK(item.done());

    auto const meta_date = meta_of(after_date);
    pager date{meta_date, start(2)};
    REQUIRE(observe(date, page(0, 2, R"("total":3)")));
    CHECK(asks(date) == "startAfterDate=1001");
    REQUIRE(observe(date, R"({"conversations":[],"things":[{"sort":999}],"total":3})"));
    CHECK(date.done());

    pager bare{meta_date, start(2)};
    REQUIRE(observe(bare, R"({"things":[{"id":"a"},{"id":"b"}],"total":5})"));
    CHECK_FALSE(bare.done());
    CHECK_FALSE(bare.problem().empty());
    pager all{meta_date, start(2)};
    REQUIRE(observe(all, R"({"things":[{"id":"a"},{"id":"b"}],"total":2})"));
    CHECK(all.done());
}

TEST_CASE("a_last_message_id_is_found_nested_and_flat", "[pager]") {
    auto const meta = meta_of(last_id);
    for (bool const nested : {true, false}) {
        auto const body = [&](const std::string& inside) {
            return nested ? R"({"messages":{)" + inside + "}}" : "{" + inside + "}";
        };
        pager p{meta, start(2)};
        REQUIRE(
            observe(p, body(R"("lastMessageId":"m2","nextPage":true,"messages":)" + ids(0, 2))));
        CHECK(p.count() == 2);
        CHECK(asks(p) == R"(lastMessageId="m2")");
        REQUIRE(
            observe(p, body(R"("lastMessageId":"m4","nextPage":false,"messages":)" + ids(2, 2))));
        CHECK(p.count() == 2);
        CHECK(p.done());
    }
}

TEST_CASE("a_cursor_is_followed_until_it_is_missing", "[pager]") {
    auto const meta = meta_of(cursor);
    pager p{meta, start(100)};
    CHECK(asks(p).empty());
    // Short pages with a cursor go on: what they lack may have been filtered out.
    REQUIRE(observe(p, page(0, 3, R"("nextCursor":"c1")")));
    CHECK(asks(p) == R"(cursor="c1")");
    REQUIRE(observe(p, page(3, 3, R"("nextCursor":"c2")")));
    REQUIRE(observe(p, page(6, 100, R"("nextCursor":null)")));
    CHECK(p.done());

    pager empty_text{meta, start(2)};
    REQUIRE(observe(empty_text, page(0, 2, R"("nextCursor":"")")));
    CHECK(empty_text.done());

    auto const meta_token = meta_of(page_token);
    pager token{meta_token, start(2)};
    REQUIRE(observe(
        token, R"({"items":[1,2],"pagination":{"nextPageToken":"t1","hasNextPage":true}})"));
    CHECK(asks(token) == R"(pageToken="t1")");
    REQUIRE(observe(
        token, R"({"items":[3,4],"pagination":{"nextPageToken":"t2","hasNextPage":false}})"));
    CHECK(token.done());
}

TEST_CASE("the_same_page_again_is_refused_in_every_style", "[pager]") {
    std::string const body = R"({"things":)" + ids(0, 2) + R"(,"items":)" + ids(0, 2) +
        R"(,"messages":{"messages":)" + ids(0, 2) +
        R"(,"lastMessageId":"x","nextPage":true},"pagination":{"hasMore":true,"hasNext":true,)"
        R"("hasNextPage":true,"nextPageToken":"t"},"nextCursor":"c",)"
        R"("meta":{"startAfter":1,"startAfterId":"i1"}})";
    for (auto const* how :
         {&skip, &offset, &by_page, &from_zero, &next_page, &page_only, &page_length, &search,
          &pair, &after_item, &after_date, &last_id, &cursor, &page_token}) {
        INFO(static_cast<int>(how->style));
        auto const meta = meta_of(*how);
        pager p{meta, start(2)};
        REQUIRE(observe(p, body));
        REQUIRE_FALSE(p.done());
        CHECK(p.problem().empty());
        CHECK_FALSE(observe(p, body));
        CHECK_FALSE(p.problem().empty());
    }
}

TEST_CASE("a_cycle_of_cursors_is_noticed_whatever_its_length", "[pager]") {
    auto const meta = meta_of(cursor);
    for (int const length : {1, 2, 3, 7, 50}) {
        INFO(length);
        pager p{meta, start(2)};
        int pages = 0;
        for (; pages < 1000 && p.problem().empty(); ++pages)
            REQUIRE(observe(
                p,
                page(pages * 2, 2, R"("nextCursor":"c)" + std::to_string(pages % length) + "\"")));
        CHECK_FALSE(p.done());
        CHECK(p.problem() == "the server gave the same cursor again");
        CHECK(pages <= 4 * length + 2);
    }
}

TEST_CASE("a_token_takes_another_pager_to_the_same_place", "[pager]") {
    for (auto const* how :
         {&skip, &offset, &by_page, &from_zero, &next_page, &page_only, &page_length, &search,
          &pair, &after_item, &after_date, &last_id, &cursor, &page_token}) {
        INFO(static_cast<int>(how->style));
        auto const meta = meta_of(*how);
        auto const body = [](int first) {
            auto const list = ids(first, 2);
            auto const n = std::to_string(first);
            return R"({"things":)" + list + R"(,"items":)" + list + R"(,"messages":{"messages":)" +
                list + R"(,"lastMessageId":"m)" + n +
                R"(","nextPage":true},"pagination":{"hasMore":true,"hasNext":true,)"
                R"("hasNextPage":true,"nextPageToken":"t)" +
                n + R"("},"nextCursor":"c)" + n + R"(","meta":{"startAfter":)" + n +
                R"(,"startAfterId":"i)" + n + R"("},"total":4})";
        };
        pager whole_run{meta, start(2)};
        REQUIRE(observe(whole_run, body(0)));
        pager resumed{meta, start(2)};
        REQUIRE(resumed.resume(whole_run.token()));
        CHECK(asks(resumed) == asks(whole_run));
        CHECK(resumed.token() == whole_run.token());
        REQUIRE(observe(whole_run, body(2)));
        REQUIRE(observe(resumed, body(2)));
        CHECK(resumed.done() == whole_run.done());
        CHECK(asks(resumed) == asks(whole_run));

        pager at_end{meta, start(2)};
        REQUIRE(observe(at_end, R"({"things":[],"items":[],"messages":{"messages":[]}})"));
        REQUIRE(at_end.done());
        pager ended{meta, start(2)};
        REQUIRE(ended.resume(at_end.token()));
        CHECK(ended.done());
    }
}

TEST_CASE("a_token_within_a_page_counts_its_items", "[pager]") {
    auto const meta_skip = meta_of(skip);
    pager by_number{meta_skip, start(10)};
    REQUIRE(observe(by_number, page(0, 10)));
    pager a{meta_skip, start(10)};
    REQUIRE(a.resume(by_number.token(3)));
    CHECK(asks(a) == "skip=13");
    CHECK(a.skip() == 0);

    auto const meta = meta_of(search);
    pager by_cursor{meta, start(10)};
    REQUIRE(observe(by_cursor, page(0, 10)));
    pager b{meta, start(10)};
    REQUIRE(b.resume(by_cursor.token(3)));
    CHECK(asks(b) == asks(by_cursor));
    CHECK(b.skip() == 3);
    REQUIRE(observe(b, page(10, 10)));
    CHECK(b.skip() == 0);
}

TEST_CASE("what_is_no_token_of_this_operation_is_refused", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start(10)};
    auto const before = asks(p);
    for (std::string_view const token :
         {"", "x", "7", "[]", "{}", R"({"op":"v2.things.other","n":5})",
          R"({"op":"v2.things.list"})", R"({"op":"v2.things.list","n":-5})",
          R"({"op":"v2.things.list","n":5,"skip":-1})", R"({"op":7,"n":5})",
          R"({"op":"v2.things.list","n":5)"}) {
        INFO(token);
        CHECK_FALSE(p.resume(token));
        CHECK(asks(p) == before);
    }
    REQUIRE(p.resume(R"({"op":"v2.things.list","n":5})"));
    CHECK(asks(p) == "skip=5");
}

TEST_CASE("totals_are_read_as_number_and_text_and_nonsense_is_none", "[pager]") {
    auto const meta = meta_of(skip);
    for (auto const& [text, expected] : {
             std::pair<std::string_view, std::int64_t>{"5", 5},
             {"5.0", 5},
             {R"("5")", 5},
             {"18446744073709551615", -1},
             {"1e300", -1},
             {R"("5 items")", -1},
             {"{}", -1},
             {"null", -1},
             {"true", -1},
         }) {
        INFO(text);
        pager p{meta, start(2)};
        REQUIRE(observe(p, page(0, 2, R"("total":)" + std::string(text))));
        CHECK(p.total().value_or(-1) == expected);
    }
}

TEST_CASE("a_page_without_its_list_is_no_end", "[pager]") {
    for (auto const* how : {&skip, &offset, &by_page, &next_page, &search, &pair, &cursor}) {
        INFO(static_cast<int>(how->style));
        auto const meta = meta_of(*how);
        // At first it may be how the server says "none".
        pager none{meta, start(2)};
        REQUIRE(observe(none, R"({"traceId":"t"})"));
        CHECK(none.done());

        auto const body = page(
            0, 2, R"("nextCursor":"c","meta":{"startAfter":1,"startAfterId":"i1","nextPage":2})");
        pager later{meta, start(2)};
        REQUIRE(observe(later, body));
        REQUIRE_FALSE(later.done());
        auto const token = later.token();
        CHECK_FALSE(observe(later, R"({"traceId":"t"})"));
        CHECK_FALSE(later.problem().empty());
        CHECK_FALSE(later.done());

        pager resumed{meta, start(2)};
        REQUIRE(resumed.resume(token));
        CHECK_FALSE(observe(resumed, ""));
        CHECK_FALSE(resumed.problem().empty());
        // Null is a list of none.
        pager null{meta, start(2)};
        REQUIRE(null.resume(token));
        CHECK(observe(null, R"({"things":null})"));
        CHECK(null.done());
    }
    auto const meta = meta_of(skip);
    pager first{meta, start(2)};
    CHECK_FALSE(observe(first, R"({"total":5})"));
    CHECK_FALSE(first.problem().empty());
}

TEST_CASE("a_place_that_is_stuck_stays_so_across_its_token", "[pager]") {
    auto const meta = meta_of(pair);
    pager p{meta, start(2)};
    REQUIRE(observe(p, page(0, 2, R"("meta":{"startAfter":17})")));
    REQUIRE_FALSE(p.problem().empty());
    pager resumed{meta, start(2)};
    REQUIRE(resumed.resume(p.token()));
    CHECK(resumed.problem() == p.problem());
    CHECK(resumed.token() == p.token());
}

TEST_CASE("a_repeated_page_is_noticed_across_a_token", "[pager]") {
    auto const meta = meta_of(skip);
    pager p{meta, start(2)};
    REQUIRE(observe(p, page(0, 2)));
    pager resumed{meta, start(2)};
    REQUIRE(resumed.resume(p.token()));
    CHECK_FALSE(observe(resumed, page(0, 2)));
    CHECK(resumed.problem() == "the server answered with the same page again");
}

TEST_CASE("a_place_within_a_page_keeps_its_count_before_the_page_is_read", "[pager]") {
    auto const meta = meta_of(search);
    pager p{meta, start(10)};
    REQUIRE(observe(p, page(0, 10)));
    pager within{meta, start(10)};
    REQUIRE(within.resume(p.token(3)));
    CHECK(within.token() == p.token(3));
    pager again{meta, start(10)};
    REQUIRE(again.resume(within.token()));
    CHECK(again.skip() == 3);
}

TEST_CASE("a_page_is_known_by_its_ids_though_its_items_changed", "[pager]") {
    auto const meta = meta_of(skip);
    for (std::string const id : {"id", "_id"}) {
        auto const body = [&](int seen) {
            auto const n = std::to_string(seen);
            return R"({"things":[{")" + id + R"(":"a","seen":)" + n + R"(},{")" + id +
                R"(":"b","seen":)" + n + "}]}";
        };
        pager p{meta, start(2)};
        REQUIRE(observe(p, body(1)));
        CHECK_FALSE(observe(p, body(2)));
    }
    // Without ids all of it counts.
    pager p{meta, start(1)};
    REQUIRE(observe(p, R"({"things":[{"n":1}]})"));
    REQUIRE(observe(p, R"({"things":[{"n":2}]})"));
    CHECK_FALSE(observe(p, R"({"things":[{"n":2}]})"));
}

TEST_CASE("a_total_of_ten_thousand_is_where_counting_stopped", "[pager]") {
    for (auto const* how : {&search, &after_date, &skip}) {
        auto const meta = meta_of(*how);
        pager p{meta, start(5000)};
        REQUIRE(observe(p, page(0, 5000, R"("total":10000)")));
        REQUIRE(observe(p, page(5000, 5000, R"("total":10000)")));
        CHECK_FALSE(p.done());
        REQUIRE(observe(p, page(10'000, 3, R"("total":10000)")));
        CHECK(p.done());
    }
}

TEST_CASE("a_search_takes_its_cursor_from_wherever_the_server_has_it", "[pager]") {
    constexpr paging bare{
        .style = paging_style::page_limit_search_after,
        .items = "/things",
        .position = "searchAfter",
        .position_id = "page",
        .size = "limit",
        .in = highlevel::place::body};
    auto const meta = meta_of(bare);
    for (auto const* const body :
         {R"({"things":[{"id":"a","searchAfter":[1,"a"]}]})",
          R"({"things":[{"id":"a","sort":[1,"a"]}]})",
          R"({"things":[{"id":"a"}],"searchAfter":[1,"a"]})",
          R"({"things":[{"id":"a","sort":[9]}],"searchAfter":[1,"a"]})"}) {
        INFO(body);
        pager p{meta, start(1)};
        REQUIRE(observe(p, body));
        CHECK(asks(p).starts_with(R"(searchAfter=[1,"a"])"));
    }
}

TEST_CASE("a_cursor_that_starts_on_a_later_page_does_not_trust_the_total", "[pager]") {
    auto const meta = meta_of(pair);
    auto from = start(2);
    from.page = 2;
    pager p{meta, from};
    // Two of four were on the page before; these are the last two.
    REQUIRE(observe(p, page(2, 2, R"("meta":{"total":4,"startAfter":1,"startAfterId":"i3"})")));
    REQUIRE(observe(p, page(4, 1, R"("meta":{"total":4,"startAfter":2,"startAfterId":"i4"})")));
    CHECK(p.done());
}

TEST_CASE("a_next_page_may_be_a_flag_or_a_text", "[pager]") {
    auto const meta = meta_of(next_page);
    auto const after = [&](const std::string& next) {
        pager p{meta, start(2)};
        REQUIRE(observe(p, page(0, 2, R"("meta":{"nextPage":)" + next + "}")));
        return p.done() ? std::string{"done"} : asks(p);
    };
    CHECK(after("true") == "page=2");
    CHECK(after(R"("2")") == "page=2");
    CHECK(after(R"("?page=2")") == "page=2");
    CHECK(after("false") == "done");
    CHECK(after("null") == "done");
    CHECK(after(R"("")") == "done");
}

TEST_CASE("an_undescribed_list_is_the_only_one_and_the_root_only_where_it_is_said", "[pager]") {
    constexpr paging unknown{
        .style = paging_style::skip_limit,
        .position = "skip",
        .size = "limit",
        .items_known = false};
    constexpr paging root{
        .style = paging_style::skip_limit, .items = "", .position = "skip", .size = "limit"};
    auto const meta_unknown = meta_of(unknown);
    pager only{meta_unknown, start(2)};
    REQUIRE(observe(only, R"({"count":2,"builders":[{"id":"a"},{"id":"b"}]})"));
    CHECK(only.count() == 2);
    pager beside_an_empty_one{meta_unknown, start(2)};
    REQUIRE(observe(beside_an_empty_one, R"({"errors":[],"builders":[{"id":"a"},{"id":"b"}]})"));
    CHECK(beside_an_empty_one.count() == 2);
    REQUIRE(observe(beside_an_empty_one, R"({"errors":[],"builders":[]})"));
    CHECK(beside_an_empty_one.done());
    // Which of two is not known: neither the end, nor a guess.
    pager two{meta_unknown, start(2)};
    CHECK_FALSE(observe(two, R"({"a":[1],"b":[2]})"));
    CHECK_FALSE(two.done());
    CHECK(two.problem() == "the page has no list where the items should be");
    auto const meta_root = meta_of(root);
    pager at_root{meta_root, start(2)};
    REQUIRE(observe(at_root, R"([1,2])"));
    CHECK(at_root.count() == 2);
    pager no_root{meta_root, start(2)};
    CHECK_FALSE(observe(no_root, R"({"errors":[1,2]})"));
    CHECK_FALSE(no_root.done());
}

TEST_CASE("a_first_page_with_items_in_another_place_is_no_empty_list", "[pager]") {
    for (auto const* how : {&skip, &by_page, &search, &pair, &cursor, &page_token}) {
        INFO(static_cast<int>(how->style));
        auto const meta = meta_of(*how);
        for (std::string_view const body :
             {R"({"records":[1,2]})", R"({"data":{"result":{"list":[1]}}})"}) {
            INFO(body);
            pager p{meta, start(2)};
            CHECK_FALSE(observe(p, body));
            CHECK_FALSE(p.done());
            CHECK(p.problem() == "the page has no list where the items should be");
        }
        pager none{meta, start(2)};
        REQUIRE(observe(none, R"({"records":[],"traceId":"t"})"));
        CHECK(none.done());
    }
    // What does not page has nothing to go wrong but its items.
    auto const meta = meta_of(whole);
    pager p{meta, start()};
    REQUIRE(observe(p, R"({"records":[1,2]})"));
    CHECK(p.done());
    CHECK_FALSE(p.as_described());
}

TEST_CASE("a_cursor_whose_place_is_not_described_is_no_end", "[pager]") {
    constexpr paging undescribed{
        .style = paging_style::cursor, .position = "next", .size = "limit", .items_known = false};
    auto const meta = meta_of(undescribed);
    pager p{meta, start(2)};
    REQUIRE(observe(p, R"({"data":[{"id":"a"},{"id":"b"}],"paging":{"next":"n"}})"));
    CHECK_FALSE(p.done());
    CHECK(p.problem() == "where the position of the next page stands is not described");

    pager short_page{meta, start(2)};
    REQUIRE(observe(short_page, R"({"data":[{"id":"a"}]})"));
    CHECK(short_page.done());
    pager empty_page{meta, start(2)};
    REQUIRE(observe(empty_page, R"({"data":[]})"));
    CHECK(empty_page.done());
}

TEST_CASE("an_empty_page_with_a_cursor_goes_on_where_the_cursor_decides", "[pager]") {
    auto const meta = meta_of(cursor);
    pager p{meta, start(2)};
    REQUIRE(observe(p, page(0, 0, R"("nextCursor":"c1")")));
    CHECK(asks(p) == R"(cursor="c1")");
    REQUIRE(observe(p, page(0, 2, R"("nextCursor":"c2")")));
    REQUIRE(observe(p, page(2, 0, R"("nextCursor":"c3")")));
    CHECK_FALSE(p.done());
    CHECK(asks(p) == R"(cursor="c3")");
    pager to_the_end = p;
    REQUIRE(observe(to_the_end, page(2, 0)));
    CHECK(to_the_end.done());
    // Its own cursor asks for the same nothing again.
    REQUIRE(observe(p, page(2, 0, R"("nextCursor":"c3")")));
    CHECK(p.done());
    CHECK(p.problem().empty());

    // A promise of more is not kept by the same place.
    constexpr paging promising{
        .style = paging_style::cursor,
        .items = "/things",
        .position = "cursor",
        .next = "/nextCursor",
        .has_more = "/more"};
    auto const meta_promising = meta_of(promising);
    pager promised{meta_promising, start()};
    REQUIRE(observe(promised, page(0, 2, R"("nextCursor":"c1","more":true)")));
    REQUIRE(observe(promised, page(2, 0, R"("nextCursor":"c1","more":true)")));
    CHECK_FALSE(promised.done());
    CHECK(promised.problem() == "the server gave the same cursor again");

    // Where a cursor is on every page, its absence is no sign and an empty page the end.
    auto const meta_pair = meta_of(pair);
    pager two{meta_pair, start(2)};
    REQUIRE(observe(two, page(0, 2, R"("meta":{"startAfter":1,"startAfterId":"i1"})")));
    REQUIRE(observe(two, page(2, 0, R"("meta":{"startAfter":2,"startAfterId":"i2"})")));
    CHECK(two.done());
}

TEST_CASE("numbers_from_outside_do_not_overflow", "[pager]") {
    auto const most = std::int64_t{1} << 53;
    auto const meta = meta_of(search);
    auto from = start(INT64_MAX);
    from.position_id = most;
    pager p{meta, from};
    CHECK(asks(p) == "page=9007199254740992");
    REQUIRE(observe(p, R"({"things":[1,2]})"));
    CHECK_FALSE(p.problem().empty());
    from = start(most);
    from.position_id = most;
    pager far{meta, from};
    REQUIRE(observe(far, R"({"things":[1,2],"total":9223372036854775807})"));
    CHECK(far.done());
    CHECK_FALSE(far.total());

    auto const meta_skip = meta_of(skip);
    for (auto const* const token :
         {R"({"op":"v2.things.list","n":9223372036854775807})",
          R"({"op":"v2.things.list","n":"9223372036854775807"})"}) {
        pager refused{meta_skip, start(2)};
        CHECK_FALSE(refused.resume(token));
    }
    pager beyond{meta_skip, start(2, INT64_MAX)};
    CHECK(asks(beyond) == "skip=0");
    // A page size is a count.
    pager negative{meta_skip, start(-5)};
    REQUIRE(observe(negative, page(0, 3)));
    CHECK_FALSE(negative.done());
}

TEST_CASE("a_hundred_empty_pages_in_a_row_are_no_list", "[pager]") {
    auto const meta = meta_of(cursor);
    auto const empty = [](int n) {
        return page(0, 0, R"("nextCursor":"c)" + std::to_string(n) + "\"");
    };
    pager p{meta, start(2)};
    int n = 0;
    for (int i = 0; i < 99; ++i)
        REQUIRE(observe(p, empty(++n)));
    CHECK(p.problem().empty());
    // Items begin the count anew.
    REQUIRE(observe(p, page(0, 1, R"("nextCursor":"more")")));
    for (int i = 0; i < 99; ++i)
        REQUIRE(observe(p, empty(++n)));
    CHECK(p.problem().empty());
    pager ended = p;
    REQUIRE(observe(ended, page(0, 0)));
    CHECK(ended.done());
    CHECK(ended.problem().empty());
    REQUIRE(observe(p, empty(++n)));
    CHECK_FALSE(p.done());
    CHECK(p.problem() == "too many pages in a row are empty, and each says that more follows");
}

TEST_CASE("an_undescribed_list_stays_the_one_that_had_items", "[pager]") {
    constexpr paging unknown{
        .style = paging_style::skip_limit,
        .position = "skip",
        .size = "limit",
        .items_known = false};
    auto const meta = meta_of(unknown);
    pager p{meta, start(2)};
    REQUIRE(observe(p, R"({"builders":[{"id":"a"},{"id":"b"}]})"));
    CHECK(p.list_name() == "builders");
    pager resumed{meta, start(2)};
    REQUIRE(resumed.resume(p.token()));
    CHECK(resumed.token() == p.token());
    for (auto* one : {&p, &resumed}) {
        pager without = *one;
        CHECK_FALSE(observe(without, R"({"errors":["x"]})"));
        CHECK_FALSE(without.done());
        REQUIRE(observe(*one, R"({"builders":[],"errors":["x"]})"));
        CHECK(one->count() == 0);
        CHECK(one->done());
    }
}

} // namespace detail_pager_tests

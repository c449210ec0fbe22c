// SPDX-License-Identifier: BSL-1.0
//
// What an operation becomes on the wire: where the account's id goes, what is refused before it is
// sent (files that are too large before a byte of them is read), and that nothing which the caller
// set is dropped.
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/detail/encode_operation.hpp>
#include <highlevel/v2/affiliate_manager.hpp>
#include <highlevel/v2/associations.hpp>
#include <highlevel/v2/businesses.hpp>
#include <highlevel/v2/calendars.hpp>
#include <highlevel/v2/companies.hpp>
#include <highlevel/v2/forms.hpp>
#include <highlevel/v2/invoices.hpp>
#include <highlevel/v2/marketplace.hpp>
#include <highlevel/v2/oauth.hpp>
#include <highlevel/v2/opportunities.hpp>
#include <highlevel/v2/products.hpp>
#include <highlevel/v3/contacts.hpp>
#include <highlevel/v3/medias.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace detail_encode_operation_tests {

namespace v2 = highlevel::v2;
namespace json = highlevel::json;
using highlevel::errc;
using highlevel::file_part;
using highlevel::operation_meta;
using highlevel::auth::resource_kind;
using highlevel::detail::account_ref;

namespace {

class encoded {
public:
    highlevel::http::request request;
    highlevel::detail::encode_problem problem;
};

template <class Op>
encoded encode(const Op& op, resource_kind kind = resource_kind::location) {
    encoded made;
    account_ref const account{kind, kind == resource_kind::location ? "loc 1" : "co1"};
    made.problem = highlevel::detail::encode_operation(Op::meta, &op, account, made.request);
    return made;
}

template <class Op>
std::string target(const Op& op, resource_kind kind = resource_kind::location) {
    auto const made = encode(op, kind);
    CHECK(made.problem.detail == "");
    return made.request.target;
}

template <class Op>
std::string body(const Op& op, resource_kind kind = resource_kind::location) {
    auto const made = encode(op, kind);
    CHECK(made.problem.detail == "");
    return made.request.body;
}

/// An upload as the generator writes it.
class upload {
public:
    upload() = default;

    std::vector<file_part> files;
    highlevel::query_pairs extra_query;
    highlevel::json::object extra_body;
};

/// Whether an upload of this file is encoded; the detail when it is not.
std::string problem(const file_part& file, std::uint64_t most, std::uint64_t videos = 0) {
    operation_meta meta;
    meta.verb = highlevel::method::post;
    meta.path = "/upload";
    meta.sends = highlevel::content::multipart;
    meta.extra_query_offset = offsetof(upload, extra_query);
    meta.extra_body_offset = offsetof(upload, extra_body);
    meta.files_offset = offsetof(upload, files);
    meta.file_field = "file";
    meta.max_file_bytes = most;
    meta.max_video_bytes = videos;
    upload op;
    op.files.push_back(file);
    highlevel::http::request request;
    highlevel::detail::account_ref const account{highlevel::auth::resource_kind::location, "loc1"};
    auto const made = highlevel::detail::encode_operation(meta, &op, account, request);
    if (made.error) CHECK(made.error == errc::invalid_argument);
    return made.detail;
}

} // namespace

TEST_CASE("location_is_filled_into_the_path", "[detail]") {
    v2::affiliate_manager::list_affiliates op;
    CHECK(target(op) == "/affiliate-manager/loc%201/affiliates");
    op.location_id = "own";
    CHECK(target(op) == "/affiliate-manager/own/affiliates");
}

TEST_CASE("location_is_filled_into_the_query", "[detail]") {
    v2::forms::get_forms op;
    CHECK(target(op) == "/forms/?locationId=loc%201");
    op.location_id = "own";
    CHECK(target(op) == "/forms/?locationId=own");
    v2::opportunities::search_opportunity const snake;
    CHECK(target(snake) == "/opportunities/search?location_id=loc%201");
}

TEST_CASE("location_is_filled_into_the_body", "[detail]") {
    v2::businesses::create_business op;
    op.body.name = "n";
    CHECK(body(op) == R"({"name":"n","locationId":"loc 1"})");
    op.body.location_id = "own";
    CHECK(body(op) == R"({"name":"n","locationId":"own"})");
    op.extra_body = {{"locationId", "extra"}};
    CHECK(body(op) == R"({"name":"n","locationId":"extra"})");
}

TEST_CASE("location_is_filled_as_alt_id_with_its_type", "[detail]") {
    v2::invoices::list_invoice_templates query;
    query.limit = 10;
    query.offset = 0;
    CHECK(target(query) == "/invoices/template?altId=loc%201&altType=location&limit=10&offset=0");
    query.alt_type.clear();
    CHECK(target(query) == "/invoices/template?altId=loc%201&altType=location&limit=10&offset=0");
    v2::products::get_product_collection_id const alone{"c1"};
    CHECK(target(alone) == "/products/collections/c1?altId=loc%201");

    v2::invoices::update_invoice_template_late_fees_configuration in_body{"t1"};
    in_body.body.alt_type.clear();
    in_body.body.late_fees_configuration.enable = false;
    in_body.body.late_fees_configuration.value = 0;
    in_body.body.late_fees_configuration.type = "fixed";
    in_body.body.late_fees_configuration.frequency.interval = "one_time";
    in_body.body.late_fees_configuration.frequency.interval_count = 1;
    CHECK(body(in_body).starts_with(R"({"altId":"loc 1","altType":"location")"));
}

TEST_CASE("company_is_filled_into_path_query_and_body", "[detail]") {
    v2::companies::get_company const path;
    CHECK(target(path, resource_kind::company) == "/companies/co1");
    v2::oauth::get_installed_location query;
    query.app_id = "a1";
    CHECK(
        target(query, resource_kind::company) ==
        "/oauth/installedLocations?companyId=co1&appId=a1");
    v2::marketplace::uninstall_application const in_body{"a1"};
    CHECK(body(in_body, resource_kind::company) == R"({"companyId":"co1"})");
    // A location is no company.
    CHECK(encode(path).problem.error == errc::missing_parameter);
    CHECK(encode(query).problem.detail == "companyId is required and empty");
}

TEST_CASE("query_lists_are_repeated_or_joined_as_the_operation_says", "[detail]") {
    v2::associations::get_relations_by_record_id repeated{"r1"};
    repeated.skip = 0;
    repeated.limit = 1;
    repeated.association_ids = {"a", "b,c"};
    CHECK(
        target(repeated) ==
        "/associations/relations/r1?locationId=loc%201&skip=0&limit=1&associationIds=a"
        "&associationIds=b%2Cc");
    highlevel::v3::contacts::get_contacts_by_business_id joined{"b1"};
    joined.start_after = {"name", "id"};
    CHECK(target(joined) == "/contacts/business/b1?locationId=loc%201&startAfter=name%2Cid");
}

TEST_CASE("extra_members_are_sent_where_no_body_is_described", "[detail]") {
    v2::calendars::add_calendar_to_schedule op{"s1", "c1"};
    CHECK(body(op).empty());
    CHECK_FALSE(encode(op).request.fields.contains("Content-Type"));
    op.extra_body = {{"a", 1}};
    CHECK(body(op) == R"({"a":1})");
    CHECK(encode(op).request.fields.find("Content-Type") == "application/json");
}

TEST_CASE("extra_members_of_a_get_are_refused", "[detail]") {
    v2::forms::get_forms op;
    op.extra_body = {{"a", 1}};
    auto const made = encode(op);
    CHECK(made.problem.error == errc::invalid_argument);
    CHECK(made.problem.detail == "extra_body: a GET carries no body");
}

TEST_CASE("extra_members_become_parts_of_an_upload_without_described_ones", "[detail]") {
    v2::forms::upload_to_custom_fields op;
    op.contact_id = "c1";
    op.extra_body = {{"note", "hello"}, {"list", json::array{1}}};
    auto const text = body(op);
    CHECK(text.find("name=\"note\"\r\n\r\nhello\r\n") != std::string::npos);
    CHECK(text.find("name=\"list\"\r\n\r\n[1]\r\n") != std::string::npos);
}

TEST_CASE("extra_members_that_are_no_text_are_refused_everywhere", "[detail]") {
    v2::calendars::add_calendar_to_schedule none{"s1", "c1"};
    none.extra_body = {{"a", "\xff"}};
    CHECK(encode(none).problem.error == errc::invalid_argument);
    CHECK(encode(none).problem.detail.starts_with("body/a"));
}

TEST_CASE("required_body_that_is_no_object_must_not_be_empty", "[detail]") {
    v2::calendars::create_event_notification op;
    op.calendar_id = "c1";
    CHECK(encode(op).problem.error == errc::missing_parameter);
    CHECK(encode(op).problem.detail == "body is required and empty");
    op.body.emplace_back();
    CHECK_FALSE(encode(op).problem.detail == "body is required and empty");
    // A free-form object may be empty.
    v2::calendars::delete_event const free{"e1"};
    CHECK(body(free) == "{}");
}

TEST_CASE("form_has_plain_decimals_and_escapes", "[detail]") {
    v2::oauth::get_access_token op;
    op.body.client_id = "a b";
    op.body.client_secret = "s&t";
    op.body.grant_type = "authorization_code";
    op.extra_body = {{"n", 1e21}};
    auto const made = encode(op);
    CHECK(made.problem.detail == "");
    CHECK(
        made.request.body ==
        "client_id=a%20b&client_secret=s%26t&grant_type=authorization_code"
        "&n=1000000000000000000000");
}

TEST_CASE("a_file_in_memory_has_at_most_the_described_size", "[detail]") {
    CHECK(problem(file_part::of_data("a.bin", std::string(10, 'x')), 10).empty());
    CHECK(
        problem(file_part::of_data("a.bin", std::string(11, 'x')), 10) ==
        "a.bin has 11 bytes; the API takes 10");
    CHECK(problem(file_part::of_data("a.bin", std::string(11, 'x')), 0).empty());
}

TEST_CASE("a_file_on_disk_is_measured_without_being_read", "[detail]") {
    highlevel::test::temporary_folder const folder;
    auto const path = folder.write("large.bin", "x");
    // Sparse: takes no room, and reading it would take a while.
    std::filesystem::resize_file(path, std::uintmax_t{40} << 30U);
    CHECK_THAT(problem(file_part::of_path(path), 25U << 20U), test::contains("42949672960 bytes"));
    CHECK_THAT(
        problem(file_part::of_path(folder / "none"), 25U << 20U), test::contains("cannot read"));
}

TEST_CASE("videos_may_be_larger_where_the_api_says_so", "[detail]") {
    std::string const bytes(15, 'x');
    CHECK(problem(file_part::of_data("a.MP4", bytes), 10, 20).empty());
    auto typed = file_part::of_data("a.bin", bytes);
    typed.content_type = "video/quicktime";
    CHECK(problem(typed, 10, 20).empty());
    CHECK_FALSE(problem(file_part::of_data("a.png", bytes), 10, 20).empty());
    CHECK_FALSE(problem(file_part::of_data("a.mp4", std::string(21, 'x')), 10, 20).empty());
    CHECK_FALSE(problem(file_part::of_data("a.mp4", bytes), 10).empty());
}

TEST_CASE("operations_say_what_the_description_says_of_sizes", "[detail]") {
    auto const& upload = highlevel::v3::medias::upload_media_content::meta;
    CHECK(upload.max_file_bytes == 25U << 20U);
    CHECK(upload.max_video_bytes == 500U << 20U);
}

} // namespace detail_encode_operation_tests

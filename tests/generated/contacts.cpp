// SPDX-License-Identifier: BSL-1.0
//
// The contacts family as a user meets it: how operations are made, and that the facts beside them
// are those of the API.
#include "support/catch.hpp"

#include <highlevel/v2/contacts.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace generated_contacts_tests {

namespace contacts = highlevel::v2::contacts;
namespace json = highlevel::json;
using highlevel::operation;
using highlevel::operation_meta;
using highlevel::place;
using highlevel::token_kinds;

namespace {

static_assert(operation<contacts::get_contact>);
static_assert(operation<contacts::create_contact>);
static_assert(operation<contacts::get_contacts>);
static_assert(operation<contacts::search_contacts_advanced>);
static_assert(!std::is_aggregate_v<contacts::types::get_contact_by_id>);
static_assert(!std::is_aggregate_v<contacts::types::create_contact_dto>);

// Made from the path parameters, in the template's order, and never from a text by accident.
static_assert(std::constructible_from<contacts::get_contact, const char*>);
static_assert(!std::convertible_to<std::string, contacts::get_contact>);
static_assert(std::constructible_from<contacts::get_task, std::string, std::string>);
static_assert(!std::constructible_from<contacts::get_task, std::string>);

// Facts are constants.
static_assert(contacts::get_contact::meta.path == "/contacts/{contactId}");
static_assert(contacts::get_contact::meta.verb == highlevel::method::get);
static_assert(contacts::get_contact::meta.version == "2021-07-28");
static_assert(contacts::get_contact::meta.tokens == token_kinds::location);
static_assert(contacts::create_contact::meta.path == "/contacts/");
static_assert(contacts::get_contact::meta.idempotent == highlevel::idempotency::safe);
static_assert(contacts::search_contacts_advanced::meta.idempotent == highlevel::idempotency::safe);
static_assert(contacts::delete_contact::meta.idempotent == highlevel::idempotency::idempotent);
static_assert(contacts::create_contact::meta.idempotent == highlevel::idempotency::neither);
static_assert(contacts::update_contact::meta.idempotent == highlevel::idempotency::neither);
static_assert(contacts::get_contacts::meta.pages->items_known);

const json::field* find(std::span<const json::field> fields, std::string_view name) {
    auto const found = std::find_if(
        fields.begin(), fields.end(), [&](const json::field& f) { return f.name == name; });
    return found == fields.end() ? nullptr : &*found;
}

template <class S>
const json::field* find_in(std::string_view name) {
    return find(json_fields(static_cast<const S*>(nullptr)), name);
}

} // namespace

TEST_CASE("contact_operations_are_made_and_filled", "[generated]") {
    contacts::get_contact const get{"ocQHyuzHvysMo5N5VsXc"};
    CHECK(get.contact_id == "ocQHyuzHvysMo5N5VsXc");

    contacts::create_contact create;
    create.body.email = "ada@example.com";
    create.body.tags = {"vip"};
    create.body.phone = json::null;
    CHECK(*create.body.email == "ada@example.com");
    CHECK(create.body.tags->size() == 1);
    CHECK(create.body.phone.is_null());
    CHECK(create.body.first_name.is_absent());

    contacts::get_contacts list;
    list.limit = 100;
    list.query = "ada";
    CHECK(list.location_id.empty());

    contacts::types::contacts_by_id_successful_response got;
    got.contact.emplace().first_name = "Ada";
    CHECK(got.contact->first_name == "Ada");
}

TEST_CASE("required_and_optional_members_differ", "[generated]") {
    auto const* required = find_in<contacts::types::create_contact_dto>("locationId");
    REQUIRE(required != nullptr);
    CHECK(required->need == json::presence::required);
    CHECK(required->of == &json::type_of<std::string>);

    auto const* clearable = find_in<contacts::types::create_contact_dto>("email");
    REQUIRE(clearable != nullptr);
    CHECK(clearable->need == json::presence::optional);
    CHECK(clearable->of->what == json::kind::nullable);

    // A required bool that was never set is missing, not false.
    auto const* flag = find_in<contacts::types::update_task_status_params>("completed");
    REQUIRE(flag != nullptr);
    CHECK(flag->need == json::presence::required);
    CHECK(flag->of == &json::type_of<std::optional<bool>>);
}

TEST_CASE("field_tables_name_the_members", "[generated]") {
    contacts::types::get_contact_by_id contact;
    contact.first_name = "Ada";
    auto const* field = find_in<contacts::types::get_contact_by_id>("firstName");
    REQUIRE(field != nullptr);
    REQUIRE(field->of == &json::type_of<std::optional<std::string>>);
    auto const* member = reinterpret_cast<const std::optional<std::string>*>(
        reinterpret_cast<const std::byte*>(&contact) + field->offset);
    CHECK(*member == "Ada");
    CHECK(find_in<contacts::types::get_contact_by_id>("first_name") == nullptr);
}

TEST_CASE("a_location_is_found_where_the_operation_carries_it", "[generated]") {
    auto const where = [](const operation_meta& meta) { return meta.location.in; };
    CHECK(where(contacts::get_contact::meta) == place::none);
    CHECK(where(contacts::get_contacts::meta) == place::query);
    CHECK(where(contacts::create_contact::meta) == place::body);
    CHECK(where(contacts::search_contacts_advanced::meta) == place::body);
    CHECK(contacts::search_contacts_advanced::meta.location.name == "locationId");
}

TEST_CASE("lists_say_how_they_page", "[generated]") {
    auto const* listed = contacts::get_contacts::meta.pages;
    REQUIRE(listed != nullptr);
    CHECK(listed->style == highlevel::paging_style::start_after_pair);
    CHECK(listed->items == "/contacts");
    CHECK(listed->next == "/meta/startAfter");
    CHECK(listed->next_id == "/meta/startAfterId");
    CHECK(listed->size == "limit");

    auto const* searched = contacts::search_contacts_advanced::meta.pages;
    REQUIRE(searched != nullptr);
    CHECK(searched->style == highlevel::paging_style::page_limit_search_after);
    CHECK(searched->in == place::body);
    CHECK(searched->position == "searchAfter");
    CHECK(searched->next == "/searchAfter");
    CHECK(searched->next_in_last_item);
    CHECK(contacts::get_contact::meta.pages == nullptr);
}

TEST_CASE("enumerations_know_their_wire_texts_and_keep_others", "[generated]") {
    contacts::types::dnd_setting setting;
    CHECK(setting.status.empty());
    setting.status = contacts::types::dnd_setting_status::permanent;
    CHECK(setting.status.text() == "permanent");
    setting.status = "paused";
    CHECK_FALSE(setting.status.known());
    CHECK(setting.status.text() == "paused");
}

TEST_CASE("scopes_and_placeholders_are_the_descriptions", "[generated]") {
    REQUIRE(contacts::get_contact::meta.scopes.size() == 1);
    CHECK(contacts::get_contact::meta.scopes.front() == "contacts.readonly");
    // {type} stands in the template, but the description declares no parameter for it.
    REQUIRE(contacts::create_association::meta.parameters.size() == 1);
    CHECK(contacts::create_association::meta.parameters.front().name == "type");
    CHECK(contacts::get_contacts::meta.deprecated);
    CHECK(contacts::remove_tags::meta.body_required);
    CHECK(contacts::remove_tags::meta.verb == highlevel::method::delete_);
}

} // namespace generated_contacts_tests

// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/message.hpp: header fields.
#include "support/catch.hpp"

#include <highlevel/http/message.hpp>

#include <string>
#include <string_view>

namespace http_message_tests {

namespace http = highlevel::http;

TEST_CASE("fields_keep_order_and_spelling_and_are_found_without_case", "[http][message]") {
    http::headers fields;
    CHECK(fields.empty());
    fields.add("Set-Cookie", "a");
    fields.add("Version", "2021-07-28");
    fields.add("set-cookie", "b");
    REQUIRE(fields.size() == 3);
    CHECK(fields.at(0).name == "Set-Cookie");
    CHECK(fields.at(2).name == "set-cookie");
    CHECK(fields.find("SET-COOKIE") == "a");
    CHECK(fields.contains("version"));
    CHECK(!fields.find("Vers"));
    std::string all;
    for (auto const& f : fields)
        all.append(f.name).append("=").append(f.value).append(";");
    CHECK(all == "Set-Cookie=a;Version=2021-07-28;set-cookie=b;");
}

TEST_CASE("set_leaves_one_field_of_a_name", "[http][message]") {
    http::headers fields;
    fields.add("Accept", "text/plain");
    fields.add("Version", "v3");
    fields.add("ACCEPT", "*/*");
    fields.set("accept", "application/json");
    REQUIRE(fields.size() == 2);
    CHECK(fields.at(0).name == "Version");
    CHECK(fields.at(1).name == "accept");
    CHECK(fields.find("Accept") == "application/json");
    fields.erase("ACCEPT");
    CHECK(!fields.contains("Accept"));
    fields.clear();
    CHECK(fields.empty());
}

TEST_CASE("set_takes_views_into_the_fields_themselves", "[http][message]") {
    std::string_view const token = "Bearer pit-0123456789abcdef0123456789abcdef";
    std::string_view const other = "the value of another field";
    http::headers fields;
    // As full as it gets, so that the next byte moves all.
    fields.reserve(2, 13 + token.size() + 5 + other.size());
    fields.add("Authorization", token);
    fields.add("X-Old", other);
    fields.set(fields.at(1).name, fields.at(0).value);
    CHECK(fields.find("X-Old") == token);
    CHECK(fields.find("Authorization") == token);
    REQUIRE(fields.size() == 2);
    fields.set("Authorization", fields.at(0).value);
    CHECK(fields.find("Authorization") == token);
}

} // namespace http_message_tests

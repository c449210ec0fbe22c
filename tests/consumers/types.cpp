// SPDX-License-Identifier: BSL-1.0
//
// A stranger's smaller program, which reads a model without a client: enough for the ways to come
// by the library that differ in where the headers are and what is linked. `separate` builds a
// client, and so does `tools/check package`, from headers alone and through pkg-config.
#include <highlevel/json/decode.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/version.hpp>

#include <cstdio>

int main() {
    highlevel::v2::contacts::types::create_contact_dto contact;
    const auto done = highlevel::json::decode(R"({"firstName":"Ada"})", contact);
    const bool read = done && contact.first_name.value_or("") == "Ada";
    std::printf("highlevel %s: %s\n", highlevel::version_string.data(), read ? "works" : "FAILS");
    return read ? 0 : 1;
}

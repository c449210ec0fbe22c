// SPDX-License-Identifier: BSL-1.0
//
// A misspelt member of a body is an error, and names what was meant to be written.
// MESSAGE: firstname
#include <highlevel/v2/contacts.hpp>

void fill(highlevel::v2::contacts::create_contact& create) {
#if defined(HIGHLEVEL_TEST_GOOD)
    create.body.first_name = "Ada";
#else
    create.body.firstname = "Ada";
#endif
}

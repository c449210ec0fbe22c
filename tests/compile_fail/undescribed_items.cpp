// SPDX-License-Identifier: BSL-1.0
//
// An operation whose response has no described list has pages, but no items.
// MESSAGE: the items of this operation are not described; read its pages
#include <highlevel/pages.hpp>
#include <highlevel/v2/contacts.hpp>

namespace contacts = highlevel::v2::contacts;

#if defined(HIGHLEVEL_TEST_GOOD)
auto read(const highlevel::account& location, const contacts::search_contacts_advanced& op) {
    return location.items(op);
}
#else
auto read(const highlevel::account& location, const contacts::get_contact& op) {
    return location.items(op);
}
#endif

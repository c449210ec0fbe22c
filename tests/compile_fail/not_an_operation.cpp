// SPDX-License-Identifier: BSL-1.0
//
// Only operations can be called; a model is none.
// MESSAGE: (constraints not satisfied|no matching (member )?function)
#include <highlevel/client.hpp>
#include <highlevel/v2/contacts.hpp>

namespace contacts = highlevel::v2::contacts;

auto call(const highlevel::account& location, const contacts::get_contact& op) {
#if defined(HIGHLEVEL_TEST_GOOD)
    return location.try_call(op);
#else
    return location.try_call(op.extra_query);
#endif
}

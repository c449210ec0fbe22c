// SPDX-License-Identifier: BSL-1.0
//
// An operation is made from its path parameters; one too many is an error.
// MESSAGE: no matching (function|constructor)
#include <highlevel/v2/contacts.hpp>

#if defined(HIGHLEVEL_TEST_GOOD)
highlevel::v2::contacts::get_contact const get{"id"};
#else
highlevel::v2::contacts::get_contact const get{"id", "another"};
#endif

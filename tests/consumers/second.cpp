// SPDX-License-Identifier: BSL-1.0
//
// A file that only makes calls: it includes the light headers, as most files of a program do.
#include "second.hpp"

#include <highlevel/v2/contacts.hpp>

boost::asio::awaitable<bool> is_refused_without_id(highlevel::client& client) {
    const highlevel::account location = client.location("a-location");
    const highlevel::v2::contacts::get_contact nobody{""};
    const auto answer = co_await location.try_call(nobody);
    co_return !answer && answer.error().code() == highlevel::errc::missing_parameter;
}

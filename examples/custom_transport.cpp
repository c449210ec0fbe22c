// SPDX-License-Identifier: BSL-1.0
//
// A transport of one's own in place of the network: answers come from a table in memory. Everything
// above it is the real client, so that this is also the quickest way to test code that makes calls.

#include <highlevel/highlevel.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;

namespace {

// docs: begin transport
/// Answers GET requests from a table of bodies by target. Not for several threads.
class canned_transport final : public http::transport {
public:
    std::map<std::string, std::string> bodies;

    asio::awaitable<http::exchange_result> exchange(
        const http::request& r, http::exchange_options /*options*/) override {
        http::exchange_result result;
        if (closed_) {
            result.error = asio::error::operation_aborted;
            co_return result;
        }
        auto const found = bodies.find(r.target);
        result.reached = http::phase::done;
        result.may_have_been_processed = true;
        result.reply.status = found == bodies.end() ? 404 : 200;
        result.reply.fields.add("content-type", "application/json");
        if (found != bodies.end()) result.reply.body = found->second;
        co_return result;
    }

    void close() noexcept override { closed_ = true; }

private:
    bool closed_ = false;
};
// docs: end transport

// docs: begin unknown
/// What the API's description does not have of a contact, and its answers do.
std::string titles_of(const contacts::types::get_contact_by_id& contact) {
    highlevel::json::lazy_object const& more = contact.unknown_fields;
    std::string titles{more.text_of("nickname")}; // empty when there is no such text
    if (auto const* const list = more.if_contains("titles"); list != nullptr && list->is_array())
        for (auto const& title : list->get_array())
            if (title.is_string()) titles.append(", ").append(title.get_string());
    return titles;
}
// docs: end unknown

asio::awaitable<bool> read_both(highlevel::account location) {
    auto const got = co_await location.try_call(contacts::get_contact{"ada"});
    auto const none = co_await location.try_call(contacts::get_contact{"nobody"});
    if (!got || !got->value().contact) co_return false;
    auto const& ada = *got->value().contact;
    auto const titles = titles_of(ada);
    std::cout << "Hello " << ada.first_name.value_or("stranger") << " (" << titles << ")\n";
    if (titles != "Countess, enchantress of numbers") co_return false;
    co_return none.has_error() && none.error().cause() == highlevel::cause::not_found;
}

} // namespace

int main() {
    // docs: begin use
    auto canned = std::make_shared<canned_transport>();
    canned->bodies["/contacts/ada"] =
        R"({"contact":{"id":"ada","firstName":"Ada","nickname":"Countess",)"
        R"("titles":["enchantress of numbers"]}})";
    highlevel::client_options options;
    options.transport = canned;
    options.credentials = highlevel::auth::private_integration{"pit-of-nobody"};
    asio::io_context context;
    highlevel::client client{context.get_executor(), options};
    // docs: end use

    bool good = false;
    asio::co_spawn(
        context, read_both(client.location("here")),
        [&](std::exception_ptr thrown, bool answer) { good = !thrown && answer; });
    context.run();
    return good ? 0 : 1;
}

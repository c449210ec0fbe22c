// SPDX-License-Identifier: BSL-1.0
//
// Calls without coroutines of one's own: `async_call` takes a callback, a future, or any other
// completion token of Asio, and a slot through which the call can be cancelled.

#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <exception>
#include <future>
#include <iostream>
#include <string>
#include <thread>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;

namespace {

using contact_response = highlevel::response<contacts::get_contact::response_type>;

// docs: begin callback
void greet_later(const highlevel::account& location, const std::string& id) {
    location.async_call(
        contacts::get_contact{id}, [](std::exception_ptr thrown, contact_response got) {
            try {
                if (thrown) std::rethrow_exception(thrown);
                std::cout << "Hello " + got->contact->first_name.value_or("stranger") + '\n';
            } catch (const highlevel::error& e) {
                std::cerr << e.what() << '\n';
            }
        });
}
// docs: end callback

// docs: begin future
/// For a thread that may block; the client's context runs on another.
std::string name_of(const highlevel::account& location, const std::string& id) {
    auto answer = location.async_call(contacts::get_contact{id}, asio::use_future);
    contact_response const got = answer.get(); // throws highlevel::error
    return got->contact->first_name.value_or("stranger");
}
// docs: end future

/// Whether a call that is cancelled before it is answered says so.
bool can_be_cancelled(asio::io_context& context, const highlevel::account& location) {
    std::promise<bool> ended;
    // docs: begin cancel
    asio::cancellation_signal stop;
    asio::post(context, [&] { // a signal and its slot belong to one thread
        auto done = [&](std::exception_ptr thrown, contact_response /*got*/) {
            try {
                if (thrown) std::rethrow_exception(thrown);
                ended.set_value(false);
            } catch (const highlevel::error& e) {
                ended.set_value(e.code() == asio::error::operation_aborted);
            }
        };
        location.async_call(
            contacts::get_contact{"slow"}, asio::bind_cancellation_slot(stop.slot(), done));
        stop.emit(asio::cancellation_type::terminal);
    });
    // docs: end cancel
    return ended.get_future().get();
}

} // namespace

int main() try {
    highlevel::sandbox::server sandbox;
    sandbox.start();
    auto const place = sandbox.locations().at(0).id;
    auto const someone = sandbox.contact_ids(place).at(0);

    highlevel::client_options options;
    options.base_url = sandbox.base_url();
    options.credentials = highlevel::auth::private_integration{sandbox.token()};
    asio::io_context context;
    auto const keep = asio::make_work_guard(context);
    highlevel::client client{context.get_executor(), options};
    std::thread runner{[&] { context.run(); }};

    int status = 0;
    try {
        auto const location = client.location(place);
        greet_later(location, someone);
        std::cout << "Goodbye " + name_of(location, someone) + '\n';
        if (!can_be_cancelled(context, location)) status = 1;
    } catch (const highlevel::error& e) {
        std::cerr << e.what() << '\n';
        status = 1;
    }
    context.stop();
    runner.join();
    return status;
} catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
}

// SPDX-License-Identifier: BSL-1.0
//
// The upload in two steps over scripted transports: how long the storage may take, and what its
// failures and an answer without an address say.

#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/media.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace media_tests {

namespace asio = boost::asio;
using highlevel::cause;
using highlevel::errc;
using highlevel::http::phase;
using test::scripted_transport;
using steady = std::chrono::steady_clock;

namespace {

constexpr std::string_view begun = R"({"uploadId":"u1","filePath":"f/1","maxFileSize":20,)"
                                   R"("uploadUrl":"https://storage.example/f?signature=secret"})";

/// An API and a storage that answer from scripts.
class fixture {
public:
    explicit fixture(std::string_view first = begun) {
        api->then(scripted_transport::reply(201, std::string{first}));
        api->then(scripted_transport::reply(201, R"({"uploadedFiles":{"a.txt":"https://x/a"}})"));
    }

    /// Uploads a file; the failure when there is one.
    std::optional<highlevel::failure> upload(highlevel::call_options how = {}) {
        highlevel::client_options options;
        options.credentials = highlevel::auth::private_integration{"pit-secret"};
        options.transport = api;
        highlevel::client const client{context.get_executor(), options};
        highlevel::storage_factory const way = [&](const highlevel::http::uri&) { return storage; };
        highlevel::attachment_upload what;
        what.conversation_id = "conv";
        what.channel = "sms";
        what.file = highlevel::file_part::of_data("a.txt", "text");
        try {
            (void)test::run(
                context, highlevel::upload_attachment(client.location("loc1"), way, what, how));
        } catch (const highlevel::error& e) {
            return e.failure();
        }
        return std::nullopt;
    }

    /// The moment at which the storage had to be done.
    std::optional<steady::time_point> deadline() const { return storage->bounds().at(0).deadline; }

    std::shared_ptr<scripted_transport> api = std::make_shared<scripted_transport>();
    std::shared_ptr<scripted_transport> storage = std::make_shared<scripted_transport>();
    asio::io_context context;
};

} // namespace

TEST_CASE("the_storage_has_the_time_of_the_call", "[media]") {
    highlevel::call_options how;
    fixture unsaid;
    unsaid.storage->then(scripted_transport::reply(200));
    CHECK_FALSE(unsaid.upload(how));
    CHECK_FALSE(unsaid.deadline());

    how.timeout = std::chrono::milliseconds{0};
    fixture endless;
    endless.storage->then(scripted_transport::reply(200));
    CHECK_FALSE(endless.upload(how));
    CHECK(endless.deadline() == steady::time_point::max());

    how.timeout = std::chrono::milliseconds::max();
    fixture longest;
    longest.storage->then(scripted_transport::reply(200));
    CHECK_FALSE(longest.upload(how));
    CHECK(longest.deadline() == steady::time_point::max());

    how.timeout = std::chrono::hours{1};
    fixture bounded;
    bounded.storage->then(scripted_transport::reply(200));
    auto const before = steady::now();
    CHECK_FALSE(bounded.upload(how));
    auto const after = steady::now();
    CHECK(bounded.deadline().value() >= before + *how.timeout);
    CHECK(bounded.deadline().value() <= after + *how.timeout);
}

TEST_CASE("a_storage_that_fails_says_how_and_where", "[media]") {
    class expected {
    public:
        boost::system::error_code code;
        phase reached;
        cause why;
    };
    for (auto const& [code, reached, why] :
         {expected{make_error_code(errc::timeout), phase::write, cause::timeout},
          expected{asio::error::operation_aborted, phase::connect, cause::cancelled},
          expected{make_error_code(errc::certificate_untrusted), phase::tls, cause::tls},
          expected{make_error_code(errc::malformed_response), phase::read, cause::bad_response},
          expected{make_error_code(errc::connect_failed), phase::connect, cause::network}}) {
        INFO(code.message());
        fixture f;
        f.storage->then(scripted_transport::lost(code, reached, true));
        auto const failed = f.upload();
        REQUIRE(failed);
        CHECK(failed->code() == code);
        CHECK(failed->cause() == why);
        CHECK(failed->reached() == to_string(reached));
        CHECK(failed->operation() == "storage upload");
        CHECK(failed->may_have_been_processed());
        CHECK(failed->what().find("secret") == std::string::npos);
        CHECK(f.api->requests().size() == 1);
    }
}

TEST_CASE("an_answer_without_an_address_or_an_id_ends_the_upload", "[media]") {
    for (std::string_view const body :
         {R"({"uploadId":"u1","filePath":"f/1"})", R"({"uploadUrl":"","uploadId":"u1"})",
          R"({"uploadUrl":"https://storage.example/f","filePath":"f/1"})"}) {
        INFO(body);
        fixture f{body};
        f.storage->then(scripted_transport::reply(200));
        auto const failed = f.upload();
        REQUIRE(failed);
        CHECK(failed->code() == errc::unexpected_content);
        CHECK(failed->cause() == cause::bad_response);
        CHECK(failed->operation() == "conversations.initiate_file_upload");
        CHECK(f.storage->requests().empty());
        CHECK(f.api->requests().size() == 1);
    }
}

} // namespace media_tests

// SPDX-License-Identifier: BSL-1.0
//
// Sends every operation once, each member filled with a sample, the way account::call does it, and
// prints what came of it: one line per operation, separated by tabs: version, operation, method,
// target, HTTP status, `ok` or what failed, and with --diagnostics how the response differed from
// its type. Works against any server.
#include "../../examples/support/command_line.hpp"

#include <highlevel/highlevel.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <conformance/operations.hpp>
#include <conformance/sampler.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace asio = boost::asio;

constexpr std::string_view usage =
    "send_all --base-url URL [--version v2|v3] [--family F] [--operation O]\n"
    "         [--rate N] [--samples FILE] [--diagnostics]\n"
    "\n"
    "  --base-url   https, or http to this machine\n"
    "  --operation  as in list_operations, for example get_contact\n"
    "  --rate       requests per second that the server grants; default 10, the API's own limit\n"
    "  --samples    values that the types alone do not give; default: the committed table\n"
    "  --diagnostics  a seventh column: what decoding the response had to bend\n"
    "\n"
    "The token is HIGHLEVEL_TOKEN, or \"sample\". Exit status: 0 when every operation succeeded,\n"
    "1 when one did not, 2 for a command line that cannot be used.\n";

class settings {
public:
    std::string base_url;
    std::string_view version;
    std::string_view family;
    std::string_view operation;
    std::uint32_t rate = 10;
    std::string samples = HIGHLEVEL_CONFORMANCE_SAMPLES;
    bool diagnostics = false;
};

bool take(settings& made, command_line::cursor& line) {
    if (line.is("--base-url"))
        made.base_url = line.value();
    else if (line.is("--version"))
        made.version = line.value();
    else if (line.is("--family"))
        made.family = line.value();
    else if (line.is("--operation"))
        made.operation = line.value();
    else if (line.is("--rate"))
        made.rate = line.number<std::uint32_t>(1, 60'000);
    else if (line.is("--samples"))
        made.samples = line.value();
    else if (line.is("--diagnostics"))
        made.diagnostics = true;
    else
        return false;
    return true;
}

/// One token for every operation, also for those that take OAuth tokens only.
class any_token final : public highlevel::auth::provider {
public:
    explicit any_token(std::string token)
        : token_(std::make_shared<const highlevel::auth::secret>(std::move(token))) {}

    asio::awaitable<highlevel::auth::grant> authorize(
        highlevel::auth::token_request request) override {
        co_return highlevel::auth::grant{token_, request.accepted};
    }
    asio::awaitable<bool> renew(
        highlevel::auth::token_request, std::shared_ptr<const highlevel::auth::secret>) override {
        co_return false;
    }

private:
    std::shared_ptr<const highlevel::auth::secret> token_;
};

/// The network, with a note of what was sent and answered last.
class recorder final : public highlevel::http::transport {
public:
    explicit recorder(std::shared_ptr<highlevel::http::transport> inner)
        : inner_(std::move(inner)) {}

    asio::awaitable<highlevel::http::exchange_result> exchange(
        const highlevel::http::request& r, highlevel::http::exchange_options options) override {
        target = r.target;
        auto answer = co_await inner_->exchange(r, options);
        status = answer.ok() ? answer.reply.status : 0;
        // What Prism says of a request that breaks the description: in a field beside a described
        // error, or in the body where the operation describes no error.
        violations.clear();
        if (auto const said = answer.reply.fields.find("sl-violations"))
            violations = *said;
        else if (answer.reply.body.find("stoplight.io/prism/errors") != std::string::npos)
            violations = answer.reply.body;
        co_return answer;
    }
    void close() noexcept override { inner_->close(); }

    std::string target;
    unsigned status = 0;
    std::string violations;

private:
    std::shared_ptr<highlevel::http::transport> inner_;
};

/// What went wrong, in one line; empty: nothing.
std::string problem(const highlevel::detail::call_outcome& outcome, const recorder& wire) {
    if (wire.violations.find("\"request\"") != std::string::npos) return wire.violations;
    if (!outcome.failure) return {};
    if (!wire.violations.empty()) return wire.violations;
    std::string text = outcome.failure->code().message();
    if (!outcome.failure->detail().empty()) text += ": " + std::string{outcome.failure->detail()};
    for (auto const& message : outcome.failure->messages())
        text += "; " + message;
    return text;
}

/// How the response differed from its type, in one line; empty: not at all.
std::string bends(const highlevel::json::diagnostics& bent) {
    std::string text;
    for (auto const& d : bent) {
        if (!text.empty()) text += "; ";
        text += to_string(d.what);
        text += ' ';
        text += d.pointer;
    }
    if (bent.total() > bent.size())
        text += "; and " + std::to_string(bent.total() - bent.size()) + " more";
    return text;
}

asio::awaitable<bool> send(
    highlevel::detail::core& core,
    recorder& wire,
    const conformance::sampler& samples,
    const conformance::entry& e,
    bool diagnostics) {
    auto const& meta = *e.meta;
    auto const op = e.make();
    samples.fill(meta, op.get());
    bool const agency =
        (meta.tokens & highlevel::token_kinds::location) == highlevel::token_kinds::none;
    auto const account = std::make_shared<const highlevel::detail::account_ref>(
        agency ? highlevel::auth::resource_kind::company : highlevel::auth::resource_kind::location,
        "sample");
    highlevel::call_options options;
    options.retry = highlevel::retry_mode::never;
    wire.target = meta.path;
    wire.status = 0;
    wire.violations.clear();
    auto call = core.prepare(meta, op.get(), account, options);
    highlevel::detail::call_outcome outcome;
    co_await core.perform(call, outcome);
    auto const response = e.make_response();
    if (!outcome.failure) core.decode(&meta, *e.response, response.get(), outcome);
    auto text = problem(outcome, wire);
    bool const ok = text.empty();
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    std::cout << to_string(meta.version_of_description) << '\t' << meta.family << '.' << meta.name
              << '\t' << to_string(meta.verb) << '\t' << wire.target << '\t' << wire.status << '\t'
              << (ok ? "ok" : text);
    if (diagnostics)
        std::cout << '\t' << (outcome.parts ? bends(outcome.parts->bent) : std::string{});
    std::cout << '\n';
    co_return ok;
}

asio::awaitable<void> send_all(
    std::shared_ptr<highlevel::detail::core> core,
    std::shared_ptr<recorder> wire,
    const settings& wanted,
    std::size_t& sent,
    std::size_t& failed) {
    conformance::sampler const samples{wanted.samples};
    for (auto const& f : conformance::families()) {
        if (!wanted.version.empty() && f.version != wanted.version) continue;
        for (auto const& e : f.operations) {
            if (!wanted.family.empty() && f.name != wanted.family &&
                e.meta->family != wanted.family)
                continue;
            if (!wanted.operation.empty() && e.meta->name != wanted.operation) continue;
            ++sent;
            bool const ok = co_await send(*core, *wire, samples, e, wanted.diagnostics);
            failed += ok ? 0 : 1;
        }
    }
}

int run(const settings& wanted) {
    if (wanted.base_url.empty())
        throw command_line::usage_error{"--base-url is missing; see --help"};
    asio::io_context context;
    highlevel::client_options options;
    options.base_url = wanted.base_url;
    char const* const token = std::getenv("HIGHLEVEL_TOKEN");
    options.credentials = highlevel::auth::credentials{
        std::make_shared<any_token>(token != nullptr && *token != '\0' ? token : "sample")};
    options.limits.max = wanted.rate;
    options.limits.interval = std::chrono::seconds{1};
    auto const wire = std::make_shared<recorder>(highlevel::http::make_transport(
        context.get_executor(), highlevel::http::uri{options.base_url}, options.tls, options.pool,
        options.timeouts, options.proxy));
    options.transport = wire;
    options.validate();
    auto const core = std::make_shared<highlevel::detail::client_core>(
        context.get_executor(), std::move(options));

    std::size_t sent = 0;
    std::size_t failed = 0;
    std::exception_ptr thrown;
    asio::co_spawn(context, send_all(core, wire, wanted, sent, failed), [&](std::exception_ptr e) {
        thrown = e;
        core->shutdown();
    });
    context.run();
    if (thrown) std::rethrow_exception(thrown);
    std::cout.flush();
    if (sent == 0) throw command_line::usage_error{"there is no such operation"};
    std::cerr << sent - failed << " of " << sent << " operations ok\n";
    return failed == 0 && std::cout ? 0 : 1;
}

} // namespace

int main(int count, char** values) {
    return command_line::main_of<settings>("send_all", usage, count, values, take, run);
}

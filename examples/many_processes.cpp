// SPDX-License-Identifier: BSL-1.0
//
// Several processes as one app: they share a folder of OAuth tokens, of which one renews for all,
// and each keeps to its part of the location's limit. Runs against a sandbox of its own and fails
// if that had to refuse a request or to renew a token twice.

#include "support/command_line.hpp"

#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/batch.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;

namespace {

constexpr std::string_view usage = R"(Several processes work on one location of a sandbox.

  many_processes [options]

  --processes N   how many processes (default: 4)
  --calls N       calls that each makes (default: 20)
)";

constexpr std::uint32_t limit = 40;
constexpr char client_id[] = "example-12345678";
constexpr char client_secret[] = "not a secret: the sandbox's";

struct arguments {
    std::uint32_t processes = 4;
    std::size_t calls = 20;
};

/// What a process has to know; told by its parent through a pipe.
struct place {
    std::string base_url;
    std::string location;
    std::string contact;
};

// docs: begin setup
/// The same in every process.
auth::oauth_app the_app(const std::string& folder) {
    return {client_id, client_secret, std::make_shared<auth::file_token_store>(folder)};
}

highlevel::client_options options_of(
    const place& where, auth::oauth_app app, std::uint32_t processes) {
    highlevel::client_options options;
    options.base_url = where.base_url;
    options.credentials = std::move(app);
    options.limits.static_share = limit / processes; // of each location's requests per interval
    return options;
}
// docs: end setup

asio::awaitable<void> make_calls(highlevel::account location, std::string id, std::size_t calls) {
    auto const once = [&](std::size_t) -> asio::awaitable<void> {
        co_await location.call(contacts::get_contact{id});
    };
    auto numbers = std::views::iota(std::size_t{0}, calls);
    co_await highlevel::for_each(numbers, 8, once);
}

/// Runs `work` to its end and throws what it throws.
void run(asio::io_context& context, asio::awaitable<void> work) {
    std::exception_ptr problem;
    asio::co_spawn(context, std::move(work), [&](std::exception_ptr thrown) { problem = thrown; });
    context.run();
    context.restart();
    if (problem) std::rethrow_exception(problem);
}

asio::awaitable<void> install(auth::oauth_app app, std::string code) {
    co_await app.exchange_code(auth::secret{std::move(code)});
}

/// What each process does once its parent has told it where.
int work(int pipe, const std::string& folder, const arguments& args) {
    std::string told;
    char buffer[512];
    for (::ssize_t got = 0; (got = ::read(pipe, buffer, sizeof buffer)) > 0;)
        told.append(buffer, static_cast<std::size_t>(got));
    place where;
    if (!(std::istringstream{told} >> where.base_url >> where.location >> where.contact)) return 1;
    asio::io_context context;
    highlevel::client client{
        context.get_executor(), options_of(where, the_app(folder), args.processes)};
    run(context, make_calls(client.location(where.location), where.contact, args.calls));
    return 0;
}

/// A process and the end of the pipe that it listens at.
struct child {
    ::pid_t id = -1;
    int pipe = -1;
};

child begin_child(
    const std::string& folder, const arguments& args, const std::vector<child>& elder) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error{"no pipe"};
    auto const id = ::fork();
    if (id < 0) throw std::runtime_error{"no process"};
    if (id > 0) {
        ::close(ends[0]);
        return {id, ends[1]};
    }
    // A pipe ends for its reader when nobody can write to it any more: not this process, either.
    ::close(ends[1]);
    for (auto const& other : elder)
        ::close(other.pipe);
    int status = 1;
    try {
        status = work(ends[0], folder, args);
    } catch (const std::exception& e) {
        std::cerr << e.what() << '\n';
    }
    ::_exit(status);
}

int run_all(const arguments& args) {
    auto folder = (std::filesystem::temp_directory_path() / "many_processes.XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error{"no temporary folder"};

    // Processes are made before this one has threads, stores or clients: these do not survive fork.
    std::vector<child> children;
    for (std::uint32_t i = 0; i < args.processes; ++i)
        children.push_back(begin_child(folder, args, children));

    highlevel::sandbox::options house;
    house.max = limit;
    house.interval = std::chrono::seconds{1};
    highlevel::sandbox::server sandbox{house};
    highlevel::sandbox::app_settings known;
    known.client_id = client_id;
    known.client_secret = client_secret;
    sandbox.add_app(known);
    sandbox.start();
    auto const location = sandbox.locations().at(0).id;
    place const where{sandbox.base_url(), location, sandbox.contact_ids(location).at(0)};

    // Install the app as a web server would, then let its token end: all processes will meet that.
    {
        asio::io_context context;
        auto app = the_app(folder);
        highlevel::client const client{context.get_executor(), options_of(where, app, 1)};
        run(context, install(app, sandbox.issue_code(client_id, location)));
    }
    sandbox.end_access_tokens();

    auto const text = where.base_url + ' ' + where.location + ' ' + where.contact + '\n';
    bool good = true;
    for (auto const& c : children) {
        good &= ::write(c.pipe, text.data(), text.size()) == static_cast<::ssize_t>(text.size());
        ::close(c.pipe);
    }
    for (auto const& c : children) {
        int status = 0;
        good &= ::waitpid(c.id, &status, 0) == c.id && WIFEXITED(status) &&
            WEXITSTATUS(status) == EXIT_SUCCESS;
    }

    auto const counted = sandbox.totals();
    auto const renewed = sandbox.oauth_totals().rotations;
    std::cout << args.processes << " processes, " << counted.requests << " requests, "
              << counted.refused << " answered with 429, token renewed " << renewed << " time\n";
    std::filesystem::remove_all(folder);
    return good && counted.refused == 0 && renewed == 1 ? 0 : 1;
}

bool take(arguments& args, command_line::cursor& at) {
    if (at.is("--processes"))
        args.processes = at.number<std::uint32_t>(1, limit);
    else if (at.is("--calls"))
        args.calls = at.number<std::size_t>(1, 100'000);
    else
        return false;
    return true;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("many_processes", usage, argc, argv, take, run_all);
}

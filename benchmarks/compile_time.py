#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""What including the library costs a compiler: CPU seconds and memory of some files, at -O0.

usage: compile_time.py [--compiler g++] [--runs N] [--instructions] [--check] [FILE...]

The files take turns, and of N runs of each the fastest counts. It is also given as a multiple of
`beast`. With --instructions g++ and its assembler run once under valgrind, and instructions count:
half a minute to three for each file, but the same on each machine and run. With --check the exit
status is 1 when a file costs more than docs/compile-time.md promises.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

CALLS = """
boost::asio::awaitable<std::string> first_name(highlevel::client& client) {
    auto const location = client.location("location");
    highlevel::v2::contacts::create_contact create;
    create.body.email = "ada@example.com";
    auto const created = co_await location.call(create);
    auto const got = co_await location.call(highlevel::v2::contacts::get_contact{"contact"});
    co_return got->contact->first_name.value_or("");
}
"""

BUILDS = """
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
int main() {
    boost::asio::io_context context;
    highlevel::client client{context.get_executor(), options()};
    boost::asio::co_spawn(context, first_name(client), [](std::exception_ptr, std::string) {});
    context.run();
}
"""

# It may make an OAuth app, so that all of that is compiled.
ENVIRONMENT = """
highlevel::client_options options() { return highlevel::client_options::from_environment(); }
"""

TOKEN = """
highlevel::client_options options() {
    highlevel::client_options made;
    made.credentials = highlevel::auth::private_integration{"pit-token"};
    return made;
}
"""

FILES = {
    # A GET over TLS with Boost.Beast and coroutines, as its examples do it.
    "beast": """
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <iostream>
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
asio::awaitable<void> get(std::string host) {
    auto executor = co_await asio::this_coro::executor;
    asio::ssl::context tls{asio::ssl::context::tls_client};
    tls.set_default_verify_paths();
    tls.set_verify_mode(asio::ssl::verify_peer);
    asio::ip::tcp::resolver resolver{executor};
    auto const found = co_await resolver.async_resolve(host, "443", asio::use_awaitable);
    beast::ssl_stream<beast::tcp_stream> stream{executor, tls};
    co_await beast::get_lowest_layer(stream).async_connect(found, asio::use_awaitable);
    co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
    http::request<http::empty_body> request{http::verb::get, "/", 11};
    request.set(http::field::host, host);
    co_await http::async_write(stream, request, asio::use_awaitable);
    beast::flat_buffer buffer;
    http::response<http::string_body> response;
    co_await http::async_read(stream, buffer, response, asio::use_awaitable);
    std::cout << response.body();
}
int main() {
    asio::io_context context;
    asio::co_spawn(context, get("example.com"), asio::detached);
    context.run();
}
""",
    "client": "#include <highlevel/highlevel.hpp>\n#include <highlevel/v2/contacts.hpp>\n"
    + CALLS
    + ENVIRONMENT
    + BUILDS,
    "token": "#include <highlevel/highlevel.hpp>\n#include <highlevel/v2/contacts.hpp>\n"
    + CALLS
    + TOKEN
    + BUILDS,
    "all": "#include <highlevel/highlevel.hpp>\n#include <highlevel/v2/all.hpp>\n"
    + CALLS
    + ENVIRONMENT
    + BUILDS,
    # The first line stands for the option that the whole program is compiled with.
    "separate": "#define HIGHLEVEL_SEPARATE_COMPILATION\n"
    "#include <highlevel/highlevel.hpp>\n#include <highlevel/v2/contacts.hpp>\n"
    + CALLS
    + ENVIRONMENT
    + BUILDS,
    "types": "#include <highlevel/v2/contacts.hpp>\n",
    "calls": "#include <highlevel/client.hpp>\n#include <highlevel/v2/contacts.hpp>\n" + CALLS,
}

# Most that a file may cost in instructions, as a multiple of `beast`; seconds of a shared machine
# spread further than what there is to decide.
INSTRUCTION_GOALS = {"client": 1.25, "token": 1.25, "calls": 0.25}
# And in seconds.
GOALS = {"types": 2.5}


def command_of(compiler: list[str], source: pathlib.Path) -> list[str]:
    return [*compiler, "-std=c++20", "-O0", f"-I{ROOT / 'include'}", "-c", str(source)]


def compile_once(compiler: list[str], source: pathlib.Path) -> tuple[float, float]:
    """CPU seconds and MB."""
    command = command_of(compiler, source)
    pid = os.posix_spawnp(command[0], [*command, "-o", os.devnull], os.environ)
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"{source.stem} does not compile")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def instructions(compiler: list[str], source: pathlib.Path) -> float:
    """Billions, of the compiler and the assembler; both write a log beside the source."""
    logs = f"{source.with_suffix('')}.%p.log"
    tool = "valgrind,--tool=cachegrind,--cache-sim=no,--cachegrind-out-file=/dev/null"
    command = command_of([*compiler, "-wrapper", f"{tool},--log-file={logs}"], source)
    if subprocess.run([*command, "-o", source.with_suffix(".o")], check=False).returncode != 0:
        sys.exit(f"{source.stem} does not compile under valgrind")
    count = 0
    for log in source.parent.glob(f"{source.stem}.*.log"):
        line = next(text for text in log.read_text().splitlines() if "I   refs:" in text)
        count += int(line.split()[-1].replace(",", ""))
    return count / 1e9


def verdict(goals: dict[str, float], measured: dict[str, float], unit: str) -> int:
    """The exit status: 1, and a line for each file that costs more than it may."""
    wrong = [name for name, most in goals.items() if measured.get(name, 0) > most]
    for name in wrong:
        print(f"{name}: more than {goals[name]} {unit}")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiler", default="g++", type=shlex.split)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("files", nargs="*", metavar="FILE", help=", ".join(FILES))
    options = parser.parse_args()
    names = options.files or list(FILES)
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        sources = {name: pathlib.Path(folder) / f"{name}.cpp" for name in names}
        for name, source in sources.items():
            source.write_text(FILES[name], encoding="utf-8")
        if options.instructions:
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                counts = pool.map(lambda s: instructions(options.compiler, s), sources.values())
                counted = dict(zip(names, counts))
            floor = counted.get("beast")
            ratios = {name: counted[name] / floor if floor else 0 for name in names}
            for name in names:
                print(f"{name:8} {counted[name]:6.2f} billion instructions {ratios[name]:6.2f} x")
            return verdict(INSTRUCTION_GOALS, ratios, "x beast") if options.check else 0
        for _ in range(options.runs):
            for name, source in sources.items():
                runs[name].append(compile_once(options.compiler, source))
    measured = {name: min(of)[0] for name, of in runs.items()}
    for name in names:
        ratio = measured[name] / measured["beast"] if "beast" in measured else 0
        print(f"{name:8} {measured[name]:6.2f} s {ratio:6.2f} x {min(runs[name])[1]:6.0f} MB")
    return verdict(GOALS, measured, "s") if options.check else 0


if __name__ == "__main__":
    sys.exit(main())

// SPDX-License-Identifier: BSL-1.0
//
// A hundred thousand webhooks of every kind, good and bad, go through the receiver over loopback
// sockets, and each must end as it was meant to. Also says how many a second are verified and read.

#include "../examples/support/command_line.hpp"

#include <highlevel/detail/time_text.hpp>
#include <highlevel/http/response_parser.hpp>
#include <highlevel/sandbox/webhooks_signer.hpp>
#include <highlevel/webhooks/receiver.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace http = highlevel::http;
namespace webhooks = highlevel::webhooks;
using highlevel::sandbox::webhook_signer;
using steady = std::chrono::steady_clock;
using webhooks::outcome;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage =
    R"(Sends webhooks of every kind, good and bad, through a receiver.

  webhooks [options]

  --deliveries N     how many (default: 100000)
  --connections N    connections at a time (default: 16)
  --seed N           what is sent and in which order (default: 1)
  --quick            3000 of them, to see that it works
)";

struct arguments {
    std::size_t deliveries = 100'000;
    std::size_t connections = 16;
    std::uint32_t seed = 1;
    bool help = false;
};

arguments parse(int argc, char** argv) {
    arguments a;
    command_line::cursor at{argc, argv};
    while (at.next()) {
        if (at.is("--help") || at.is("-h"))
            a.help = true;
        else if (at.is("--deliveries"))
            a.deliveries = at.number<std::size_t>(100, 10'000'000);
        else if (at.is("--connections"))
            a.connections = at.number<std::size_t>(1, 200);
        else if (at.is("--seed"))
            a.seed = at.number<std::uint32_t>(0, 1'000'000'000);
        else if (at.is("--quick"))
            a.deliveries = 3000;
        else
            at.unknown();
    }
    return a;
}

const std::chrono::system_clock::time_point now{
    std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

enum class manner : std::uint8_t {
    valid,
    by_rsa,
    again,         // a valid one, once more
    old,           // an hour
    ahead,         // an hour
    body_bit,      // one bit of the body is wrong
    signature_bit, // one bit of the signature
    name_bit,      // one bit of the header field's name, so that there is no signature
    other_key,     // signed by somebody else
    not_available, // the text N/A
    no_json,       // signed, but cut before it was
    other_app,
    cut, // the connection ends within the body
};
constexpr std::array manner_names{
    "valid, Ed25519",
    "valid, RSA",
    "repeated",
    "an hour old",
    "an hour ahead",
    "a bit of the body",
    "a bit of the signature",
    "a bit of the field's name",
    "another key",
    "N/A",
    "signed but not JSON",
    "another app's",
    "cut within the body"};

class delivery {
public:
    delivery() = default;
    delivery(manner h, std::uint32_t i) : how(h), id(i) {}

    manner how = manner::valid;
    std::uint32_t id = 0;
};

// In an order that has nothing to do with the ids.
std::vector<delivery> make_deliveries(const arguments& a) {
    std::mt19937 random{a.seed};
    constexpr std::array<std::pair<manner, unsigned>, 12> shares{{
        {manner::by_rsa, 2},
        {manner::again, 15},
        {manner::old, 5},
        {manner::ahead, 3},
        {manner::body_bit, 8},
        {manner::signature_bit, 8},
        {manner::name_bit, 4},
        {manner::other_key, 4},
        {manner::not_available, 3},
        {manner::no_json, 3},
        {manner::other_app, 3},
        {manner::cut, 2},
    }};
    std::vector<delivery> all;
    for (auto const& [how, percent] : shares)
        for (std::size_t i = 0; i < a.deliveries * percent / 100; ++i)
            all.emplace_back(how, static_cast<std::uint32_t>(all.size()));
    auto const first_valid = all.size();
    while (all.size() < a.deliveries)
        all.emplace_back(manner::valid, static_cast<std::uint32_t>(all.size()));
    for (auto& each : all)
        if (each.how == manner::again)
            each.id =
                static_cast<std::uint32_t>(first_valid + random() % (all.size() - first_valid));
    std::shuffle(all.begin(), all.end(), random);
    return all;
}

class keys {
public:
    webhook_signer ours;
    webhook_signer foreign;
};

std::string body_of(const delivery& d) {
    auto const at = d.how == manner::old ? now - 1h : d.how == manner::ahead ? now + 1h : now;
    constexpr std::array types{"ContactCreate", "NoteUpdate", "OpportunityStageUpdate", "Later"};
    std::string body = R"({"type":")";
    body += types[d.id % types.size()];
    body += R"(","timestamp":")";
    body += highlevel::detail::iso_text(std::chrono::floor<std::chrono::milliseconds>(at));
    body += R"(","webhookId":"w-)" + std::to_string(d.id);
    body += d.how == manner::other_app ? R"(","appId":"theirs")" : R"(","appId":"ours")";
    body += R"(,"locationId":"ve9EPM428h8vShlRW1KT","id":"nmFmQEsNgz6AVpgLVUJ0","name":"Ada )"
            R"(Lovelace","email":"ada@example.com","tags":["a","b"],"body":"hello","more":[1,2]})";
    if (d.how == manner::no_json) body.resize(body.size() - 1 - d.id % 40);
    return body;
}

std::string text_of(const delivery& d, const keys& k) {
    auto body = body_of(d);
    std::string name{webhooks::signature_field};
    std::string signature;
    if (d.how == manner::by_rsa) {
        name = webhooks::legacy_signature_field;
        signature = k.ours.sign_rsa(body);
    } else if (d.how == manner::not_available) {
        signature = "N/A";
    } else {
        signature = (d.how == manner::other_key ? k.foreign : k.ours).sign_ed25519(body);
    }
    auto const flip = [&](std::string& text, unsigned bits) {
        auto& c = text[d.id % text.size()];
        c = static_cast<char>(static_cast<unsigned char>(c) ^ 1U << d.id % bits);
    };
    if (d.how == manner::body_bit) flip(body, 8);
    // The lowest bit only: HTTP does not take every octet.
    if (d.how == manner::signature_bit) flip(signature, 1);
    if (d.how == manner::name_bit) name[2 + d.id % 2] ^= 1;
    std::string text = "POST /hook HTTP/1.1\r\nHost: x\r\n" + name + ": " + signature;
    return text + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class tally {
public:
    std::array<std::uint64_t, manner_names.size()> sent{};
    std::map<unsigned, std::uint64_t> statuses;
    std::uint64_t pushed_back = 0;
    std::uint64_t broken = 0;
};

asio::awaitable<void> send_all(
    const std::vector<delivery>& all,
    std::size_t& next,
    const keys& k,
    std::uint16_t port,
    tally& counts) {
    auto const executor = co_await asio::this_coro::executor;
    asio::ip::tcp::endpoint const to{asio::ip::address_v4::loopback(), port};
    asio::ip::tcp::socket kept{executor};
    co_await kept.async_connect(to, asio::use_awaitable);
    kept.set_option(asio::ip::tcp::no_delay{true});
    std::array<char, 2048> room;
    while (next < all.size()) {
        auto const& d = all[next++];
        ++counts.sent[static_cast<std::size_t>(d.how)];
        auto const text = text_of(d, k);
        boost::system::error_code ec;
        auto code = asio::redirect_error(asio::use_awaitable, ec);
        if (d.how == manner::cut) {
            asio::ip::tcp::socket once{executor};
            co_await once.async_connect(to, asio::use_awaitable);
            co_await asio::async_write(
                once, asio::buffer(text.data(), text.size() - 1 - d.id % 100), code);
            once.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
            // It ends from the other side once it has been counted.
            auto const n = co_await once.async_read_some(asio::buffer(room), code);
            counts.broken += n != 0;
            continue;
        }
        for (unsigned status = 429; status == 429;) {
            co_await asio::async_write(kept, asio::buffer(text), code);
            http::response answer;
            http::response_parser parser{answer, false, 4096};
            std::string unread;
            while (!ec && !parser.done()) {
                auto const n = co_await kept.async_read_some(asio::buffer(room), code);
                unread.append(room.data(), n);
                if (!ec) unread.erase(0, parser.put(unread, ec));
            }
            if (ec) {
                ++counts.broken;
                co_return;
            }
            status = answer.status;
            ++(status == 429 ? counts.pushed_back : counts.statuses[status]);
        }
    }
}

asio::awaitable<void> take_all(
    webhooks::receiver& from, std::uint64_t& taken, std::uint64_t& known) {
    while (auto event = co_await from.next()) {
        ++taken;
        known += event->kind != webhooks::event_kind::unknown;
    }
}

long peak_memory_mib() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss / 1024;
}

class checker {
public:
    void same(std::string_view what, std::uint64_t found, std::uint64_t expected) {
        std::printf(
            "  %-22.*s %8llu%s\n", static_cast<int>(what.size()), what.data(),
            static_cast<unsigned long long>(found), found == expected ? "" : "   WRONG, expected:");
        if (found == expected) return;
        std::printf("  %-22s %8llu\n", "", static_cast<unsigned long long>(expected));
        good = false;
    }
    bool good = true;
};

bool send_through(const arguments& a, const keys& k) {
    webhooks::receiver_options options;
    auto& judged = options.inbox.guard;
    judged.signing.keys = {
        webhooks::public_key::from_pem(k.ours.ed25519_key_pem()),
        webhooks::public_key::from_pem(k.ours.rsa_key_pem())};
    judged.signing.legacy = webhooks::legacy_rule::always;
    judged.app_ids = {"ours"};
    auto const seen = std::make_shared<webhooks::memory_replay_store>(a.deliveries);
    judged.seen = seen;
    options.inbox.now = [] { return now; };
    options.inbox.capacity = 256;

    auto const all = make_deliveries(a);
    auto const memory_before = peak_memory_mib();
    asio::io_context house;
    webhooks::receiver receiver{house.get_executor(), options};
    receiver.start();
    std::uint64_t taken = 0;
    std::uint64_t known = 0;
    asio::co_spawn(house, take_all(receiver, taken, known), asio::detached);
    std::thread serving{[&] { house.run(); }};

    tally counts;
    std::size_t next = 0;
    auto const begin = steady::now();
    {
        asio::io_context clients{1};
        for (std::size_t i = 0; i < a.connections; ++i)
            asio::co_spawn(
                clients, send_all(all, next, k, receiver.port(), counts), asio::detached);
        clients.run();
    }
    auto const seconds = std::chrono::duration<double>(steady::now() - begin).count();
    receiver.stop();
    serving.join();

    auto const sent = [&](manner how) { return counts.sent[static_cast<std::size_t>(how)]; };
    std::printf("sent over %zu connections in %.1f s (signing included)\n", a.connections, seconds);
    for (std::size_t i = 0; i < manner_names.size(); ++i)
        std::printf(
            "  %-26s %8llu\n", manner_names[i], static_cast<unsigned long long>(counts.sent[i]));
    auto const found = receiver.counters();
    checker check;
    auto const good = sent(manner::valid) + sent(manner::by_rsa);
    std::puts("outcomes");
    check.same("accepted", found.inbox[outcome::accepted], good);
    check.same("duplicate", found.inbox[outcome::duplicate], sent(manner::again));
    check.same("stale", found.inbox[outcome::stale], sent(manner::old) + sent(manner::ahead));
    check.same(
        "unsigned", found.inbox[outcome::not_signed],
        sent(manner::name_bit) + sent(manner::not_available));
    check.same(
        "bad_signature", found.inbox[outcome::bad_signature],
        sent(manner::body_bit) + sent(manner::signature_bit) + sent(manner::other_key));
    check.same("malformed", found.inbox[outcome::malformed], sent(manner::no_json));
    check.same("wrong_app", found.inbox[outcome::wrong_app], sent(manner::other_app));
    check.same("truncated", found.truncated, sent(manner::cut));
    std::puts("and besides");
    check.same("events taken", taken, good);
    check.same("pushed back, 429", found.inbox.full, counts.pushed_back);
    check.same("broken connections", counts.broken, 0);
    check.same("still open", found.open_connections, 0);
    check.same("remembered", seen->size(), good);
    check.same("answers 200", counts.statuses[200], good + sent(manner::again));
    check.same(
        "answers 400", counts.statuses[400],
        found.inbox[outcome::stale] + found.inbox[outcome::malformed]);
    check.same(
        "answers 401", counts.statuses[401],
        found.inbox[outcome::not_signed] + found.inbox[outcome::bad_signature]);
    check.same("answers 403", counts.statuses[403], sent(manner::other_app));
    std::printf(
        "  %llu of the events of known kinds; peak memory grew by %ld MiB\n",
        static_cast<unsigned long long>(known), peak_memory_mib() - memory_before);
    return check.good;
}

template <class Work>
void measure(const char* what, Work work) {
    std::size_t rounds = 0;
    auto const begin = steady::now();
    auto end = begin;
    while (end - begin < 300ms) {
        for (int i = 0; i < 20; ++i)
            work();
        rounds += 20;
        end = steady::now();
    }
    auto const seconds = std::chrono::duration<double>(end - begin).count();
    std::printf("  %-40s %9.0f / s\n", what, static_cast<double>(rounds) / seconds);
}

void measure_all(const keys& k) {
    webhooks::guard_options options;
    options.signing.keys = {
        webhooks::public_key::from_pem(k.ours.ed25519_key_pem()),
        webhooks::public_key::from_pem(k.ours.rsa_key_pem())};
    options.signing.legacy = webhooks::legacy_rule::always;
    webhooks::guard const guard{options};
    auto const body = body_of(delivery{manner::valid, 0});
    auto const ed25519 = k.ours.sign_ed25519(body);
    auto const rsa = k.ours.sign_rsa(body);
    auto const take = [&](const webhooks::signatures& fields) {
        auto found = guard.check(body, fields, now);
        webhooks::event made;
        if (!found || !webhooks::decode_event(body, std::move(found.head), made)) std::terminate();
        guard.forget(found);
    };
    std::puts("one thread");
    measure("verified (Ed25519), judged and read", [&] { take({ed25519, std::nullopt}); });
    measure("verified (RSA 2048), judged and read", [&] { take({std::nullopt, rsa}); });
    measure("read only", [&] {
        webhooks::event made;
        if (!webhooks::decode_event(body, made)) std::terminate();
    });
    // HighLevel's own RSA key has 4096 bits, and refusing takes it as long as accepting.
    webhooks::signature_options real;
    real.legacy = webhooks::legacy_rule::always;
    webhooks::verifier const theirs{real};
    std::string const wrong(684 - 2, 'A');
    measure("refused by HighLevel's RSA key", [&] {
        if (theirs.check(body, {std::nullopt, wrong + "=="}, now)) std::terminate();
    });
}

} // namespace

int main(int argc, char** argv) try {
    auto const a = parse(argc, argv);
    if (a.help) {
        std::cout << usage;
        return 0;
    }
    keys const k;
    bool const good = send_through(a, k);
    measure_all(k);
    if (!good) std::puts("WRONG: see above");
    return good ? 0 : 1;
} catch (const command_line::usage_error& e) {
    std::cerr << e.what() << '\n';
    return 2;
} catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
}

// SPDX-License-Identifier: BSL-1.0
//
// A hundred thousand webhooks of every kind, good and bad, go through the receiver over loopback
// sockets: each must be answered as its kind is, each good event must come out once, and memory
// must stay bounded. Also says how many a second are verified and read.

#include "../examples/support/command_line.hpp"
#include "../tests/support/sanitizers.hpp"

#include <highlevel/detail/base64.hpp>
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

#include <openssl/evp.h>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
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
  --threads N        threads of the receiver (default: 2)
  --seed N           what is sent and in which order (default: 1)
  --quick            3000 of them, to see that it works
)";

struct arguments {
    std::size_t deliveries = 100'000;
    std::size_t connections = 16;
    std::size_t threads = 2;
    std::uint32_t seed = 1;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--deliveries"))
        a.deliveries = at.number<std::size_t>(100, 10'000'000);
    else if (at.is("--connections"))
        a.connections = at.number<std::size_t>(1, 200);
    else if (at.is("--threads"))
        a.threads = at.number<std::size_t>(1, 64);
    else if (at.is("--seed"))
        a.seed = at.number<std::uint32_t>(0, 1'000'000'000);
    else if (at.is("--quick"))
        a.deliveries = 3000;
    else
        return false;
    return true;
}

const std::chrono::system_clock::time_point start{
    std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

enum class manner : std::uint8_t {
    valid,
    by_rsa,
    again,         // a valid one, once more
    old,           // an hour
    ahead,         // an hour
    body_bit,      // one bit of the body is wrong
    signature_bit, // one bit of the signature's octets
    name_bit,      // one bit of the header field's name
    other_key,     // signed by somebody else
    not_available, // the text N/A
    no_json,       // signed, but cut before it was
    other_app,
    cut, // the connection ends within the request
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
    "cut within the request"};

class delivery {
public:
    delivery() = default;
    delivery(manner h, std::uint32_t i, std::uint32_t r) : how(h), id(i), dice(r) {}

    manner how = manner::valid;
    std::uint32_t id = 0;   // its place in time; of one that is repeated, the first one's
    std::uint32_t dice = 0; // what in it is wrong
};

// The time in which all of them happen. Much longer than an event is fresh, so that the memory of
// those that were seen must let go of some.
constexpr std::chrono::milliseconds whole{1'000'000};

class course {
public:
    explicit course(std::size_t n) : count(n) {}
    // When the delivery of that place happens.
    [[nodiscard]] std::chrono::system_clock::time_point at(std::size_t place) const {
        return start + whole * static_cast<std::int64_t>(place) / static_cast<std::int64_t>(count);
    }
    std::size_t count;
};

// In the order of time, but for neighbours.
std::vector<delivery> make_deliveries(const arguments& a) {
    std::mt19937 random{a.seed};
    constexpr std::array<std::pair<manner, unsigned>, 12> shares{{
        {manner::by_rsa, 3},
        {manner::again, 15},
        {manner::old, 5},
        {manner::ahead, 3},
        {manner::body_bit, 8},
        {manner::signature_bit, 8},
        {manner::name_bit, 5},
        {manner::other_key, 4},
        {manner::not_available, 3},
        {manner::no_json, 3},
        {manner::other_app, 3},
        {manner::cut, 2},
    }};
    std::vector<delivery> all;
    std::vector<std::uint32_t> valid;
    for (std::uint32_t i = 0; i < a.deliveries; ++i) {
        auto how = manner::valid;
        auto left = random() % 100;
        for (auto const& [which, percent] : shares) {
            if (left < percent) {
                how = which;
                break;
            }
            left -= percent;
        }
        auto id = i;
        if (how == manner::again && valid.empty()) how = manner::valid;
        if (how == manner::valid) valid.push_back(i);
        // One that is not too old to be repeated.
        if (how == manner::again)
            id = valid[valid.size() - 1 - random() % std::min(valid.size(), a.deliveries / 25)];
        all.emplace_back(how, id, static_cast<std::uint32_t>(random()));
    }
    constexpr std::ptrdiff_t neighbours = 64;
    for (auto at = all.begin(); at != all.end();) {
        auto const end = at + std::min(neighbours, all.end() - at);
        std::shuffle(at, end, random);
        at = end;
    }
    return all;
}

class keys {
public:
    webhook_signer ours;
    webhook_signer foreign;
    webhook_signer long_rsa{4096};
};

std::string body_of(const delivery& d, const course& when) {
    auto const happened = when.at(d.id) +
        (d.how == manner::old         ? -1h
             : d.how == manner::ahead ? 1h
                                      : 0h);
    constexpr std::array types{"ContactCreate", "NoteUpdate", "OpportunityStageUpdate", "Later"};
    std::string body = R"({"type":")";
    body += types[d.id % types.size()];
    body += R"(","timestamp":")";
    body += highlevel::detail::iso_text(std::chrono::floor<std::chrono::milliseconds>(happened));
    body += R"(","webhookId":"w-)" + std::to_string(d.id);
    body += d.how == manner::other_app ? R"(","appId":"theirs")" : R"(","appId":"ours")";
    body += R"(,"locationId":"ve9EPM428h8vShlRW1KT","id":"nmFmQEsNgz6AVpgLVUJ0","name":"Ada )"
            R"(Lovelace","email":"ada@example.com","tags":["a","b"],"body":"hello","more":[1,2]})";
    if (d.how == manner::no_json) body.resize(body.size() - 1 - d.dice % 40);
    return body;
}

void flip(std::string& text, std::uint32_t bit) {
    bit %= static_cast<std::uint32_t>(text.size()) * 8;
    auto& c = text[bit / 8];
    c = static_cast<char>(static_cast<unsigned char>(c) ^ 1U << bit % 8);
}

// Base64 of a signature of which one bit is another one.
std::string with_wrong_bit(const std::string& signature, std::uint32_t bit) {
    auto octets = highlevel::detail::decode_base64(signature).value();
    flip(octets, bit);
    std::string text(signature.size() + 1, '\0');
    EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(octets.data()), static_cast<int>(octets.size()));
    text.pop_back();
    return text;
}

std::string name_of(const delivery& d) {
    bool const rsa = d.how == manner::by_rsa ||
        ((d.how == manner::body_bit || d.how == manner::signature_bit) && d.dice % 2 == 0);
    std::string name{rsa ? webhooks::legacy_signature_field : webhooks::signature_field};
    if (d.how == manner::name_bit) flip(name, d.dice);
    return name;
}

std::string text_of(const delivery& d, const keys& k, const course& when) {
    auto body = body_of(d, when);
    auto const name = name_of(d);
    auto const& signer = d.how == manner::other_key ? k.foreign : k.ours;
    auto signature = d.how == manner::not_available ? std::string{"N/A"}
        : name == webhooks::legacy_signature_field  ? signer.sign_rsa(body)
                                                    : signer.sign_ed25519(body);
    if (d.how == manner::body_bit) flip(body, d.dice / 2);
    if (d.how == manner::signature_bit) signature = with_wrong_bit(signature, d.dice / 2);
    std::string text = "POST /hook HTTP/1.1\r\nHost: x\r\n" + name + ": " + signature;
    text += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    if (d.how == manner::cut) text.resize(1 + d.dice % (text.size() - 1));
    return text;
}

// What must become of a field's name of which one bit is another one: the same name, in another
// case; another name, so that there is no signature; or no name at all.
unsigned status_of_name(const std::string& name) {
    if (http::field_name_equal(name, webhooks::signature_field)) return 200;
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    auto const is_token = [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            marks.find(c) != marks.npos;
    };
    return std::all_of(name.begin(), name.end(), is_token) ? 401 : 400;
}

// The answer that it must get; 0 for none.
unsigned expected_status(const delivery& d) {
    switch (d.how) {
    case manner::valid:
    case manner::by_rsa:
    case manner::again: return 200;
    case manner::old:
    case manner::ahead:
    case manner::no_json: return 400;
    case manner::body_bit:
    case manner::signature_bit:
    case manner::other_key:
    case manner::not_available: return 401;
    case manner::name_bit: return status_of_name(name_of(d));
    case manner::other_app: return 403;
    case manner::cut: break;
    }
    return 0;
}

long peak_memory_mib() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_maxrss / 1024;
}

class tally {
public:
    std::array<std::uint64_t, manner_names.size()> sent{};
    std::array<std::uint64_t, manner_names.size()> wrong{}; // answered otherwise than it must be
    std::uint64_t names_of_another_case = 0;
    std::uint64_t names_that_are_none = 0;
    std::uint64_t pushed_back = 0;
    long memory_after_a_quarter = 0;
};

// What the senders share; they run on one thread.
class sending {
public:
    sending(const std::vector<delivery>& deliveries, const keys& signers, const course& time)
        : all(deliveries),
          k(signers),
          when(time) {}

    const std::vector<delivery>& all;
    const keys& k;
    const course& when;
    std::uint16_t port = 0;
    std::atomic<std::size_t> next{0}; // also the receiver's clock
    tally counts;
};

// The status of the answer; 0 when there was none. Closes the socket that is of no more use.
asio::awaitable<unsigned> exchange(
    asio::ip::tcp::socket& socket, std::uint16_t port, const std::string& text, bool whole_text) {
    boost::system::error_code ec;
    auto code = asio::redirect_error(asio::use_awaitable, ec);
    if (!socket.is_open()) {
        asio::ip::tcp::endpoint const to{asio::ip::address_v4::loopback(), port};
        co_await socket.async_connect(to, asio::use_awaitable);
        socket.set_option(asio::ip::tcp::no_delay{true});
    }
    co_await asio::async_write(socket, asio::buffer(text), code);
    if (!whole_text) socket.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
    std::array<char, 2048> room;
    http::response answer;
    http::response_parser parser{answer, false, 4096};
    std::string unread;
    while (!ec && !parser.done()) {
        auto const n = co_await socket.async_read_some(asio::buffer(room), code);
        unread.append(room.data(), n);
        if (!ec) unread.erase(0, parser.put(unread, ec));
    }
    if (ec || !parser.keep_alive()) socket.close(ec);
    co_return parser.done() ? answer.status : 0;
}

asio::awaitable<void> send_all(sending& of) {
    asio::ip::tcp::socket kept{co_await asio::this_coro::executor};
    while (of.next < of.all.size()) {
        auto const& d = of.all[of.next++];
        auto const kind = static_cast<std::size_t>(d.how);
        ++of.counts.sent[kind];
        auto const text = text_of(d, of.k, of.when);
        auto const expected = expected_status(d);
        if (d.how == manner::name_bit) {
            of.counts.names_of_another_case += expected == 200;
            of.counts.names_that_are_none += expected == 400;
        }
        unsigned status = 429;
        while (status == 429) {
            if (d.how == manner::cut) {
                asio::ip::tcp::socket once{kept.get_executor()};
                status = co_await exchange(once, of.port, text, false);
            } else {
                status = co_await exchange(kept, of.port, text, true);
            }
            of.counts.pushed_back += status == 429;
        }
        of.counts.wrong[kind] += status != expected;
        if (of.counts.memory_after_a_quarter == 0 && of.next >= of.all.size() / 4)
            of.counts.memory_after_a_quarter = peak_memory_mib();
    }
}

// How often each event was taken, by its id.
asio::awaitable<void> take_all(webhooks::receiver& from, std::vector<std::uint8_t>& taken) {
    while (auto event = co_await from.next()) {
        auto const& id = event->head.webhook_id;
        std::size_t place = taken.size();
        std::from_chars(
            id.data() + std::min<std::size_t>(2, id.size()), id.data() + id.size(), place);
        if (place < taken.size() && taken[place] < 255) ++taken[place];
    }
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

// Sanitizers keep what was freed.
#if defined(HIGHLEVEL_TEST_SANITIZED)
constexpr bool memory_tells = false;
#else
constexpr bool memory_tells = true;
#endif
// From the first quarter of the deliveries on. The memory of those that were seen grows a little
// beyond that quarter, since they are fresh for 300 s of the 1000 s; what grew with each delivery
// would be more.
constexpr long most_growth_mib = 8;

bool send_through(const arguments& a, const keys& k) {
    auto const all = make_deliveries(a);
    course const when{a.deliveries};
    sending of{all, k, when};
    webhooks::receiver_options options;
    auto& judged = options.inbox.guard;
    judged.signing.keys = {
        webhooks::public_key::from_pem(k.ours.ed25519_key_pem()),
        webhooks::public_key::from_pem(k.ours.rsa_key_pem())};
    judged.signing.legacy = webhooks::legacy_rule::always;
    judged.app_ids = {"ours"};
    // Room for those of the time in which an event is fresh, and not for all.
    auto const seen = std::make_shared<webhooks::memory_replay_store>(a.deliveries / 5);
    judged.seen = seen;
    options.inbox.now = [&] { return when.at(of.next); };
    options.inbox.capacity = 16;

    auto const memory_before = peak_memory_mib();
    asio::io_context house;
    webhooks::receiver receiver{house.get_executor(), options};
    receiver.start();
    of.port = receiver.port();
    std::vector<std::uint8_t> taken(a.deliveries);
    asio::co_spawn(house, take_all(receiver, taken), asio::detached);
    std::vector<std::thread> serving;
    for (std::size_t i = 0; i < a.threads; ++i)
        serving.emplace_back([&] { house.run(); });

    auto const begin = steady::now();
    {
        asio::io_context clients{1};
        for (std::size_t i = 0; i < a.connections; ++i)
            asio::co_spawn(clients, send_all(of), asio::detached);
        clients.run();
    }
    auto const seconds = std::chrono::duration<double>(steady::now() - begin).count();
    receiver.stop();
    for (auto& each : serving)
        each.join();

    auto const& counts = of.counts;
    auto const sent = [&](manner how) { return counts.sent[static_cast<std::size_t>(how)]; };
    std::printf(
        "sent over %zu connections to %zu threads in %.1f s (signing included)\n", a.connections,
        a.threads, seconds);
    checker check;
    for (std::size_t i = 0; i < manner_names.size(); ++i)
        std::printf(
            "  %-26s %8llu\n", manner_names[i], static_cast<unsigned long long>(counts.sent[i]));
    auto const found = receiver.counters();
    auto const good = sent(manner::valid) + sent(manner::by_rsa) + counts.names_of_another_case;
    std::puts("answered otherwise than their kind must be");
    for (std::size_t i = 0; i < manner_names.size(); ++i)
        check.same(manner_names[i], counts.wrong[i], 0);
    std::puts("outcomes");
    check.same("accepted", found.inbox[outcome::accepted], good);
    check.same("duplicate", found.inbox[outcome::duplicate], sent(manner::again));
    check.same("stale", found.inbox[outcome::stale], sent(manner::old) + sent(manner::ahead));
    check.same(
        "unsigned", found.inbox[outcome::not_signed],
        sent(manner::name_bit) - counts.names_of_another_case - counts.names_that_are_none +
            sent(manner::not_available));
    check.same(
        "bad_signature", found.inbox[outcome::bad_signature],
        sent(manner::body_bit) + sent(manner::signature_bit) + sent(manner::other_key));
    check.same("malformed", found.inbox[outcome::malformed], sent(manner::no_json));
    check.same("wrong_app", found.inbox[outcome::wrong_app], sent(manner::other_app));
    check.same("not HTTP", found.unreadable, counts.names_that_are_none);
    check.same("truncated", found.truncated, sent(manner::cut));
    std::puts("and besides");
    auto const times = [&](std::uint8_t n) {
        return static_cast<std::uint64_t>(std::count(taken.begin(), taken.end(), n));
    };
    check.same("events taken once", times(1), good);
    check.same("never", times(0), a.deliveries - good);
    check.same(
        "pushed back, 429", found.inbox.full + found.inbox[outcome::busy], counts.pushed_back);
    check.same("still open", found.open_connections, 0);
    check.same("still owed", seen->owed(), 0);
    check.same("forgotten too early", seen->forced_out(), 0);
    auto const growth = peak_memory_mib() - counts.memory_after_a_quarter;
    std::printf(
        "  remembered %zu of %llu; peak memory grew by %ld MiB, of these %ld MiB after the first "
        "quarter\n",
        seen->size(), static_cast<unsigned long long>(good), peak_memory_mib() - memory_before,
        growth);
    if (memory_tells && growth > most_growth_mib) {
        std::printf("  WRONG, at most: %ld MiB\n", most_growth_mib);
        check.good = false;
    }
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
    auto const body = body_of(delivery{manner::valid, 0, 0}, course{1});
    auto const take = [&](const webhooks::guard& by, const webhooks::signatures& fields) {
        auto found = by.claim(body, fields, start);
        webhooks::event made;
        if (!found || !webhooks::decode_event(body, found.head, made)) std::terminate();
        by.release(found);
    };
    auto const guard_of = [](const webhook_signer& signer) {
        webhooks::guard_options options;
        options.signing.keys = {
            webhooks::public_key::from_pem(signer.ed25519_key_pem()),
            webhooks::public_key::from_pem(signer.rsa_key_pem())};
        options.signing.legacy = webhooks::legacy_rule::always;
        return webhooks::guard{options};
    };
    auto const usual = guard_of(k.ours);
    auto const longer = guard_of(k.long_rsa);
    auto const ed25519 = k.ours.sign_ed25519(body);
    auto const rsa = k.ours.sign_rsa(body);
    auto const long_rsa = k.long_rsa.sign_rsa(body);
    std::puts("one thread");
    measure("verified (Ed25519), judged and read", [&] { take(usual, {ed25519, std::nullopt}); });
    measure("verified (RSA 2048), judged and read", [&] { take(usual, {std::nullopt, rsa}); });
    measure("verified (RSA 4096), judged and read", [&] {
        take(longer, {std::nullopt, long_rsa});
    });
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
        if (theirs.check(body, {std::nullopt, wrong + "=="}, start)) std::terminate();
    });
}

int run(const arguments& args) {
    keys const k;
    bool const good = send_through(args, k);
    measure_all(k);
    if (!good) std::puts("WRONG: see above");
    return good ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("webhooks", usage, argc, argv, take, run);
}

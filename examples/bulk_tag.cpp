// SPDX-License-Identifier: BSL-1.0
//
// Tags the contacts that a file on standard input names, an id or an email address per line, inside
// the rate limits. Can be stopped, also by force, and run again on the same input: it goes on after
// the last line that was noted. Without a token it starts a sandbox and tags what is in that.

#include "support/command_line.hpp"
#include "support/noted_file.hpp"

#include <highlevel/batch.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/safe_write.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <istream>
#include <memory>
#include <optional>
#include <ranges>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace fs = std::filesystem;
using steady = std::chrono::steady_clock;

namespace {

using command_line::usage_error;

constexpr std::string_view usage =
    R"(Tags the contacts that a file names, an id or an email address per line.

  bulk_tag --tag TAG [options] < contacts.txt

  --tag TAG          a tag to add; may be given many times. Other tags stay.
  --token TOKEN      a Private Integration token (default: $HIGHLEVEL_TOKEN)
  --location ID      the location of the contacts
  --base-url URL     the API's origin (default: $HIGHLEVEL_BASE_URL, else the live API)
  --state FILE       where it is noted how far it came (default: bulk_tag.state)
  --rejects FILE     lines that name no contact, a tab and the reason; control characters as \xHH
                     (default: bulk_tag.rejects)
  --alike N          stop, with nothing noted, when the first N lines are all rejected for the same
                     reason, for example because the location is wrong; 0: never (default: 20)
  --concurrency N    calls under way at once, 1 to 1000 (default: 16)
  --quiet            no progress, only the summary

Without a token a sandbox is started in this process, and its contacts are tagged; standard input is
not read then. Give it a file: while it waits for the next line of a pipe, nothing else goes on.

Run it again on the same input after it was stopped or killed: every line is done, and every reject
is in the file once. What fails for another reason than the line itself (the network, the token, the
day's quota) stops it; the lines from there on are left for the next run.
)";

struct arguments {
    std::string token;
    std::string base_url;
    std::string location;
    std::vector<std::string> tags;
    fs::path state = "bulk_tag.state";
    fs::path rejects = "bulk_tag.rejects";
    std::size_t concurrency = 16;
    std::uint64_t alike = 20;
    bool quiet = false;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--quiet"))
        a.quiet = true;
    else if (at.is("--tag"))
        a.tags.emplace_back(at.value());
    else if (at.is("--token"))
        a.token = at.value();
    else if (at.is("--base-url"))
        a.base_url = at.value();
    else if (at.is("--location"))
        a.location = at.value();
    else if (at.is("--state"))
        a.state = at.value();
    else if (at.is("--rejects"))
        a.rejects = at.value();
    else if (at.is("--alike"))
        a.alike = at.number<std::uint64_t>(0, 1'000'000);
    else if (at.is("--concurrency"))
        a.concurrency = at.number<std::size_t>(1, 1000);
    else
        return false;
    return true;
}

/// A line of the input, so that a stream of them is a range.
class line {
public:
    std::string text;

    friend std::istream& operator>>(std::istream& from, line& to) {
        if (std::getline(from, to.text) && !to.text.empty() && to.text.back() == '\r')
            to.text.pop_back();
        return from;
    }
};

/// A text of the input or of the server for a column of the rejects and for a terminal: control
/// characters, which would end either or steer the other, as \xHH.
std::string printable(std::string_view text) {
    std::string made;
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            made += c;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\x%02X", static_cast<unsigned>(byte));
        made += escaped;
    }
    return made;
}

/// What is written down of a run: how many lines from the beginning are settled, and the rejects
/// among them.
///
/// Nothing is written down before a line was done, or rejected for another reason than the first:
/// when all are refused alike, it is not the lines that are wrong.
class journal {
public:
    /// `what` says what is done to the lines; a note of something else is refused. `most_alike`:
    /// see `settle`.
    journal(
        const fs::path& note, const fs::path& rejects, std::string what, std::uint64_t most_alike)
        : note_(note),
          file_(rejects, note, std::move(what), resumable::not_ours::refuse),
          most_alike_(most_alike),
          first_(file_.earlier_number("settled")),
          rejected_(file_.earlier_number("rejects")),
          hash_(first_ != 0 ? file_.earlier_number("hash") : seed),
          trusted_(most_alike == 0 || first_ != rejected_),
          noted_(first_) {
        if (file_.earlier().empty()) flush();
    }

    /// Lines that an earlier run settled.
    [[nodiscard]] std::uint64_t settled_before() const noexcept { return first_; }
    [[nodiscard]] std::uint64_t rejected() const noexcept { return rejected_; }

    /// Skips what is settled. Throws when these are not the lines of the earlier run.
    void skip(std::istream& input) {
        line at;
        std::uint64_t hash = seed;
        for (std::uint64_t i = 0; i < first_; ++i) {
            if (!(input >> at))
                throw std::runtime_error{
                    input.bad() ? "the input cannot be read" : "the input is shorter than it was"};
            hash = add(hash, at.text);
        }
        if (hash != hash_)
            throw std::runtime_error{
                "the input is not that of the earlier run; move " + note_.string() +
                " and the rejects away to begin anew"};
    }

    /// A line was taken; they come in order.
    void begin(std::string_view text) { open_.emplace_back(text); }

    /// A line is done, with the reason when it was rejected. In any order. Throws when the first
    /// `most_alike` lines, of which none was done, were all rejected for the same reason; 0: never.
    void settle(std::uint64_t index, std::string_view reason) {
        auto const before = mark_.value();
        open_.at(index - before + held_).reason = reason;
        mark_.complete(index);
        for (auto i = before; i != mark_.value(); ++i) {
            trust(open_.at(held_));
            ++held_;
        }
        if (!trusted_ && alike_ == most_alike_)
            throw std::runtime_error{
                "the first " + std::to_string(alike_) + " lines are all refused alike (" +
                printable(reason_) + "), which may not be the lines' fault"};
        if (trusted_) write();
        if (first_ + mark_.value() - held_ - noted_ >= 50) flush();
    }

    /// All lines are settled: what they are rejected for is no sign of anything else.
    void finish() {
        write();
        flush();
    }

    /// Writes down how far it came.
    void flush() {
        auto const settled = first_ + mark_.value() - held_;
        boost::json::object note;
        note["settled"] = settled;
        note["hash"] = hash_;
        note["rejects"] = rejected_;
        file_.note(std::move(note));
        noted_ = settled;
    }

private:
    static constexpr std::uint64_t seed = 14'695'981'039'346'656'037U;

    static std::uint64_t add(std::uint64_t hash, std::string_view text) {
        for (char const c : text)
            hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
        return (hash ^ 0xffU) * 1'099'511'628'211U;
    }

    /// A line that is not written down yet.
    class open_line {
    public:
        explicit open_line(std::string_view t) : text(t) {}

        std::string text;
        std::string reason;
    };

    /// Learns from the next settled line whether lines can be done at all. An empty one says
    /// nothing.
    void trust(const open_line& next) {
        // What was under way beside the last of them changes nothing any more.
        if (trusted_ || alike_ == most_alike_ || next.text.empty()) return;
        if (alike_ == 0) reason_ = next.reason;
        ++alike_;
        trusted_ = next.reason.empty() || next.reason != reason_;
    }

    /// Moves the settled lines to the rejects and the hash.
    void write() {
        for (; held_ != 0; --held_) {
            auto const& done = open_.front();
            hash_ = add(hash_, done.text);
            if (!done.reason.empty()) {
                file_.append(printable(done.text) + '\t' + printable(done.reason) + '\n');
                ++rejected_;
            }
            open_.pop_front();
        }
    }

    fs::path note_;
    resumable::noted_file file_;
    std::uint64_t most_alike_;
    std::uint64_t first_;
    std::uint64_t rejected_;
    std::uint64_t hash_;
    /// Whether some line was done, or two were rejected for different reasons.
    bool trusted_;
    /// Until then: the reason of all lines, and their number.
    std::string reason_;
    std::uint64_t alike_ = 0;
    /// Lines at the beginning of `open_` that are settled and not written down.
    std::uint64_t held_ = 0;
    /// Settled lines as the note has them.
    std::uint64_t noted_;
    highlevel::watermark mark_;
    std::deque<open_line> open_;
};

/// Why a line cannot be done whatever one does; empty when the failure is not the line's.
std::string reason_of(const highlevel::failure& why) {
    switch (why.cause()) {
    case highlevel::cause::not_found: return "no such contact";
    case highlevel::cause::invalid_request:
        return why.messages().empty() ? "refused" : why.messages().front();
    default: return {};
    }
}

/// Tags one contact. Gives the reason when the line is to be rejected.
asio::awaitable<std::string> tag_one(
    highlevel::account location, std::string who, const std::vector<std::string>& tags) {
    if (who.empty()) co_return std::string{};
    highlevel::call_options how;
    how.lane = highlevel::quota::lane::bulk;
    // Adding a tag twice adds nothing, so that a call whose fate is unknown may be repeated.
    how.retry = highlevel::retry_mode::always;
    std::string reason;
    try {
        if (who.find('@') != std::string::npos) {
            contacts::get_duplicate_contact find;
            find.email = who;
            auto const got = co_await location.call(find, how);
            auto const id = got->contact ? got->contact->id.value_or("") : std::string{};
            if (id.empty()) co_return std::string{"no contact has this email"};
            who = id;
        }
        co_await highlevel::add_tags(location, who, tags, how);
    } catch (const highlevel::error& e) {
        reason = reason_of(e.failure());
        if (reason.empty()) throw;
    }
    co_return reason;
}

/// How far the run is, for the display.
class progress {
public:
    progress() = default;

    std::uint64_t done = 0;
    std::uint64_t rejected = 0;
    steady::time_point started = steady::now();

    void show(const highlevel::quota::bucket_snapshot& quota, bool terminal) const {
        auto const elapsed = std::chrono::duration<double>(steady::now() - started).count();
        char text[160];
        std::snprintf(
            text, sizeof text, "%s%llu lines, %llu rejected, %.0f/s, quota %lld of %lld left%s",
            terminal ? "\r\x1b[K" : "", static_cast<unsigned long long>(done),
            static_cast<unsigned long long>(rejected),
            elapsed > 0 ? static_cast<double>(done) / elapsed : 0.0,
            static_cast<long long>(quota.available), static_cast<long long>(quota.limit),
            terminal ? "" : "\n");
        std::cerr << text << std::flush;
    }
};

/// Tags all lines of the input.
asio::awaitable<highlevel::batch_report> tag_all(
    highlevel::account location,
    std::istream& input,
    const arguments& args,
    journal& notes,
    progress& shown) {
    auto lines = std::ranges::istream_view<line>(input);
    auto const work = [&](const line& at, std::uint64_t index) -> asio::awaitable<void> {
        notes.begin(at.text);
        auto const reason = co_await tag_one(location, at.text, args.tags);
        notes.settle(index, reason);
        ++shown.done;
        shown.rejected += reason.empty() ? 0 : 1;
    };
    co_return co_await highlevel::try_for_each(lines, args.concurrency, work);
}

int run(arguments args) {
    // Otherwise libstdc++ takes an error of standard input for its end.
    std::ios::sync_with_stdio(false);
    if (args.tags.empty()) throw usage_error{"--tag: give at least one tag"};
    auto options = highlevel::client_options::from_environment();
    if (!args.token.empty()) options.credentials = highlevel::auth::private_integration{args.token};
    if (!args.base_url.empty()) options.base_url = args.base_url;

    std::unique_ptr<highlevel::sandbox::server> sandbox;
    std::istringstream made_up;
    if (!options.credentials) {
        highlevel::sandbox::options house;
        house.contacts_per_location = 200;
        house.interval = std::chrono::milliseconds{1000};
        sandbox = std::make_unique<highlevel::sandbox::server>(house);
        sandbox->start();
        options.base_url = sandbox->base_url();
        options.credentials = highlevel::auth::private_integration{sandbox->token()};
        args.location = sandbox->locations().front().id;
        std::string ids = "nobody@example.com\n";
        for (auto const& id : sandbox->contact_ids(args.location))
            ids += id + '\n';
        made_up.str(ids);
        std::cerr << "No token given: tagging the 200 contacts of a sandbox.\n";
    }
    if (args.location.empty()) throw usage_error{"--location: say where the contacts are"};

    std::string what = args.location;
    for (auto const& tag : args.tags)
        what += '+' + tag;
    std::istream& input = sandbox ? static_cast<std::istream&>(made_up) : std::cin;
    journal notes{args.state, args.rejects, what, args.alike};
    notes.skip(input);
    if (notes.settled_before() != 0)
        std::cerr << "Going on after line " << notes.settled_before() << ".\n";

    asio::io_context context{1};
    highlevel::client client{context.get_executor(), options};
    auto const location = client.location(args.location);
    progress shown;
    std::optional<highlevel::batch_report> report;
    std::exception_ptr broken;
    asio::cancellation_signal stop;
    asio::signal_set signals{context, SIGINT, SIGTERM};
    asio::steady_timer tick{context};
    auto const ended = [&](std::exception_ptr thrown, highlevel::batch_report made) {
        if (thrown)
            broken = thrown;
        else
            report = std::move(made);
        boost::system::error_code ignored;
        signals.cancel(ignored);
        tick.cancel();
    };
    asio::co_spawn(
        context, tag_all(location, input, args, notes, shown),
        asio::bind_cancellation_slot(stop.slot(), ended));
    signals.async_wait([&](boost::system::error_code error, int) {
        if (!error) stop.emit(asio::cancellation_type::terminal);
    });
    bool const terminal = ::isatty(STDERR_FILENO) == 1;
    std::function<void()> again = [&] {
        tick.expires_after(std::chrono::milliseconds{terminal ? 200 : 1000});
        tick.async_wait([&](boost::system::error_code error) {
            if (error) return;
            shown.show(location.quota(), terminal);
            again();
        });
    };
    if (!args.quiet) again();
    context.run();
    if (terminal && !args.quiet) std::cerr << '\n';
    // Whatever happened, what is settled is noted.
    bool const at_end = report && report->exhausted && report->failed == 0 && !input.bad();
    if (at_end)
        notes.finish();
    else
        notes.flush();
    if (broken) std::rethrow_exception(broken);

    std::printf(
        "lines:    %llu now, %llu before\nrejected: %llu in %s\n",
        static_cast<unsigned long long>(shown.done),
        static_cast<unsigned long long>(notes.settled_before()),
        static_cast<unsigned long long>(notes.rejected()), args.rejects.string().c_str());
    if (at_end) return 0;
    std::printf("Not all was done. Run the same command again for the rest.\n");
    if (report && report->cancelled) return 130;
    if (report && report->range_failure) std::rethrow_exception(report->range_failure);
    if (report && !report->failures.empty())
        std::rethrow_exception(report->failures.front().thrown());
    if (input.bad()) throw std::runtime_error{"the input cannot be read"};
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("bulk_tag", usage, argc, argv, take, run);
}

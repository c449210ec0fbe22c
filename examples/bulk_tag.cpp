// SPDX-License-Identifier: BSL-1.0
//
// Tags contacts read from standard input, an id or an email address per line, inside the rate
// limits. Can be stopped, also by force, and run again on the same input: it goes on after the last
// line that was noted. Without a token it starts a sandbox and tags what is in that.

#include "support/command_line.hpp"

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
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <istream>
#include <iterator>
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
    R"(Tags contacts read from standard input, an id or an email address per line.

  bulk_tag --tag TAG [options] < contacts.txt

  --tag TAG          a tag to add; may be given many times. Other tags stay.
  --token TOKEN      a Private Integration token (default: $HIGHLEVEL_TOKEN)
  --location ID      the location of the contacts
  --base-url URL     the API's origin (default: $HIGHLEVEL_BASE_URL, else the live API)
  --state FILE       where it is noted how far it came (default: bulk_tag.state)
  --rejects FILE     lines that name no contact, with the reason (default: bulk_tag.rejects)
  --concurrency N    calls under way at once, 1 to 1000 (default: 16)
  --quiet            no progress, only the summary

Without a token a sandbox is started in this process, and its contacts are tagged; standard input is
not read then.

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
    bool quiet = false;
    bool help = false;
};

arguments parse(int argc, char** argv) {
    arguments a;
    command_line::cursor at{argc, argv};
    while (at.next()) {
        if (at.is("--help") || at.is("-h"))
            a.help = true;
        else if (at.is("--quiet"))
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
        else if (at.is("--concurrency"))
            a.concurrency = at.number<std::size_t>(1, 1000);
        else
            at.unknown();
    }
    return a;
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

/// What is written down of a run: how many lines from the beginning are settled, and the rejects
/// among them. The note and the rejects file always agree: what was written after the note is cut
/// off when they are opened again.
class journal {
public:
    /// `what` says what is done to the lines; a note of something else is refused.
    journal(fs::path note, fs::path rejects, std::string what)
        : note_(std::move(note)),
          rejects_path_(std::move(rejects)),
          what_(std::move(what)) {
        recover();
        rejects_.open(rejects_path_, std::ios::binary | std::ios::app);
        if (!rejects_) throw std::runtime_error{"cannot write " + rejects_path_.string()};
    }

    /// Lines that an earlier run settled.
    [[nodiscard]] std::uint64_t settled_before() const noexcept { return first_; }
    [[nodiscard]] std::uint64_t rejected() const noexcept { return rejected_; }

    /// Skips what is settled. Throws when these are not the lines of the earlier run.
    void skip(std::istream& input) {
        line at;
        std::uint64_t hash = seed;
        for (std::uint64_t i = 0; i < first_; ++i) {
            if (!(input >> at)) throw std::runtime_error{"the input is shorter than it was"};
            hash = add(hash, at.text);
        }
        if (hash != hash_)
            throw std::runtime_error{
                "the input is not that of the earlier run; remove " + note_.string() +
                " to begin anew"};
    }

    /// A line was taken; they come in order.
    void begin(std::string_view text) { open_.emplace_back(text); }

    /// A line is done, with the reason when it was rejected. In any order.
    void settle(std::uint64_t index, std::string_view reason) {
        auto const before = mark_.value();
        open_.at(index - before).reason = reason;
        mark_.complete(index);
        for (auto i = before; i != mark_.value(); ++i) {
            auto const& done = open_.front();
            hash_ = add(hash_, done.text);
            if (!done.reason.empty()) {
                rejects_ << done.text << '\t' << done.reason << '\n';
                ++rejected_;
            }
            open_.pop_front();
            ++unnoted_;
        }
        if (unnoted_ >= 50) flush();
    }

    /// Writes down how far it came.
    void flush() {
        rejects_.flush();
        auto const bytes = static_cast<std::int64_t>(rejects_.tellp());
        if (!rejects_) throw std::runtime_error{"cannot write " + rejects_path_.string()};
        boost::json::object note;
        note["what"] = what_;
        note["settled"] = first_ + mark_.value();
        note["hash"] = hash_;
        note["rejects"] = rejected_;
        note["bytes"] = bytes;
        auto fresh = note_;
        fresh += ".new";
        std::ofstream stream{fresh, std::ios::binary | std::ios::trunc};
        stream << boost::json::serialize(note);
        stream.close();
        if (!stream) throw std::runtime_error{"cannot write " + fresh.string()};
        fs::rename(fresh, note_);
        unnoted_ = 0;
    }

private:
    static constexpr std::uint64_t seed = 14'695'981'039'346'656'037U;

    static std::uint64_t add(std::uint64_t hash, std::string_view text) {
        for (char const c : text)
            hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
        return (hash ^ 0xffU) * 1'099'511'628'211U;
    }

    void recover() {
        std::ifstream stream{note_, std::ios::binary};
        if (!stream) {
            fs::remove(rejects_path_);
            return;
        }
        std::string const text{std::istreambuf_iterator<char>{stream}, {}};
        auto const note = boost::json::parse(text).as_object();
        if (std::string_view{note.at("what").as_string()} != what_)
            throw std::runtime_error{
                note_.string() + " is of another run (" + std::string{note.at("what").as_string()} +
                ")"};
        first_ = note.at("settled").to_number<std::uint64_t>();
        hash_ = note.at("hash").to_number<std::uint64_t>();
        rejected_ = note.at("rejects").to_number<std::uint64_t>();
        auto const bytes = note.at("bytes").to_number<std::uint64_t>();
        if (bytes != 0 || fs::exists(rejects_path_)) fs::resize_file(rejects_path_, bytes);
    }

    /// A line that is not below the mark yet.
    class open_line {
    public:
        explicit open_line(std::string_view t) : text(t) {}

        std::string text;
        std::string reason;
    };

    fs::path note_;
    fs::path rejects_path_;
    std::string what_;
    std::ofstream rejects_;
    std::uint64_t first_ = 0;
    std::uint64_t rejected_ = 0;
    std::uint64_t hash_ = seed;
    std::uint64_t unnoted_ = 0;
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
    journal notes{args.state, args.rejects, what};
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
    notes.flush();
    if (broken) std::rethrow_exception(broken);

    std::printf(
        "lines:    %llu now, %llu before\nrejected: %llu in %s\n",
        static_cast<unsigned long long>(shown.done),
        static_cast<unsigned long long>(notes.settled_before()),
        static_cast<unsigned long long>(notes.rejected()), args.rejects.string().c_str());
    if (report && report->exhausted && report->failed == 0) return 0;
    std::printf("Not all was done. Run the same command again for the rest.\n");
    if (report && report->cancelled) return 130;
    if (report && !report->failures.empty())
        std::rethrow_exception(report->failures.front().thrown());
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of("bulk_tag", usage, argc, argv, parse, run);
}

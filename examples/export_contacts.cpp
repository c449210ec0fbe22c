// SPDX-License-Identifier: BSL-1.0
//
// Exports all contacts of many locations at once, one JSON Lines or CSV file per location, inside
// the rate limits. Can be stopped, also by force, and run again: it goes on after the last page
// that was written. Without a token it starts a sandbox and exports that.

#include "support/command_line.hpp"
#include "support/noted_file.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/json/encode.hpp>
#include <highlevel/pages.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/search.hpp>
#include <highlevel/time.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace fs = std::filesystem;
using steady = std::chrono::steady_clock;

namespace {

using command_line::usage_error;

constexpr std::string_view usage = R"(Exports all contacts of many locations at once.

  export_contacts [options]

  --token TOKEN      a Private Integration token (default: $HIGHLEVEL_TOKEN)
  --location ID      a location to export; may be given many times
  --base-url URL     the API's origin (default: $HIGHLEVEL_BASE_URL, else the live API)
  --out DIR          where the files go (default: export)
  --limit N          at most N contacts of each location
  --since TIME       only contacts updated since then, for example 2026-01-31 or
                     2026-01-31T08:00:00Z; a folder that was exported with another
                     TIME needs another --out
  --csv              the best-known fields as CSV instead of all as JSON Lines
  --page-size N      contacts per request, 1 to 500 (default: 100; 20 with the sandbox)
  --quiet            no progress, only the summary

Without a token a sandbox is started in this process and exported instead:

  --sandbox-locations N   how many locations it has (default: 50)
  --sandbox-contacts N    contacts in each of them (default: 2000)
  --sandbox-interval MS   its rate limit interval (default: 1000; live: 10000)
  --sandbox-max N         requests per interval and location (default: 25; live: 100)
  --sandbox-seed N        what its contacts are made from (default: 1)

JSON Lines have U+FFFD in place of what is not UTF-8; CSV has the bytes as they came.

Each location becomes DIR/ID.jsonl (or .csv) when it is complete. Until then DIR/ID.jsonl.part has
what is there, and DIR/ID.jsonl.place where it goes on. Run it again after it was stopped or killed:
no contact is missing and none comes twice.
)";

struct arguments {
    std::string token;
    std::string base_url;
    std::vector<std::string> locations;
    fs::path out = "export";
    std::uint64_t limit = 0;
    std::int64_t page_size = 0;
    std::optional<highlevel::time::point> since;
    bool csv = false;
    bool quiet = false;
    std::size_t sandbox_locations = 50;
    std::size_t sandbox_contacts = 2000;
    std::int64_t sandbox_interval = 1000;
    std::uint32_t sandbox_max = 25;
    std::uint64_t sandbox_seed = 1;
};

/// Two exports of one location would write the same file.
void add_location(std::vector<std::string>& to, std::string_view id) {
    if (id.empty() || id.find('/') != std::string_view::npos || id.front() == '.')
        throw usage_error{"--location: '" + std::string{id} + "' is not a location id"};
    if (std::find(to.begin(), to.end(), id) != to.end())
        throw usage_error{"--location: " + std::string{id} + " is given twice"};
    to.emplace_back(id);
}

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--quiet"))
        a.quiet = true;
    else if (at.is("--token"))
        a.token = at.value();
    else if (at.is("--base-url"))
        a.base_url = at.value();
    else if (at.is("--location"))
        add_location(a.locations, at.value());
    else if (at.is("--out"))
        a.out = at.value();
    else if (at.is("--limit"))
        a.limit = at.number<std::uint64_t>(1, 1U << 31U);
    else if (at.is("--page-size"))
        a.page_size = at.number<std::int64_t>(1, 500);
    else if (at.is("--csv"))
        a.csv = true;
    else if (at.is("--since")) {
        auto const text = at.value();
        a.since = highlevel::time::parse(text);
        if (!a.since) throw usage_error{"--since: '" + std::string{text} + "' is not a time"};
    } else if (at.is("--sandbox-seed"))
        a.sandbox_seed = at.number<std::uint64_t>(0, 1U << 31U);
    else if (at.is("--sandbox-locations"))
        a.sandbox_locations = at.number<std::size_t>(1, 100'000);
    else if (at.is("--sandbox-contacts"))
        a.sandbox_contacts = at.number<std::size_t>(0, 1'000'000);
    else if (at.is("--sandbox-interval"))
        a.sandbox_interval = at.number<std::int64_t>(100, 3'600'000);
    else if (at.is("--sandbox-max"))
        a.sandbox_max = at.number<std::uint32_t>(1, 60'000);
    else
        return false;
    return true;
}

/// Counts what the client sends. Told from whichever thread runs a call.
class counting_observer final : public highlevel::observer {
public:
    void on_attempt(
        const highlevel::call_info& /*call*/,
        const highlevel::attempt_event& event) noexcept override {
        requests.fetch_add(1, std::memory_order_relaxed);
        if (event.retried) retries.fetch_add(1, std::memory_order_relaxed);
        if (event.status == 429) refused.fetch_add(1, std::memory_order_relaxed);
    }

    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> retries{0};
    std::atomic<std::uint64_t> refused{0};
};

enum class stage : std::uint8_t { waiting, running, done, skipped, stopped, failed };

/// One location's export.
class job {
public:
    explicit job(std::string location_id) : id(std::move(location_id)) {}

    std::string id;
    stage at = stage::waiting;
    std::uint64_t written = 0;
    /// As the server gave it with the first page; 0 when it did not.
    std::uint64_t total = 0;
    std::string problem;
    asio::cancellation_signal stop;
};

/// A location's file, which appears under its name only when it is complete.
class export_file {
public:
    /// `what` says what is exported; a beginning of something else is thrown away.
    export_file(const fs::path& target, std::string what)
        : target_(target),
          part_(beside(target, ".part")),
          place_(beside(target, ".place")),
          file_(part_, place_, std::move(what), resumable::not_ours::remove),
          records_(file_.earlier_number("records")) {
        if (auto const* const token = file_.earlier().if_contains("token");
            token != nullptr && token->is_string())
            token_ = std::string_view{token->get_string()};
    }

    /// Where the list goes on; empty at its beginning.
    [[nodiscard]] const std::string& token() const noexcept { return token_; }
    [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
    [[nodiscard]] bool empty() const noexcept { return file_.empty(); }

    /// Appends whole records, then notes the place after them.
    void append(std::string_view text, std::uint64_t records, std::string token) {
        records_ += records;
        token_ = std::move(token);
        file_.append(text);
        boost::json::object note;
        note["records"] = records_;
        note["token"] = token_;
        file_.note(std::move(note));
    }

    void commit() {
        file_.close();
        fs::rename(part_, target_);
        clear(target_);
    }

    /// Removes the note of a complete export: a run may be killed before it has done so.
    static void clear(const fs::path& target) { fs::remove(beside(target, ".place")); }

private:
    static fs::path beside(fs::path target, const char* ending) {
        target += ending;
        return target;
    }

    fs::path target_;
    fs::path part_;
    fs::path place_;
    resumable::noted_file file_;
    std::string token_;
    std::uint64_t records_;
};

using contact_type = contacts::types::searched_contact;

void append_csv(std::string& out, std::string_view text, bool last = false) {
    bool const quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
    if (quoted) out += '"';
    for (char const c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    if (quoted) out += '"';
    out += last ? "\r\n" : ",";
}

constexpr std::string_view csv_heading =
    "id,firstName,lastName,email,phone,companyName,tags,dateAdded,dateUpdated\r\n";

void append_record(std::string& out, const contact_type& contact, bool csv) {
    if (!csv) {
        auto const before = out.size();
        // Such a text is read as it came, and would fail the location in every run.
        highlevel::json::encode_options how;
        how.replace_invalid_utf8 = true;
        // A broken line must not pass for a record.
        if (auto const made = highlevel::json::encode(contact, out, how); !made) {
            out.resize(before);
            throw std::runtime_error{
                "contact " + contact.id.value_or("?") + " cannot be written: " + made.text};
        }
        out += '\n';
        return;
    }
    std::string tags;
    for (auto const& tag : contact.tags) {
        if (!tags.empty()) tags += ';';
        tags += tag;
    }
    append_csv(out, contact.id.value_or(""));
    append_csv(out, contact.first_name.value_or(""));
    append_csv(out, contact.last_name.value_or(""));
    append_csv(out, contact.email.value_or(""));
    append_csv(out, contact.phone.value_or(""));
    append_csv(out, contact.company_name.value_or(""));
    append_csv(out, tags);
    append_csv(out, contact.date_added.value_or(""));
    append_csv(out, contact.date_updated.value_or(""), true);
}

/// The search for what is wanted of a location.
contacts::search_contacts_advanced search_of(const arguments& args) {
    contacts::search_contacts_advanced search;
    search.body.page_limit = args.page_size;
    if (args.since)
        highlevel::search::apply(search, {highlevel::search::since("dateUpdated", *args.since)});
    return search;
}

/// Pages through one location's contacts and writes each as a line.
asio::awaitable<void> export_location(
    const highlevel::client& client, const arguments& args, job& work) {
    auto const target = args.out / (work.id + (args.csv ? ".csv" : ".jsonl"));
    if (fs::exists(target)) {
        export_file::clear(target);
        work.at = stage::skipped;
        co_return;
    }
    work.at = stage::running;
    auto const search = search_of(args);
    // The limit, too: it ends the file within a page, and the place noted is that after the page.
    boost::json::object what;
    if (search.body.filters) what["filter"] = search.body.filters->front();
    if (args.limit != 0) what["limit"] = args.limit;
    export_file file{target, boost::json::serialize(what)};
    work.written = file.records();
    std::string lines;
    if (args.csv && file.empty()) lines = csv_heading;

    // region: begin pages
    highlevel::page_options options;
    options.from = file.token();
    options.call.lane = highlevel::quota::lane::bulk;
    auto pages = client.location(work.id).pages(search, options);
    while (args.limit == 0 || work.written < args.limit) {
        auto const page = co_await pages.next();
        if (!page) break;
        work.total = pages.total().value_or(0);
        std::uint64_t records = 0;
        for (auto const& contact : (*page)->contacts) {
            if (args.limit != 0 && work.written == args.limit) break;
            append_record(lines, contact, args.csv);
            ++work.written;
            ++records;
        }
        file.append(lines, records, pages.page_token());
        lines.clear();
    }
    // region: end pages
    file.commit();
    work.at = stage::done;
}

/// Shows how far the jobs are: a live display on a terminal, a line now and then elsewhere.
class display {
public:
    display(
        const std::deque<job>& jobs,
        const counting_observer& counts,
        const highlevel::client& client,
        bool terminal)
        : jobs_(jobs),
          counts_(counts),
          client_(client),
          terminal_(terminal) {}

    void show(bool final_time) {
        auto const now = steady::now();
        auto const elapsed = std::chrono::duration<double>(now - started_).count();
        std::size_t finished = 0;
        std::uint64_t written = 0;
        std::uint64_t expected = 0;
        std::vector<const job*> running;
        for (auto const& j : jobs_) {
            if (j.at == stage::running)
                running.push_back(&j);
            else if (j.at != stage::waiting)
                ++finished;
            if (j.at == stage::skipped) continue;
            written += j.written;
            expected += std::max(j.total, j.written);
        }
        auto const requests = counts_.requests.load(std::memory_order_relaxed);
        auto const since = std::chrono::duration<double>(now - shown_at_).count();
        auto const rate = since > 0 ? static_cast<double>(requests - shown_requests_) / since : 0.0;
        shown_at_ = now;
        shown_requests_ = requests;

        char line[256];
        std::snprintf(
            line, sizeof line, "%zu/%zu locations  %llu contacts  %.0f requests/s  429s %llu  %s",
            finished, jobs_.size(), static_cast<unsigned long long>(written), rate,
            static_cast<unsigned long long>(counts_.refused.load(std::memory_order_relaxed)),
            eta(elapsed, written, expected, final_time).c_str());
        if (!terminal_) {
            std::cerr << line << '\n';
            return;
        }
        std::string screen;
        if (drawn_ != 0) screen += "\x1b[" + std::to_string(drawn_) + 'A';
        screen += "\x1b[J";
        screen += line;
        screen += '\n';
        drawn_ = 1;
        if (!final_time) {
            constexpr std::size_t rows = 10;
            for (std::size_t i = 0; i < std::min(rows, running.size()); ++i, ++drawn_)
                screen += row(*running[i]);
            if (running.size() > rows) {
                screen += "  and " + std::to_string(running.size() - rows) + " more\n";
                ++drawn_;
            }
        }
        std::cerr << screen << std::flush;
    }

private:
    static std::string eta(
        double elapsed, std::uint64_t written, std::uint64_t expected, bool final_time) {
        if (final_time || written == 0 || expected <= written) return {};
        auto const left =
            elapsed * static_cast<double>(expected - written) / static_cast<double>(written);
        return "ETA " + std::to_string(static_cast<long>(left) + 1) + " s";
    }

    std::string row(const job& j) const {
        auto const quota = client_.quota(j.id);
        constexpr int width = 20;
        auto const limit = std::max<std::int64_t>(1, static_cast<std::int64_t>(quota.limit));
        auto const used =
            std::clamp<std::int64_t>(limit - static_cast<std::int64_t>(quota.available), 0, limit);
        auto const filled = static_cast<int>(used * width / limit);
        std::string bar(static_cast<std::size_t>(width), '.');
        std::fill_n(bar.begin(), filled, '#');
        char line[256];
        std::snprintf(
            line, sizeof line, "  %-22.22s quota [%s] %lld/%lld  %llu contacts\n", j.id.c_str(),
            bar.c_str(), static_cast<long long>(used), static_cast<long long>(limit),
            static_cast<unsigned long long>(j.written));
        return line;
    }

    const std::deque<job>& jobs_;
    const counting_observer& counts_;
    const highlevel::client& client_;
    bool terminal_;
    steady::time_point started_ = steady::now();
    steady::time_point shown_at_ = steady::now();
    std::uint64_t shown_requests_ = 0;
    int drawn_ = 0;
};

/// Starts one coroutine per location and returns when all have ended.
void run_jobs(
    asio::io_context& context,
    const highlevel::client& client,
    const arguments& args,
    std::deque<job>& jobs,
    display& progress,
    bool& stopped) {
    std::size_t left = jobs.size();
    asio::signal_set signals{context, SIGINT, SIGTERM};
    asio::steady_timer tick{context};
    auto const finish = [&] {
        boost::system::error_code ignored;
        signals.cancel(ignored);
        tick.cancel();
    };
    for (auto& work : jobs) {
        auto const ended = [&](std::exception_ptr thrown) {
            if (thrown) {
                work.at = stage::failed;
                try {
                    std::rethrow_exception(thrown);
                } catch (const highlevel::error& e) {
                    if (e.cause() == highlevel::cause::cancelled) work.at = stage::stopped;
                    work.problem = e.what();
                } catch (const boost::system::system_error& e) {
                    if (e.code() == asio::error::operation_aborted) work.at = stage::stopped;
                    work.problem = e.what();
                } catch (const std::exception& e) {
                    work.problem = e.what();
                }
            }
            if (--left == 0) finish();
        };
        asio::co_spawn(
            context, export_location(client, args, work),
            asio::bind_cancellation_slot(work.stop.slot(), ended));
    }
    signals.async_wait([&](boost::system::error_code error, int) {
        if (error) return;
        stopped = true;
        for (auto& work : jobs)
            work.stop.emit(asio::cancellation_type::terminal);
    });
    bool const terminal = ::isatty(STDERR_FILENO) == 1;
    std::function<void()> again = [&] {
        tick.expires_after(std::chrono::milliseconds{terminal ? 200 : 1000});
        tick.async_wait([&](boost::system::error_code error) {
            if (error || left == 0) return;
            progress.show(false);
            again();
        });
    };
    if (!args.quiet) again();
    context.run();
}

/// The most requests that the limits admit to one location in that time.
double admitted(const highlevel::quota::bucket_snapshot& quota, double seconds) {
    auto const interval = std::chrono::duration<double>(quota.interval).count();
    return static_cast<double>(quota.limit) * std::max(1.0, seconds / interval);
}

int run(arguments args) {
    auto options = highlevel::client_options::from_environment();
    if (!args.token.empty()) options.credentials = highlevel::auth::private_integration{args.token};
    if (!args.base_url.empty()) options.base_url = args.base_url;

    std::unique_ptr<highlevel::sandbox::server> sandbox;
    if (!options.credentials) {
        if (!args.base_url.empty()) throw usage_error{"--base-url: a token is needed with it"};
        highlevel::sandbox::options house;
        house.tls = true;
        house.locations = args.sandbox_locations;
        house.contacts_per_location = args.sandbox_contacts;
        house.interval = std::chrono::milliseconds{args.sandbox_interval};
        house.max = args.sandbox_max;
        house.seed = args.sandbox_seed;
        sandbox = std::make_unique<highlevel::sandbox::server>(house);
        sandbox->start();
        options.base_url = sandbox->base_url();
        options.tls.ca_pem = sandbox->ca_certificate_pem();
        options.credentials = highlevel::auth::private_integration{sandbox->token()};
        if (args.locations.empty())
            for (auto const& location : sandbox->locations())
                args.locations.push_back(location.id);
        if (args.page_size == 0) args.page_size = 20;
        std::cerr << "No token given: exporting a sandbox at " << options.base_url << " with "
                  << args.locations.size() << " locations of " << args.sandbox_contacts
                  << " contacts,\nlimited to " << args.sandbox_max << " requests per "
                  << args.sandbox_interval << " ms and location (live: 100 per 10000 ms).\n";
    }
    if (args.page_size == 0) args.page_size = 100;
    if (args.locations.empty()) throw usage_error{"--location: give at least one location id"};
    fs::create_directories(args.out);

    auto const counts = std::make_shared<counting_observer>();
    options.observer = counts;
    asio::io_context context{1};
    highlevel::client client{context.get_executor(), options};
    std::deque<job> jobs;
    for (auto const& id : args.locations)
        jobs.emplace_back(id);
    display progress{jobs, *counts, client, ::isatty(STDERR_FILENO) == 1};
    bool stopped = false;
    auto const started = steady::now();
    run_jobs(context, client, args, jobs, progress, stopped);
    auto const elapsed = std::chrono::duration<double>(steady::now() - started).count();
    if (!args.quiet) progress.show(true);

    std::size_t at[6] = {};
    std::uint64_t written = 0;
    double most = 0;
    for (auto const& j : jobs) {
        ++at[static_cast<std::size_t>(j.at)];
        if (j.at == stage::done) written += j.written;
        if (j.at == stage::failed) std::cerr << j.id << ": " << j.problem << '\n';
        if (j.at != stage::skipped) most += admitted(client.quota(j.id), elapsed);
    }
    auto const count = [&](stage s) { return at[static_cast<std::size_t>(s)]; };
    auto const requests = counts->requests.load();
    std::printf(
        "locations: %zu exported, %zu already there, %zu failed, %zu stopped\n"
        "contacts:  %llu in %s\n"
        "requests:  %llu, %llu retries, %llu answered with 429\n"
        "elapsed:   %.1f s, %.0f requests/s, %.0f %% of what the limits admit\n",
        count(stage::done), count(stage::skipped), count(stage::failed),
        count(stage::stopped) + count(stage::waiting), static_cast<unsigned long long>(written),
        args.out.string().c_str(), static_cast<unsigned long long>(requests),
        static_cast<unsigned long long>(counts->retries.load()),
        static_cast<unsigned long long>(counts->refused.load()), elapsed,
        elapsed > 0 ? static_cast<double>(requests) / elapsed : 0.0,
        most > 0 ? 100.0 * static_cast<double>(requests) / most : 0.0);
    if (stopped) std::printf("Stopped. Run the same command again for the rest.\n");
    return count(stage::failed) != 0 ? 1 : stopped ? 130 : 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("export_contacts", usage, argc, argv, take, run);
}

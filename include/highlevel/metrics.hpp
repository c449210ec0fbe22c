// SPDX-License-Identifier: BSL-1.0
//
// Counts what a client does, and writes the counts for Prometheus and whatever else reads its text
// format or OpenMetrics.
#pragma once

#include <highlevel/json/detail/text.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/observer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel {

/// How metrics are kept.
class metrics_options {
public:
    metrics_options() = default;

    /// What each name begins with: letters, digits and underscores, not a digit first.
    std::string prefix = "highlevel";
    /// Upper bounds of the buckets of all durations, in seconds, ascending and finite; one without
    /// an end is added.
    std::vector<double> buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
    /// Operations that get series of their own, the first ones called; all others are "other"
    /// together. Bounds the size of the text.
    std::size_t max_operations = 200;

    /// Throws std::invalid_argument that names the option that cannot be used.
    void validate() const {
        auto const is_letter = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        };
        bool good = !prefix.empty() && is_letter(prefix.front());
        for (char const c : prefix)
            good = good && (is_letter(c) || (c >= '0' && c <= '9'));
        if (!good) throw std::invalid_argument{"prefix: must be letters, digits and underscores"};
        for (std::size_t i = 0; i < buckets.size(); ++i)
            if (!std::isfinite(buckets[i]) || (i != 0 && buckets[i] <= buckets[i - 1]))
                throw std::invalid_argument{"buckets: must be finite and ascend"};
    }
};

/// An observer that counts. What it counts, docs/observability.md lists.
///
/// Labels are operations, kinds of resources ("location", "company"), lanes, HTTP statuses and
/// enumerators of this library: never an id, so that the number of series is bounded however many
/// locations there are. A raw request is the operation "raw".
///
/// An event takes a lock for as long as it takes to add a number; a scrape holds it while it copies
/// the numbers.
///
/// Thread safety: shared objects: safe.
class metrics final : public observer {
public:
    /// The `Content-Type` of prometheus().
    static constexpr std::string_view prometheus_content_type =
        "text/plain; version=0.0.4; charset=utf-8";
    /// The `Content-Type` of open_metrics(); Prometheus asks for it in `Accept`.
    static constexpr std::string_view open_metrics_content_type =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Throws std::invalid_argument that names the option that cannot be used.
    explicit metrics(metrics_options options = {}) : options_(std::move(options)) {
        options_.validate();
        for (auto& of_class : counted_.classes) {
            of_class.attempts_took.begin(options_.buckets);
            for (auto& waits : of_class.waited)
                waits.begin(options_.buckets);
        }
        for (auto& took : counted_.renewal_took)
            took.begin(options_.buckets);
        counted_.connect_took.begin(options_.buckets);
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    [[nodiscard]] std::string prometheus() const { return render(false); }

    /// All metrics in the format of OpenMetrics 1.0.
    [[nodiscard]] std::string open_metrics() const { return render(true); }

    void on_call_start(const call_info& call) noexcept override {
        update([&] { ++of(call).in_progress; });
    }

    void on_call_end(const call_info& call, const call_end_event& event) noexcept override {
        update([&] {
            --of(call).in_progress;
            auto& operation = operation_of(call);
            auto const outcome = event.error ? to_string(event.cause) : "success";
            ++operation.calls[outcome];
            operation.took.add(event.took, options_.buckets);
        });
    }

    void on_throttled(const call_info& call) noexcept override {
        update([&] { ++of(call).waiting[index(call.lane)]; });
    }

    void on_permit(const call_info& call, const permit_event& event) noexcept override {
        update([&] {
            auto& counts = of(call);
            if (event.queued) --counts.waiting[index(call.lane)];
            ++(event.error ? counts.denied : counts.granted);
            counts.waited[index(call.lane)].add(event.waited, options_.buckets);
        });
    }

    void on_permit_settled(
        const call_info& call, const permit_settled_event& event) noexcept override {
        update([&] { ++of(call).settled[index(event.how)]; });
    }

    void on_attempt(const call_info& call, const attempt_event& event) noexcept override {
        update([&] {
            auto& counts = of(call);
            ++counts.attempts[std::min(event.status, other_status)];
            counts.attempts_took.add(event.took, options_.buckets);
        });
    }

    void on_retry(const call_info& call, const retry_event& event) noexcept override {
        update([&] { ++of(call).retries[index(event.reason)]; });
    }

    void on_diagnostics(const call_info& call, const json::diagnostics& bent) noexcept override {
        update([&] { operation_of(call).bent += bent.total(); });
    }

    void on_token_refresh(const auth::token_refresh_event& event) noexcept override {
        update([&] {
            auto const how = index(event.how);
            ++counted_.renewals[class_of(event.resource)][how][event.error ? 1 : 0];
            counted_.renewal_took[how].add(event.took, options_.buckets);
        });
    }

    void on_connection_open(const http::connection_open_event& event) noexcept override {
        update([&] {
            if (event.error) {
                ++counted_.open_failures;
                return;
            }
            ++counted_.connections;
            ++counted_.opened[event.secure ? event.resumed ? 2U : 1U : 0U];
            counted_.connect_took.add(event.took, options_.buckets);
        });
    }

    void on_connection_close(const http::connection_close_event& event) noexcept override {
        update([&] {
            --counted_.connections;
            ++counted_.closed[index(event.reason)];
            counted_.closed_requests += event.requests;
        });
    }

private:
    /// Stands for all from it on: a server that makes statuses up must not make series without end.
    static constexpr unsigned other_status = 600;

    /// Counts by the size of what was measured.
    class histogram {
    public:
        void begin(const std::vector<double>& bounds) { counts.assign(bounds.size() + 1, 0); }

        void add(std::chrono::nanoseconds value, const std::vector<double>& bounds) noexcept {
            auto const seconds = std::chrono::duration<double>{value}.count();
            auto const at = std::lower_bound(bounds.begin(), bounds.end(), seconds);
            ++counts[static_cast<std::size_t>(at - bounds.begin())];
            sum += seconds;
        }

        /// One for each bound, and one for what is beyond them all.
        std::vector<std::uint64_t> counts;
        double sum = 0;
    };

    /// Of one operation on one kind of resource.
    class operation_counts {
    public:
        /// By outcome; the names are constants.
        std::map<std::string_view, std::uint64_t> calls;
        histogram took;
        std::uint64_t bent = 0;
    };

    /// Of one kind of resource.
    class class_counts {
    public:
        std::int64_t in_progress = 0;
        std::array<std::int64_t, 2> waiting{};
        std::array<histogram, 2> waited;
        std::uint64_t granted = 0;
        std::uint64_t denied = 0;
        std::array<std::uint64_t, 3> settled{};
        std::map<unsigned, std::uint64_t> attempts;
        histogram attempts_took;
        std::array<std::uint64_t, 3> retries{};
        std::map<std::string, operation_counts, std::less<>> operations;
    };

    class label {
    public:
        std::string_view name;
        std::string_view value;
    };
    using labels = std::initializer_list<label>;

    /// The text in the making.
    class writer {
    public:
        writer(const metrics_options& options, bool open) : options_(options), open_(open) {}

        /// Begins a family; `name` without prefix, and without "_total".
        void family(std::string_view name, std::string_view type, std::string_view help) {
            name_ = options_.prefix;
            name_.append("_").append(name);
            auto const shown = type == "counter" && !open_ ? name_ + "_total" : name_;
            out_.append("# HELP ").append(shown).append(" ").append(help).append("\n");
            out_.append("# TYPE ").append(shown).append(" ").append(type).append("\n");
            constexpr std::string_view seconds = "seconds";
            if (open_ && name_.ends_with(seconds))
                out_.append("# UNIT ").append(name_).append(" seconds\n");
        }

        void counter(labels of, std::uint64_t value) { sample("_total", of, {}, value); }
        void gauge(labels of, std::int64_t value) { sample("", of, {}, value); }
        void durations(labels of, const histogram& h) {
            std::uint64_t sum = 0;
            for (std::size_t i = 0; i < h.counts.size(); ++i) {
                sum += h.counts[i];
                std::string le{"+Inf"};
                if (i < options_.buckets.size()) le = bound(options_.buckets[i]);
                sample("_bucket", of, le, sum);
            }
            sample("_sum", of, {}, h.sum);
            sample("_count", of, {}, sum);
        }

        [[nodiscard]] std::string end() && {
            if (open_) out_ += "# EOF\n";
            return std::move(out_);
        }

    private:
        template <class Number>
        void sample(std::string_view suffix, labels of, std::string_view le, Number value) {
            out_.append(name_).append(suffix);
            char next = '{';
            auto const add = [&](std::string_view name, std::string_view text) {
                out_ += std::exchange(next, ',');
                out_.append(name).append("=\"");
                for (char const c : text) {
                    if (c == '\\' || c == '"') out_ += '\\';
                    if (c == '\n')
                        out_ += "\\n";
                    else
                        out_ += c;
                }
                out_ += '"';
            };
            for (auto const& l : of)
                add(l.name, l.value);
            if (!le.empty()) add("le", le);
            if (next == ',') out_ += '}';
            out_ += ' ';
            json::detail::append_number(out_, value);
            out_ += '\n';
        }

        /// Always with a point: "1" and "1.0" would be two series.
        [[nodiscard]] static std::string bound(double value) {
            std::string text;
            json::detail::append_number(text, value);
            if (text.find_first_of(".e") == std::string::npos) text += ".0";
            return text;
        }

        const metrics_options& options_;
        bool open_;
        std::string name_;
        std::string out_;
    };

    template <class Enum>
    [[nodiscard]] static constexpr std::size_t index(Enum e) noexcept {
        return static_cast<std::size_t>(e);
    }
    [[nodiscard]] static std::size_t class_of(std::string_view resource) noexcept {
        return resource.starts_with("company:") ? 1 : 0;
    }
    [[nodiscard]] static std::string_view class_name(std::size_t at) noexcept {
        return at == 0 ? "location" : "company";
    }
    /// All that is counted. A scrape copies it, and writes the text while events go on.
    class tally {
    public:
        /// Locations, companies.
        std::array<class_counts, 2> classes;
        /// By class, kind, and whether it failed.
        std::array<std::array<std::array<std::uint64_t, 2>, 2>, 2> renewals{};
        std::array<histogram, 2> renewal_took;
        std::int64_t connections = 0;
        std::array<std::uint64_t, 3> opened{};
        std::uint64_t open_failures = 0;
        histogram connect_took;
        std::array<std::uint64_t, 6> closed{};
        std::uint64_t closed_requests = 0;

        void write(writer& to) const {
            render_calls(to);
            render_permits(to);
            render_attempts(to);
            render_tokens(to);
            render_connections(to);
        }

    private:
        /// Calls `each(name of the class, its counts)`.
        template <class Each>
        void for_classes(Each each) const {
            for (std::size_t i = 0; i < classes.size(); ++i)
                each(class_name(i), classes[i]);
        }
        /// Calls `each(name of the class, name of the operation, its counts)`.
        template <class Each>
        void for_operations(Each each) const {
            for_classes([&](std::string_view kind, const class_counts& counts) {
                for (auto const& [name, operation] : counts.operations)
                    each(kind, name, operation);
            });
        }

        void render_calls(writer& to) const {
            to.family("calls", "counter", "Calls that ended, by what came of them.");
            for_operations([&](auto kind, const auto& name, const auto& counts) {
                for (auto const& [outcome, count] : counts.calls)
                    to.counter(
                        {{"operation", name}, {"resource_class", kind}, {"outcome", outcome}},
                        count);
            });
            to.family(
                "call_duration_seconds", "histogram",
                "Time from the beginning of a call to its decoded response.");
            for_operations([&](auto kind, const auto& name, const auto& counts) {
                // Begun by what had to be bent alone: no call has ended yet.
                if (!counts.calls.empty())
                    to.durations({{"operation", name}, {"resource_class", kind}}, counts.took);
            });
            to.family("calls_in_progress", "gauge", "Calls under way.");
            for_classes([&](auto kind, const auto& counts) {
                to.gauge({{"resource_class", kind}}, counts.in_progress);
            });
            to.family(
                "decode_diagnostics", "counter",
                "Places in which responses did not match their type and were decoded all the "
                "same.");
            for_operations([&](auto kind, const auto& name, const auto& counts) {
                to.counter({{"operation", name}, {"resource_class", kind}}, counts.bent);
            });
        }

        void render_permits(writer& to) const {
            constexpr std::array lanes{quota::lane::interactive, quota::lane::bulk};
            to.family("calls_waiting", "gauge", "Calls that wait for a permit of the rate limit.");
            for_classes([&](auto kind, const auto& counts) {
                for (auto const lane : lanes)
                    to.gauge(
                        {{"resource_class", kind}, {"lane", to_string(lane)}},
                        counts.waiting[index(lane)]);
            });
            to.family("permit_wait_seconds", "histogram", "Time that calls waited for a permit.");
            for_classes([&](auto kind, const auto& counts) {
                for (auto const lane : lanes)
                    to.durations(
                        {{"resource_class", kind}, {"lane", to_string(lane)}},
                        counts.waited[index(lane)]);
            });
            to.family("permits", "counter", "Permits asked for, by whether they were given.");
            for_classes([&](auto kind, const auto& counts) {
                to.counter({{"resource_class", kind}, {"outcome", "granted"}}, counts.granted);
                to.counter({{"resource_class", kind}, {"outcome", "denied"}}, counts.denied);
            });
            to.family("permits_settled", "counter", "Permits given back, by what came of them.");
            for_classes([&](auto kind, const auto& counts) {
                for (auto const how : {permit_end::settled, permit_end::lost, permit_end::unsent})
                    to.counter(
                        {{"resource_class", kind}, {"outcome", to_string(how)}},
                        counts.settled[index(how)]);
            });
        }

        void render_attempts(writer& to) const {
            to.family("attempts", "counter", "Requests sent, by the status of their response.");
            for_classes([&](auto kind, const auto& counts) {
                for (auto const& [status, count] : counts.attempts) {
                    auto const text = status == 0 ? "none"
                        : status == other_status  ? "other"
                                                  : std::to_string(status);
                    to.counter({{"resource_class", kind}, {"status", text}}, count);
                }
            });
            to.family(
                "attempt_duration_seconds", "histogram",
                "Time from the permit of a request to the end of its response.");
            for_classes([&](auto kind, const auto& counts) {
                to.durations({{"resource_class", kind}}, counts.attempts_took);
            });
            to.family("retries", "counter", "Requests that were sent again, by why.");
            for_classes([&](auto kind, const auto& counts) {
                for (auto const why :
                     {retry_reason::rate_limited, retry_reason::token_renewed,
                      retry_reason::transient})
                    to.counter(
                        {{"resource_class", kind}, {"reason", to_string(why)}},
                        counts.retries[index(why)]);
            });
        }

        void render_tokens(writer& to) const {
            constexpr std::array kinds{auth::renewal_kind::refresh, auth::renewal_kind::mint};
            to.family("token_refreshes", "counter", "Attempts to renew a token.");
            for (std::size_t i = 0; i < renewals.size(); ++i)
                for (auto const how : kinds)
                    for (std::size_t failed = 0; failed < 2; ++failed)
                        to.counter(
                            {{"resource_class", class_name(i)},
                             {"kind", to_string(how)},
                             {"outcome", failed != 0 ? "failure" : "success"}},
                            renewals[i][index(how)][failed]);
            to.family("token_refresh_duration_seconds", "histogram", "Time that renewals took.");
            for (auto const how : kinds)
                to.durations({{"kind", to_string(how)}}, renewal_took[index(how)]);
        }

        void render_connections(writer& to) const {
            using http::close_reason;
            to.family("connections_open", "gauge", "Connections that are open.");
            to.gauge({}, connections);
            to.family(
                "connections_opened", "counter", "Connections opened, by their TLS handshake.");
            constexpr std::array<std::string_view, 3> handshakes{"none", "full", "resumed"};
            for (std::size_t i = 0; i < handshakes.size(); ++i)
                to.counter({{"tls", handshakes[i]}}, opened[i]);
            to.family("connection_failures", "counter", "Connections that could not be opened.");
            to.counter({}, open_failures);
            to.family("connect_duration_seconds", "histogram", "Time to open a connection.");
            to.durations({}, connect_took);
            to.family("connections_closed", "counter", "Connections closed, by why.");
            for (auto const why :
                 {close_reason::retired, close_reason::stale, close_reason::server,
                  close_reason::failed, close_reason::cancelled, close_reason::shutdown})
                to.counter({{"reason", to_string(why)}}, closed[index(why)]);
            to.family(
                "closed_connection_requests", "counter",
                "Requests that were sent on the connections that are closed by now.");
            to.counter({}, closed_requests);
        }
    };

    [[nodiscard]] class_counts& of(const call_info& call) noexcept {
        return counted_.classes[class_of(call.resource)];
    }

    [[nodiscard]] operation_counts& operation_of(const call_info& call) {
        auto& all = of(call).operations;
        auto const name = call.operation.empty() ? std::string_view{"raw"} : call.operation;
        auto found = all.find(name);
        if (found == all.end()) {
            bool const full = all.size() >= options_.max_operations;
            found = all.try_emplace(std::string{full ? "other" : name}).first;
        }
        // Also for a series whose making a lack of memory cut short.
        if (found->second.took.counts.empty()) found->second.took.begin(options_.buckets);
        return found->second;
    }

    template <class Change>
    void update(Change change) noexcept {
        try {
            std::lock_guard const lock{mutex_};
            change();
        } catch (...) {
            // Lack of memory for a new series: the event stays uncounted.
            return;
        }
    }

    [[nodiscard]] std::string render(bool open) const {
        auto const seen = [&] {
            std::lock_guard const lock{mutex_};
            return counted_;
        }();
        writer to{options_, open};
        seen.write(to);
        return std::move(to).end();
    }

    metrics_options options_;

    mutable std::mutex mutex_;
    tally counted_;
};

} // namespace highlevel

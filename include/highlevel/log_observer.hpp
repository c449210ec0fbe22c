// SPDX-License-Identifier: BSL-1.0
//
// Writes what a client does to a log: a level and a line, for whatever logger the program has.
#pragma once

#include <highlevel/detail/time_text.hpp>
#include <highlevel/json/detail/text.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/observer.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel {

/// How much a line matters.
enum class log_level : std::uint8_t {
    /// Each step: calls that begin, permits, attempts, connections.
    debug,
    /// What a program does: calls that ended well, tokens that were renewed.
    info,
    /// What went wrong and may mend itself: retries, responses that had to be bent, connections
    /// that could not be opened, tokens that could not be renewed.
    warning,
    /// Calls that failed.
    error,
};

/// The enumerator's name, for example "warning".
[[nodiscard]] constexpr std::string_view to_string(log_level l) noexcept {
    switch (l) {
    case log_level::debug: return "debug";
    case log_level::info: return "info";
    case log_level::warning: return "warning";
    case log_level::error: break;
    }
    return "error";
}

/// How a line is written.
enum class log_format : std::uint8_t {
    /// `call_end operation=contacts.get_contact status=200 took_ms=41.7`
    text,
    /// One JSON object: `{"level":"info","event":"call_end",...}`.
    json,
};

/// What a log_observer writes.
class log_options {
public:
    log_options() = default;

    /// Less is not written, and costs a comparison.
    log_level threshold = log_level::info;
    log_format format = log_format::text;
    /// Gives the time that a line begins with, in UTC. Empty: lines have none, since many loggers
    /// write their own.
    std::function<std::chrono::sys_time<std::chrono::milliseconds>()> now;
};

/// An observer that gives a line to `sink` for each event.
///
/// Lines hold names, ids, numbers and the texts of error codes: no token, no query, no body, no
/// header but `traceparent`, and of what the server said only the place where it did not fit its
/// type. They have no line break, whatever a path or a header holds, and are UTF-8.
///
/// Thread safety: shared objects: safe where the sink is, which many threads may call at once. What
/// it throws is dropped with the line, since a log must not fail calls.
class log_observer final : public observer {
public:
    /// Takes a line without its end; the view lives only as long as the function runs.
    using sink_function = std::function<void(log_level, std::string_view line)>;

    /// Throws std::invalid_argument when `sink` is empty.
    explicit log_observer(sink_function sink, log_options options = {})
        : sink_(std::move(sink)),
          options_(std::move(options)) {
        if (!sink_) throw std::invalid_argument{"sink: must not be empty"};
    }

    void on_call_start(const call_info& call) noexcept override {
        write(log_level::debug, "call_start", [&](line& to) { describe(to, call); });
    }

    void on_call_end(const call_info& call, const call_end_event& event) noexcept override {
        write(event.error ? log_level::error : log_level::info, "call_end", [&](line& to) {
            describe(to, call);
            to.add_number("status", event.status);
            to.add_number("attempts", event.attempts);
            to.add_time("took_ms", event.took);
            if (!event.error) return;
            to.add("cause", to_string(event.cause));
            to.add("error", event.error.message());
        });
    }

    void on_throttled(const call_info& call) noexcept override {
        write(log_level::debug, "throttled", [&](line& to) { describe(to, call); });
    }

    void on_permit(const call_info& call, const permit_event& event) noexcept override {
        write(log_level::debug, "permit", [&](line& to) {
            describe(to, call);
            to.add_time("waited_ms", event.waited);
            if (event.error) to.add("error", event.error.message());
        });
    }

    void on_permit_settled(
        const call_info& call, const permit_settled_event& event) noexcept override {
        write(log_level::debug, "permit_settled", [&](line& to) {
            describe(to, call);
            to.add("how", to_string(event.how));
            to.add_number("status", event.status);
            if (event.limit) to.add_number("limit", *event.limit);
            if (event.remaining) to.add_number("remaining", *event.remaining);
            if (event.daily_remaining) to.add_number("daily_remaining", *event.daily_remaining);
        });
    }

    void on_attempt(const call_info& call, const attempt_event& event) noexcept override {
        write(log_level::debug, "attempt", [&](line& to) {
            describe(to, call);
            to.add_number("number", event.number);
            to.add_number("status", event.status);
            to.add_time("waited_ms", event.waited);
            to.add_time("took_ms", event.took);
            if (event.error) to.add("error", event.error.message());
        });
    }

    void on_retry(const call_info& call, const retry_event& event) noexcept override {
        write(log_level::warning, "retry", [&](line& to) {
            describe(to, call);
            to.add_number("attempts", event.attempts);
            to.add("reason", to_string(event.reason));
            to.add_number("status", event.status);
            to.add_time("backoff_ms", event.backoff);
            if (event.error) to.add("error", event.error.message());
        });
    }

    void on_diagnostics(const call_info& call, const json::diagnostics& bent) noexcept override {
        write(log_level::warning, "diagnostics", [&](line& to) {
            describe(to, call);
            to.add_number("total", bent.total());
            if (bent.size() == 0) return;
            to.add("first", to_string(bent[0].what));
            to.add("pointer", bent[0].pointer);
        });
    }

    void on_token_refresh(const auth::token_refresh_event& event) noexcept override {
        write(event.error ? log_level::warning : log_level::info, "token_refresh", [&](line& to) {
            to.add("resource", event.resource);
            to.add("how", to_string(event.how));
            if (event.status != 0) to.add_number("status", event.status);
            to.add_time("took_ms", event.took);
            if (event.error) to.add("error", event.error.message());
        });
    }

    void on_connection_open(const http::connection_open_event& event) noexcept override {
        write(
            event.error ? log_level::warning : log_level::debug, "connection_open", [&](line& to) {
                to.add("peer", event.peer);
                to.add("tls", !event.secure ? "none" : event.resumed ? "resumed" : "full");
                to.add_time("took_ms", event.took);
                if (event.error) to.add("error", event.error.message());
            });
    }

    void on_connection_close(const http::connection_close_event& event) noexcept override {
        write(log_level::debug, "connection_close", [&](line& to) {
            to.add("reason", to_string(event.reason));
            to.add_number("requests", event.requests);
            to.add_time("age_ms", event.age);
        });
    }

private:
    /// A line in the making. Keys are words of ours.
    class line {
    public:
        explicit line(log_format format) : format_(format) {
            if (format_ == log_format::json) text_ += '{';
        }

        void add(std::string_view key, std::string_view value) {
            begin(key);
            if (format_ == log_format::text && is_plain(value)) {
                text_ += value;
                return;
            }
            (void)json::detail::append_string(text_, value, true);
        }

        template <std::integral Number>
        void add_number(std::string_view key, Number value) {
            begin(key);
            text_ += std::to_string(value);
        }

        /// In milliseconds, to a thousandth.
        void add_time(std::string_view key, std::chrono::nanoseconds value) {
            begin(key);
            auto const us = std::chrono::round<std::chrono::microseconds>(value).count();
            text_ += std::to_string(us / 1000);
            if (us % 1000 == 0) return;
            auto const fraction = std::to_string(1000 + us % 1000);
            text_ += '.';
            text_ += std::string_view{fraction}.substr(1);
        }

        /// A word at the beginning: only its value in text.
        void add_word(std::string_view key, std::string_view value) {
            if (format_ == log_format::json) {
                add(key, value);
                return;
            }
            if (!text_.empty()) text_ += ' ';
            text_ += value;
        }

        [[nodiscard]] std::string_view end() {
            if (format_ == log_format::json) text_ += '}';
            return text_;
        }

    private:
        void begin(std::string_view key) {
            if (format_ == log_format::text) {
                if (!text_.empty()) text_ += ' ';
                text_.append(key).append("=");
                return;
            }
            if (text_.size() > 1) text_ += ',';
            text_.append("\"").append(key).append("\":");
        }

        [[nodiscard]] static bool is_plain(std::string_view value) noexcept {
            for (char const c : value) {
                auto const byte = static_cast<unsigned char>(c);
                if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '\\') return false;
            }
            return !value.empty();
        }

        log_format format_;
        std::string text_;
    };

    template <class Fill>
    void write(log_level level, std::string_view event, Fill fill) const noexcept {
        if (level < options_.threshold) return;
        try {
            line made{options_.format};
            if (options_.now) made.add_word("time", detail::iso_text(options_.now()));
            if (options_.format == log_format::json) made.add("level", to_string(level));
            made.add_word("event", event);
            fill(made);
            sink_(level, made.end());
        } catch (...) {
            // Lack of memory, or the sink's own failure: there is nobody to tell.
            return;
        }
    }

    static void describe(line& to, const call_info& call) {
        to.add_number("call", call.id);
        if (!call.operation.empty()) to.add("operation", call.operation);
        to.add("verb", call.verb);
        to.add("path", call.path);
        to.add("resource", call.resource);
        if (call.lane != quota::lane::interactive) to.add("lane", to_string(call.lane));
        if (!call.traceparent.empty()) to.add("traceparent", call.traceparent);
    }

    sink_function sink_;
    log_options options_;
};

} // namespace highlevel

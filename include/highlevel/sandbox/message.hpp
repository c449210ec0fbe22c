// SPDX-License-Identifier: BSL-1.0
//
// What a test sees of a request that reaches the sandbox, and the answer that it may put in place
// of the normal one: any status, any bytes, late, cut short or never.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// A request as the sandbox received it. All views are valid during the call that it is passed to.
class request_view {
public:
    request_view() = default;

    std::string_view method;      ///< as on the wire, "GET"
    std::string_view target;      ///< path and query as on the wire, still percent-encoded
    std::string_view path;        ///< the target up to the question mark
    std::string_view query;       ///< what follows the question mark, or nothing
    std::string_view body;        ///< the whole body, empty when there is none
    std::string_view token;       ///< text of the bearer token, empty when there is none
    std::uint64_t connection = 0; ///< which connection of this server, from 1
    std::uint64_t number = 0;     ///< which request of this server, from 1

    /// Header fields in the order of arrival.
    std::vector<std::pair<std::string_view, std::string_view>> headers;

    /// The value of the first field of that name; case does not count.
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const noexcept {
        auto const lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        };
        for (auto const& [field, value] : headers) {
            if (field.size() != name.size()) continue;
            std::size_t i = 0;
            while (i < name.size() && lower(field[i]) == lower(name[i]))
                ++i;
            if (i == name.size()) return value;
        }
        return std::nullopt;
    }
};

/// What a hook wants to happen to one request. As constructed it changes nothing: the request is
/// handled as usual; each member that is set bends one thing.
class scripted_response {
public:
    scripted_response() = default;
    /// Answers with that status and body instead of handling the request.
    explicit scripted_response(
        unsigned s, std::string b = {}, std::string type = "application/json; charset=utf-8")
        : status(s),
          body(std::move(b)),
          content_type(std::move(type)) {}

    /// HTTP status of the answer; 0 means that the request is handled as usual, and that the body
    /// and content type below are not used.
    unsigned status = 0;
    std::string body;
    /// Value of `content-type`; empty leaves the field out.
    std::string content_type;
    /// Further header fields, written as they are. A field that the sandbox would write itself
    /// (such as `x-ratelimit-remaining` or `content-length`) replaces the sandbox's.
    std::vector<std::pair<std::string, std::string>> headers;
    /// Whether the rate-limit headers are sent.
    bool rate_headers = true;
    /// Whether an answer with a `status` uses up quota. It is sent even when the bucket is empty.
    /// A request that is handled as usual always counts.
    bool counted = true;
    /// How long to wait before the answer is written, on top of the server's latency.
    std::chrono::milliseconds delay{0};
    /// Writes only so many bytes of the answer, counted from its status line, and closes the
    /// connection without a word (for TLS: without close_notify). 0 closes it before any byte.
    std::optional<std::size_t> close_after_bytes;
    /// Whether such a close is a reset (RST) instead of an orderly end.
    bool reset = false;
    /// Never answers, but keeps the connection open until the peer closes it or the server stops.
    bool stall = false;
};

/// Runs for every complete request before it is handled; nothing means "handle it as usual".
///
/// It is called from the server's threads, for several connections at once when there are several
/// threads, and must not call `server::stop`. It must not throw.
using response_hook = std::function<std::optional<scripted_response>(const request_view&)>;

} // namespace highlevel::sandbox

// SPDX-License-Identifier: BSL-1.0
//
// The phases of an exchange: how far it came, how long it may stay in each and how long it did. As
// light as an enumeration, since failures and call options speak of them too.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::http {

/// How far an exchange came; tells which time-out ran off and whether a repeat is harmless.
enum class phase : std::uint8_t {
    /// Waiting for a pooled connection or for room to open one.
    queued,
    /// Looking the host name up.
    resolve,
    /// Opening the TCP connection, or the proxy's tunnel.
    connect,
    /// TLS handshake.
    tls,
    /// Sending the request.
    write,
    /// Waiting for the first byte of the response.
    first_byte,
    /// Receiving the rest of the response.
    read,
    /// All of the response is here.
    done,
};

/// The phase's name, for example "first_byte".
[[nodiscard]] constexpr std::string_view to_string(phase p) noexcept {
    switch (p) {
    case phase::queued: return "queued";
    case phase::resolve: return "resolve";
    case phase::connect: return "connect";
    case phase::tls: return "tls";
    case phase::write: return "write";
    case phase::first_byte: return "first_byte";
    case phase::read: return "read";
    case phase::done: return "done";
    }
    return "done";
}

namespace detail {

/// Appends "name 12 ms" to a list, unless no time was spent.
inline void append_time(std::string& to, std::string_view name, std::chrono::nanoseconds time) {
    if (time == std::chrono::nanoseconds::zero()) return;
    if (!to.empty()) to += ", ";
    auto const ms = std::chrono::round<std::chrono::milliseconds>(time).count();
    to.append(name).append(" ").append(std::to_string(ms)).append(" ms");
}

} // namespace detail

/// Where the time of an exchange went, or that of several together.
class phase_times {
public:
    constexpr phase_times() noexcept = default;

    /// The time spent in a phase; zero where it was not reached.
    [[nodiscard]] constexpr std::chrono::nanoseconds operator[](phase p) const noexcept {
        return spent_[static_cast<std::size_t>(p)];
    }

    constexpr void add(phase p, std::chrono::nanoseconds time) noexcept {
        spent_[static_cast<std::size_t>(p)] += time;
    }

    constexpr phase_times& operator+=(const phase_times& other) noexcept {
        for (std::size_t i = 0; i < spent_.size(); ++i)
            spent_[i] += other.spent_[i];
        return *this;
    }

    [[nodiscard]] constexpr std::chrono::nanoseconds total() const noexcept {
        std::chrono::nanoseconds sum{0};
        for (auto const t : spent_)
            sum += t;
        return sum;
    }

    /// For people: the phases that took any time, for example "connect 1 ms, first_byte 50 ms".
    [[nodiscard]] std::string text() const {
        std::string out;
        for (std::size_t i = 0; i < spent_.size(); ++i)
            detail::append_time(out, to_string(static_cast<phase>(i)), spent_[i]);
        return out;
    }

private:
    std::array<std::chrono::nanoseconds, static_cast<std::size_t>(phase::done) + 1> spent_{};
};

/// Limits of one exchange or call in place of those of http::timeouts, which says what each bounds;
/// what is empty stays as it is there. Zero: no bound; less is refused. Trivially destructible.
struct phase_timeouts {
    std::optional<std::chrono::milliseconds> connect{};
    std::optional<std::chrono::milliseconds> tls{};
    std::optional<std::chrono::milliseconds> write{};
    std::optional<std::chrono::milliseconds> first_byte{};
    std::optional<std::chrono::milliseconds> idle{};

    friend bool operator==(const phase_timeouts&, const phase_timeouts&) = default;
};

} // namespace highlevel::http

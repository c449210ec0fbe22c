// SPDX-License-Identifier: BSL-1.0
//
// From a host name to an open TCP socket: addresses looked up once for all who ask and kept for a
// while, then raced as RFC 8305 ("happy eyeballs") says.
#pragma once

#include <highlevel/detail/deadline.hpp>
#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::http::detail {

using boost::system::error_code;
using highlevel::detail::bounded;
using highlevel::detail::one_shot;
using endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

/// "203.0.113.7:443", with brackets around an IPv6 address.
[[nodiscard]] inline std::string to_text(const boost::asio::ip::tcp::endpoint& e) {
    auto const address = e.address().to_string();
    auto const port = ':' + std::to_string(e.port());
    return e.address().is_v6() ? '[' + address + ']' + port : address + port;
}

/// Alternates the address families and keeps the resolver's order within each (RFC 8305 section 4).
[[nodiscard]] inline endpoints interleaved(const endpoints& in) {
    if (in.empty()) return in;
    endpoints first;
    endpoints second;
    for (auto const& e : in)
        (e.address().is_v6() == in.front().address().is_v6() ? first : second).push_back(e);
    endpoints out;
    out.reserve(in.size());
    for (std::size_t i = 0; i < first.size() || i < second.size(); ++i) {
        if (i < first.size()) out.push_back(first[i]);
        if (i < second.size()) out.push_back(second[i]);
    }
    return out;
}

/// What is known of a host, and for how long. It is told what look-ups found and when.
///
/// When a look-up fails and addresses of an earlier one are known, those are used for another
/// period: a DNS outage must not stop a client whose server is up. Thread safety: distinct objects:
/// safe; shared objects: unsafe.
class known_addresses {
public:
    using time_point = std::chrono::steady_clock::time_point;

    class answer {
    public:
        answer() = default;

        error_code error;
        endpoints addresses;
    };

    explicit known_addresses(std::chrono::milliseconds ttl) : ttl_(bounded(ttl)) {}

    /// What the last look-up left.
    [[nodiscard]] const answer& latest() const noexcept { return known_; }

    /// Whether that will do without another look-up.
    [[nodiscard]] bool fresh(time_point now) const noexcept {
        return !known_.addresses.empty() && now < fresh_until_;
    }

    /// A look-up has ended at that time.
    void learn(error_code ec, const endpoints& found, time_point now) {
        if (!ec && found.empty()) ec = boost::asio::error::host_not_found;
        if (!ec) known_.addresses = interleaved(found);
        known_.error = known_.addresses.empty() ? ec : error_code{};
        fresh_until_ = now + ttl_;
    }

    /// The next who asks is to look up anew: none of the addresses could be reached, and the server
    /// may have moved.
    void doubt() noexcept { fresh_until_ = {}; }

private:
    std::chrono::milliseconds ttl_;
    answer known_;
    time_point fresh_until_{};
};

/// The addresses of one host, shared by all who connect to it.
///
/// One look-up is under way at most. Thread safety: shared objects: safe.
class host_addresses : public std::enable_shared_from_this<host_addresses> {
public:
    using clock = std::chrono::steady_clock;
    using answer = known_addresses::answer;

    host_addresses(
        const boost::asio::any_io_executor& executor,
        std::string host,
        std::uint16_t port,
        std::chrono::milliseconds ttl)
        : resolver_(std::in_place, executor),
          host_(std::move(host)),
          port_(port),
          known_(ttl) {
        error_code not_an_address;
        auto const literal = boost::asio::ip::make_address(host_, not_an_address);
        if (not_an_address) return;
        literal_ = true;
        known_.learn({}, {{literal, port_}}, clock::now());
    }

    /// The addresses if they are fresh; otherwise nothing, and `bell` rings when a look-up has
    /// ended and latest() has its answer. A look-up that cannot begin has failed at once.
    [[nodiscard]] std::optional<answer> ask(
        clock::time_point now, const std::shared_ptr<one_shot>& bell) {
        std::lock_guard const lock{mutex_};
        if (literal_ || known_.fresh(now)) return known_.latest();
        if (!resolver_) {
            answer ended;
            ended.error = boost::asio::error::operation_aborted;
            return ended;
        }
        bells_.push_back(bell);
        if (looking_) return std::nullopt;
        looking_ = true;
        try {
            resolver_->async_resolve(
                host_, std::to_string(port_), boost::asio::ip::resolver_base::numeric_service,
                [self = shared_from_this()](
                    error_code ec, boost::asio::ip::tcp::resolver::results_type results) {
                    self->looked_up(ec, results);
                });
        } catch (...) {
            // Asio could not make its thread for look-ups, say. Nobody will ring, and the next who
            // asks is to try again.
            looking_ = false;
            bells_.pop_back();
            known_.learn(boost::asio::error::try_again, {}, now);
            return known_.latest();
        }
        return std::nullopt;
    }

    /// The answer of the last look-up that ended.
    [[nodiscard]] answer latest() {
        std::lock_guard const lock{mutex_};
        return known_.latest();
    }

    /// As known_addresses::doubt().
    void doubt() {
        std::lock_guard const lock{mutex_};
        known_.doubt();
    }

    /// Gives up a look-up that has not begun, and all later ones. Gives the resolver back, which
    /// must not outlive its execution context, as this object may.
    void end() noexcept {
        std::lock_guard const lock{mutex_};
        resolver_.reset();
    }

private:
    void looked_up(error_code ec, const boost::asio::ip::tcp::resolver::results_type& results) {
        std::vector<std::shared_ptr<one_shot>> bells;
        {
            std::lock_guard const lock{mutex_};
            looking_ = false;
            bells.swap(bells_);
            endpoints found;
            for (auto const& entry : results)
                found.push_back(entry.endpoint());
            known_.learn(ec, found, clock::now());
        }
        for (auto const& bell : bells)
            bell->ring();
    }

    std::mutex mutex_;
    std::optional<boost::asio::ip::tcp::resolver> resolver_; ///< empty after end()
    std::string host_;
    std::uint16_t port_;
    known_addresses known_;
    std::vector<std::shared_ptr<one_shot>> bells_;
    bool literal_ = false;
    bool looking_ = false;
};

/// Opens one TCP connection to whichever address answers first.
///
/// Attempts start one after the other, the next when the former fails or `delay` has passed. The
/// caller waits at the bell and may walk away at any time after calling abort(). One lock stands
/// for a strand, whose executor would make each handler of Asio a type more to compile. Thread
/// safety: shared objects: safe.
class connector : public std::enable_shared_from_this<connector> {
public:
    using socket = boost::asio::ip::tcp::socket;

    connector(
        boost::asio::any_io_executor executor,
        endpoints addresses,
        std::chrono::milliseconds delay,
        std::shared_ptr<one_shot> bell)
        : executor_(std::move(executor)),
          timer_(executor_),
          addresses_(std::move(addresses)),
          delay_(bounded(delay)),
          bell_(std::move(bell)),
          attempts_(std::make_unique<one_attempt[]>(addresses_.size())) {}

    void start() {
        std::lock_guard const lock{mutex_};
        attempt();
    }

    /// Gives up all attempts.
    void abort() {
        std::lock_guard const lock{mutex_};
        finish();
    }

    /// The open socket, once; nothing when all attempts failed or are still under way.
    [[nodiscard]] std::optional<socket> take() {
        std::lock_guard const lock{mutex_};
        return std::exchange(won_, std::nullopt);
    }

    /// Each address with what became of it, for people.
    [[nodiscard]] std::string report() const {
        std::lock_guard const lock{mutex_};
        std::string text = report_;
        for (std::size_t i = 0; i < begun_; ++i) {
            if (attempts_[i].ended) continue;
            if (!text.empty()) text += "; ";
            text += to_text(addresses_[i]) + ": no answer";
        }
        return text;
    }

private:
    /// The attempt at one address; no socket before it begins.
    class one_attempt {
    public:
        std::optional<socket> connecting;
        bool ended = false;
    };

    // Under the lock from here on.

    void attempt() {
        if (done_ || begun_ == addresses_.size()) return;
        auto& s = attempts_[begun_].connecting.emplace(executor_);
        std::size_t const index = begun_++;
        ++pending_;
        error_code ec;
        s.open(addresses_[index].protocol(), ec);
        // Before any handshake: Nagle's algorithm and delayed acknowledgements together cost 40 ms
        // per connection otherwise.
        if (!ec) s.set_option(boost::asio::ip::tcp::no_delay{true}, ec);
        if (ec) {
            ended(index, ec);
            return;
        }
        s.async_connect(addresses_[index], [self = shared_from_this(), index](error_code e) {
            std::lock_guard const lock{self->mutex_};
            self->ended(index, e);
        });
        if (delay_.count() > 0 && begun_ < addresses_.size()) {
            timer_.expires_after(delay_);
            timer_.async_wait([self = shared_from_this(), next = index + 1](error_code e) {
                std::lock_guard const lock{self->mutex_};
                // A failure may have begun the next attempt already.
                if (!e && self->begun_ == next) self->attempt();
            });
        }
    }

    void ended(std::size_t index, error_code ec) {
        --pending_;
        if (done_) return;
        attempts_[index].ended = true;
        if (!ec) {
            won_ = std::move(attempts_[index].connecting);
            finish();
            bell_->ring();
            return;
        }
        if (!report_.empty()) report_ += "; ";
        report_ += to_text(addresses_[index]) + ": " + ec.message();
        if (begun_ < addresses_.size()) {
            timer_.cancel();
            attempt();
        } else if (pending_ == 0) {
            finish();
            bell_->ring(boost::asio::error::connection_refused);
        }
    }

    void finish() {
        done_ = true;
        timer_.cancel();
        error_code ignored;
        for (std::size_t i = 0; i < begun_; ++i)
            if (attempts_[i].connecting->is_open()) attempts_[i].connecting->close(ignored);
    }

    mutable std::mutex mutex_;
    boost::asio::any_io_executor executor_;
    boost::asio::steady_timer timer_;
    endpoints addresses_;
    std::chrono::milliseconds delay_;
    std::shared_ptr<one_shot> bell_;
    std::unique_ptr<one_attempt[]> attempts_; // of which the first `begun_` have begun
    std::size_t begun_ = 0;
    std::size_t pending_ = 0;
    bool done_ = false;
    std::optional<socket> won_;
    std::string report_;
};

} // namespace highlevel::http::detail

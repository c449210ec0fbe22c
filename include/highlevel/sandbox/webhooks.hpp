// SPDX-License-Identifier: BSL-1.0
//
// Sends webhooks as HighLevel does: signed, repeated until they are taken, now and then twice.
// Tells a receiver of what changes in a sandbox, or of whatever a test makes up.
#pragma once

#include <highlevel/detail/one_shot.hpp>
#include <highlevel/http/response_parser.hpp>
#include <highlevel/sandbox/detail/contact_json.hpp>
#include <highlevel/sandbox/detail/json_writer.hpp>
#include <highlevel/sandbox/detail/synthetic.hpp>
#include <highlevel/sandbox/detail/time_text.hpp>
#include <highlevel/sandbox/install_change.hpp>
#include <highlevel/sandbox/options.hpp>
#include <highlevel/sandbox/webhooks_signer.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// Where webhooks go, and how.
class webhook_sender_options {
public:
    webhook_sender_options() = default;

    /// Numeric address and port of the receiver, which must speak plain HTTP.
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    /// Path and query that are posted to.
    std::string target = "/";
    /// The app that events name, but those of install_hook().
    std::string app_id = "sandbox-app";
    /// Adds `X-WH-Signature` beside `X-GHL-Signature`. Live: both came until RSA ended.
    bool legacy_signature = false;
    /// How often a delivery is tried that does not get a 2xx. Live: 6 or 12, the documents differ.
    unsigned tries = 6;
    /// The time between two tries, from none to a day. Live: 10 minutes and more.
    std::chrono::milliseconds retry_delay{50};
    /// By how much that time grows from one try to the next, to a day at most; finite and at
    /// least 1. Live: 1 or more, the documents differ.
    double retry_growth = 1;
    /// The share of that time that is drawn at random and added, from 0 to 1. Live: some.
    double retry_jitter = 0;
    /// A receiver that has not answered by then is taken for dead: its connection is closed, and
    /// the delivery tried again. Positive, and a day at most. Live: unknown.
    std::chrono::milliseconds response_timeout{10'000};
    /// How many of a hundred deliveries are sent once more although they were taken; at most 100.
    unsigned duplicates = 0;
    /// Where ids and the choice of duplicates come from.
    std::uint64_t seed = 1;
};

/// What a sender counted.
class webhook_sender_counters {
public:
    webhook_sender_counters() = default;

    std::uint64_t events = 0;     ///< events to tell of
    std::uint64_t attempts = 0;   ///< requests, repetitions included
    std::uint64_t delivered = 0;  ///< events that were answered with 2xx
    std::uint64_t duplicates = 0; ///< sent once more after that
    std::uint64_t given_up = 0;   ///< events that nobody took
};

namespace detail {

namespace asio = boost::asio;

class webhook_sender_core : public std::enable_shared_from_this<webhook_sender_core> {
public:
    webhook_sender_core(webhook_sender_options o, webhook_signer s)
        : settings((check(o), std::move(o))),
          signer(std::move(s)),
          dice_(settings.seed) {}

    void start() {
        asio::co_spawn(context_, run(shared_from_this()), asio::detached);
        thread_ = std::thread{[this] { context_.run(); }};
    }
    void stop() {
        asio::post(context_, [this] {
            stopped_ = true;
            wake_.cancel();
            limit_.cancel();
            error_code ignored;
            socket_.close(ignored);
        });
        thread_.join();
        {
            std::lock_guard const lock{mutex_};
            ended_ = true;
        }
        // What was posted behind the end: nobody may wait for it for ever.
        context_.restart();
        context_.poll();
    }

    /// From any thread. `write` adds members to the event's object.
    template <class Write>
    void send(std::string_view type, std::string_view location_id, Write write) {
        send(type, settings.app_id, location_id, std::move(write));
    }
    template <class Write>
    void send(
        std::string_view type, std::string_view app_id, std::string_view location_id, Write write) {
        std::string body;
        json_writer out{body};
        auto const number = ++events;
        out.begin_object().member("type", type);
        out.member(
            "timestamp",
            iso_text(
                std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())));
        out.member("webhookId", made_up_id(scatter(settings.seed ^ 0x3eb) ^ number));
        out.member("appId", app_id).member_if("locationId", location_id);
        write(out);
        out.end_object();
        (void)perform([this, body = std::move(body)]() mutable {
            if (!stopped_) schedule({}, std::move(body), 0);
        });
    }

    /// Tells of an install or a removal.
    void send(const install_change& change) {
        // As documented: a removal names the location or the company, never both.
        bool const installed = change.event == "INSTALL";
        send(change.event, change.app_id, change.location_id, [&](json_writer& out) {
            if (installed || change.location_id.empty()) out.member("companyId", change.company_id);
            if (installed)
                out.member("installType", change.location_id.empty() ? "Company" : "Location");
        });
    }

    /// Waits until nothing is left to send.
    static asio::awaitable<void> settled(std::shared_ptr<webhook_sender_core> self) {
        auto const bell = std::make_shared<highlevel::detail::one_shot>();
        auto* const core = self.get();
        bool const runs = core->perform([core, bell] {
            core->waiting_.push_back(bell);
            core->ring_if_settled();
        });
        if (runs) co_await bell->async_wait(asio::use_awaitable);
    }

    webhook_sender_options settings;
    webhook_signer signer;
    std::atomic<std::uint64_t> events{0};
    std::atomic<std::uint64_t> attempts{0};
    std::atomic<std::uint64_t> delivered{0};
    std::atomic<std::uint64_t> duplicates{0};
    std::atomic<std::uint64_t> given_up{0};

private:
    using error_code = boost::system::error_code;
    using clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds longest_time = std::chrono::hours{24};

    class attempt {
    public:
        std::string body;
        unsigned tried = 0;
        bool again = false;
    };

    static void check(const webhook_sender_options& o) {
        auto const demand = [](bool met, const char* what) {
            if (!met) throw std::invalid_argument(std::string("webhook sender option ") + what);
        };
        error_code ec;
        (void)asio::ip::make_address(o.address, ec);
        demand(!ec, "address must be numeric");
        demand(o.tries > 0, "tries must be positive");
        demand(
            o.retry_delay.count() >= 0 && o.retry_delay <= longest_time,
            "retry_delay must be from 0 to a day");
        demand(
            std::isfinite(o.retry_growth) && o.retry_growth >= 1,
            "retry_growth must be finite and at least 1");
        demand(o.retry_jitter >= 0 && o.retry_jitter <= 1, "retry_jitter must be from 0 to 1");
        demand(
            o.response_timeout.count() > 0 && o.response_timeout <= longest_time,
            "response_timeout must be positive and a day at most");
        demand(o.duplicates <= 100, "duplicates must be at most 100");
    }

    /// Does something on the sender's thread; false when that has ended. The work needs no share in
    /// this object: what waits in a context does not outlive it, and with a share neither would
    /// ever end.
    template <class Work>
    bool perform(Work work) {
        std::lock_guard const lock{mutex_};
        if (ended_) return false;
        asio::post(context_, std::move(work));
        return true;
    }

    /// The time before the next try, when so many have failed.
    std::chrono::milliseconds delay_after(unsigned tried) {
        auto delay = static_cast<double>(settings.retry_delay.count());
        constexpr auto most = static_cast<double>(longest_time.count());
        for (unsigned i = 1; i < tried && delay < most; ++i)
            delay *= settings.retry_growth;
        auto const share = static_cast<double>(dice_.below(1001)) / 1000;
        delay = std::min(delay, most) * (1 + settings.retry_jitter * share);
        return std::chrono::milliseconds{static_cast<std::int64_t>(delay)};
    }

    void schedule(
        std::chrono::milliseconds delay, std::string body, unsigned tried, bool again = false) {
        attempt made;
        made.body = std::move(body);
        made.tried = tried;
        made.again = again;
        due_.emplace(clock::now() + delay, std::move(made));
        wake_.cancel();
    }

    static asio::awaitable<void> run(std::shared_ptr<webhook_sender_core> self) {
        while (!self->stopped_) {
            auto const first = self->due_.begin();
            if (first == self->due_.end() || first->first > clock::now()) {
                self->wake_.expires_at(
                    first == self->due_.end() ? clock::time_point::max() : first->first);
                error_code woken;
                co_await self->wake_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
                continue;
            }
            auto now = std::move(first->second);
            self->due_.erase(first);
            ++self->attempts;
            self->busy_ = true;
            auto const status = co_await self->post(now.body);
            self->busy_ = false;
            self->judge(std::move(now), status);
            self->ring_if_settled();
        }
        self->due_.clear();
        self->ring_if_settled();
    }

    void ring_if_settled() {
        if (busy_ || (!due_.empty() && !stopped_)) return;
        for (auto const& bell : std::exchange(waiting_, {}))
            bell->ring();
    }

    void judge(attempt done, unsigned status) {
        if (done.again) return;
        if (status >= 200 && status < 300) {
            ++delivered;
            if (dice_.below(100) >= settings.duplicates) return;
            ++duplicates;
            schedule({}, std::move(done.body), 0, true);
        } else if (++done.tried < settings.tries) {
            schedule(delay_after(done.tried), std::move(done.body), done.tried);
        } else {
            ++given_up;
        }
    }

    /// The status of the answer; 0 when there was none.
    asio::awaitable<unsigned> post(const std::string& body) {
        std::string text = "POST " + settings.target + " HTTP/1.1\r\nHost: " + settings.address;
        text += "\r\nContent-Type: application/json\r\nX-GHL-Signature: ";
        text += signer.sign_ed25519(body);
        if (settings.legacy_signature) text += "\r\nX-WH-Signature: " + signer.sign_rsa(body);
        text += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
        // A connection that was kept may be over; then it is tried once more on a fresh one.
        bool const kept = socket_.is_open();
        auto status = co_await exchange(text);
        if (status == 0 && kept && !late_ && !stopped_) status = co_await exchange(text);
        co_return status;
    }

    asio::awaitable<unsigned> exchange(const std::string& text) {
        error_code ec;
        auto code = asio::redirect_error(asio::use_awaitable, ec);
        limit_.expires_after(settings.response_timeout);
        late_ = false;
        limit_.async_wait([this](error_code cancelled) {
            if (cancelled || limit_.expiry() > clock::now()) return;
            late_ = true;
            error_code ignored;
            socket_.close(ignored);
        });
        if (!socket_.is_open()) {
            asio::ip::tcp::endpoint const to{
                asio::ip::make_address(settings.address), settings.port};
            co_await socket_.async_connect(to, code);
            error_code ignored;
            socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
        }
        if (!ec) co_await asio::async_write(socket_, asio::buffer(text), code);
        http::response answer;
        http::response_parser parser{answer, false, 65536};
        std::array<char, 4096> room;
        std::string unread;
        while (!ec && !parser.done()) {
            auto const n = co_await socket_.async_read_some(asio::buffer(room), code);
            unread.append(room.data(), n);
            if (!ec) unread.erase(0, parser.put(unread, ec));
        }
        limit_.expires_at(clock::time_point::max());
        if (ec || late_ || !parser.keep_alive()) {
            error_code ignored;
            socket_.close(ignored);
        }
        co_return parser.done() ? answer.status : 0;
    }

    asio::io_context context_{1};
    asio::steady_timer wake_{context_};
    asio::steady_timer limit_{context_};
    asio::ip::tcp::socket socket_{context_};
    std::multimap<clock::time_point, attempt> due_;
    dice dice_;
    std::vector<std::shared_ptr<highlevel::detail::one_shot>> waiting_;
    bool busy_ = false;
    bool late_ = false; // the answer that was waited for last
    bool stopped_ = false;
    std::mutex mutex_;
    bool ended_ = false; // the thread; under the mutex
    std::thread thread_;
};

} // namespace detail

/// Sends webhooks to one receiver, one after the other on one connection, from a thread of its own.
///
/// Thread safety: distinct objects: safe; shared objects: safe.
class webhook_sender {
public:
    /// Throws std::invalid_argument naming an option that makes no sense, and
    /// boost::system::system_error when OpenSSL cannot make keys.
    explicit webhook_sender(webhook_sender_options options, webhook_signer signer = {})
        : core_(std::make_shared<detail::webhook_sender_core>(
              std::move(options), std::move(signer))) {
        core_->start();
    }
    webhook_sender(const webhook_sender&) = delete;
    webhook_sender& operator=(const webhook_sender&) = delete;
    /// Gives up what has not been sent.
    ~webhook_sender() { core_->stop(); }

    /// Whose signatures the receiver must know: give it this object's public keys.
    [[nodiscard]] const webhook_signer& signer() const noexcept { return core_->signer; }

    /// For `options::on_change` of a sandbox: tells of its contacts. Does nothing once this object
    /// is gone.
    [[nodiscard]] change_hook hook() const {
        return [weak = std::weak_ptr{core_}](std::string_view type, const contact& c) {
            auto const core = weak.lock();
            if (!core) return;
            core->send(type, c.location_id, [&](detail::json_writer& out) {
                detail::write_webhook_contact(out, c);
            });
        };
    }

    /// For `options::on_install` of a sandbox: tells of apps that are installed and removed, under
    /// these apps' own ids. Does nothing once this object is gone.
    [[nodiscard]] highlevel::sandbox::install_hook install_hook() const {
        return [weak = std::weak_ptr{core_}](const install_change& change) {
            if (auto const core = weak.lock()) core->send(change);
        };
    }

    /// Sends an event of that type without further members.
    void send(std::string_view type, std::string_view location_id) {
        core_->send(type, location_id, [](detail::json_writer&) {});
    }
    /// Sends what HighLevel sends when an app is installed in a location (`INSTALL`) or removed
    /// from it (`UNINSTALL`).
    void send_install(std::string_view location_id, std::string_view company_id) {
        core_->send("INSTALL", location_id, [&](detail::json_writer& out) {
            out.member("companyId", company_id).member("installType", "Location");
        });
    }
    void send_uninstall(std::string_view location_id) { send("UNINSTALL", location_id); }
    /// Sends what HighLevel sends when an app is removed from a whole company.
    void send_company_uninstall(std::string_view company_id) {
        core_->send("UNINSTALL", {}, [&](detail::json_writer& out) {
            out.member("companyId", company_id);
        });
    }
    /// Sends what HighLevel sends when the plan of an app changes (`PLAN_CHANGE`).
    void send_plan_change(
        std::string_view location_id,
        std::string_view company_id,
        std::string_view old_plan_id,
        std::string_view new_plan_id) {
        core_->send("PLAN_CHANGE", location_id, [&](detail::json_writer& out) {
            out.member("companyId", company_id)
                .member("currentPlanId", old_plan_id)
                .member("newPlanId", new_plan_id);
        });
    }

    /// Waits until all events up to now have been delivered or given up. Cancellation: terminal,
    /// throws boost::system::system_error (operation_aborted). Returns at the object's end, too.
    [[nodiscard]] boost::asio::awaitable<void> settled() {
        return detail::webhook_sender_core::settled(core_);
    }

    [[nodiscard]] webhook_sender_counters counters() const {
        webhook_sender_counters all;
        all.events = core_->events;
        all.attempts = core_->attempts;
        all.delivered = core_->delivered;
        all.duplicates = core_->duplicates;
        all.given_up = core_->given_up;
        return all;
    }

private:
    std::shared_ptr<detail::webhook_sender_core> core_;
};

} // namespace highlevel::sandbox

// SPDX-License-Identifier: BSL-1.0
//
// One call as its observer hears of it: owns what the events speak of, and sees to it that what was
// begun is ended, also when the call's coroutine is destroyed on its way.
#pragma once

#include <highlevel/detail/core.hpp>
#include <highlevel/detail/operation_failure.hpp>
#include <highlevel/observer.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/quota/headers.hpp>

#include <boost/asio/error.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::detail {

/// What an observer is told a call is. The views are of `name`, `call` and its account.
[[nodiscard]] inline call_info describe_to_observer(
    std::string_view name, const prepared_call& call) noexcept {
    call_info info;
    if (call.meta != nullptr) {
        info.operation = name;
        info.verb = to_string(call.meta->verb);
        info.path = call.meta->path;
    } else {
        std::string_view const target{call.request.target};
        info.verb = to_string(call.request.verb);
        info.path = target.substr(0, target.find('?'));
    }
    info.resource = call.account->key;
    info.lane = call.options().lane;
    return info;
}

/// Thread safety: distinct objects: safe; shared objects: unsafe.
class call_report {
public:
    using clock = std::chrono::steady_clock;

    /// Tells of the call's start.
    call_report(std::shared_ptr<observer> to, const prepared_call& call, std::uint64_t id)
        : observer_(std::move(to)),
          account_(call.account),
          name_(call.meta != nullptr ? operation_name(*call.meta) : std::string{}),
          info_(describe_to_observer(name_, call)) {
        if (call.meta == nullptr) {
            path_ = info_.path;
            info_.path = path_;
        }
        traceparent_ = call.request.fields.find("traceparent").value_or(std::string_view{});
        info_.traceparent = traceparent_;
        info_.id = id;
        observer_->on_call_start(info_);
    }
    call_report(const call_report&) = delete;
    call_report& operator=(const call_report&) = delete;
    ~call_report() {
        if (ended_) return;
        call_end_event event;
        event.error = asio::error::operation_aborted;
        event.cause = cause::cancelled;
        event.attempts = sent_;
        event.status = status_;
        end(event);
    }

    [[nodiscard]] const call_info& info() const noexcept { return info_; }
    [[nodiscard]] observer& to() const noexcept { return *observer_; }

    /// Tells how the call ended.
    void end(const call_outcome& outcome) noexcept {
        call_end_event event;
        if (auto const& parts = outcome.parts) {
            event.status = parts->reply.status;
            event.attempts = parts->attempts;
        }
        if (auto const& failed = outcome.failure) {
            event.error = failed->code();
            event.cause = failed->cause();
            event.status = failed->status();
            event.attempts = failed->attempts();
        }
        end(event);
    }

    void settled(
        permit_end how, unsigned status = 0, const quota::rate_headers& learned = {}) noexcept {
        if (how != permit_end::unsent) {
            ++sent_;
            status_ = status;
        }
        permit_settled_event event;
        event.how = how;
        event.status = status;
        event.limit = learned.max;
        event.remaining = learned.remaining;
        event.daily_remaining = learned.daily_remaining;
        observer_->on_permit_settled(info_, event);
    }

    /// A call's questions for permits, one after the other; `report` may be null.
    class wait {
    public:
        explicit wait(call_report* report) noexcept : report_(report) {}
        wait(const wait&) = delete;
        wait& operator=(const wait&) = delete;
        ~wait() {
            if (queued_) end(asio::error::operation_aborted);
        }

        [[nodiscard]] call_report* report() const noexcept { return report_; }

        /// Whether the observer is yet to hear how a wait ends.
        [[nodiscard]] bool queued() const noexcept { return queued_; }

        /// A permit is asked for.
        void begin() noexcept {
            if (report_ != nullptr) began_ = clock::now();
        }

        /// The permit is not to be had at once.
        void queue() noexcept {
            if (report_ == nullptr) return;
            queued_ = true;
            report_->observer_->on_throttled(report_->info_);
        }

        /// The permit is there, or will not be.
        void end(const error_code& error) noexcept {
            if (report_ == nullptr) return;
            permit_event event;
            event.queued = std::exchange(queued_, false);
            event.error = error;
            event.waited = clock::now() - began_;
            report_->observer_->on_permit(report_->info_, event);
        }

    private:
        call_report* report_;
        clock::time_point began_;
        bool queued_ = false;
    };

private:
    void end(call_end_event& event) noexcept {
        ended_ = true;
        event.took = clock::now() - began_;
        observer_->on_call_end(info_, event);
    }

    std::shared_ptr<observer> observer_;
    std::shared_ptr<const account_ref> account_;
    std::string name_;
    std::string path_;
    std::string traceparent_;
    call_info info_;
    clock::time_point began_ = clock::now();
    /// For a call that does not come to tell it: how often it was sent, and the last status.
    int sent_ = 0;
    unsigned status_ = 0;
    bool ended_ = false;
};

} // namespace highlevel::detail

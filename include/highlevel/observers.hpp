// SPDX-License-Identifier: BSL-1.0
//
// Several observers in the place of one: a log and metrics, for example.
#pragma once

#include <highlevel/observer.hpp>

#include <concepts>
#include <memory>
#include <utility>
#include <vector>

namespace highlevel {

/// Passes each event on to all of its observers, in the order in which they were given.
///
///     options.observer = std::make_shared<highlevel::observers>(log, metrics);
///
/// Thread safety: shared objects: safe where its observers are.
class observers final : public observer {
public:
    /// Null pointers are left out.
    explicit observers(std::vector<std::shared_ptr<observer>> all) : all_(std::move(all)) {
        std::erase(all_, nullptr);
    }

    template <std::derived_from<observer>... Observers>
    explicit observers(const std::shared_ptr<Observers>&... all)
        : observers(std::vector<std::shared_ptr<observer>>{all...}) {}

    void on_call_start(const call_info& call) noexcept override {
        for (auto const& o : all_)
            o->on_call_start(call);
    }
    void on_call_end(const call_info& call, const call_end_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_call_end(call, event);
    }
    void on_throttled(const call_info& call) noexcept override {
        for (auto const& o : all_)
            o->on_throttled(call);
    }
    void on_permit(const call_info& call, const permit_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_permit(call, event);
    }
    void on_permit_settled(
        const call_info& call, const permit_settled_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_permit_settled(call, event);
    }
    void on_retry(const call_info& call, const retry_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_retry(call, event);
    }
    void on_attempt(const call_info& call, const attempt_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_attempt(call, event);
    }
    void on_diagnostics(const call_info& call, const json::diagnostics& bent) noexcept override {
        for (auto const& o : all_)
            o->on_diagnostics(call, bent);
    }
    void on_token_refresh(const auth::token_refresh_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_token_refresh(event);
    }
    void on_connection_open(const http::connection_open_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_connection_open(event);
    }
    void on_connection_close(const http::connection_close_event& event) noexcept override {
        for (auto const& o : all_)
            o->on_connection_close(event);
    }

private:
    std::vector<std::shared_ptr<observer>> all_;
};

} // namespace highlevel

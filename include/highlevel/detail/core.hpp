// SPDX-License-Identifier: BSL-1.0
//
// What stands between the typed calls and the machinery: a non-template interface, so that a
// translation unit that makes calls compiles neither the codec nor the network.
#pragma once

#include <highlevel/auth/resource.hpp>
#include <highlevel/call_options.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/quota/limits.hpp>
#include <highlevel/response.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace highlevel {
class page_options;
}

namespace highlevel::detail {

namespace asio = boost::asio;

class core;

/// The location or company that an account stands for. Each call counts as an owner of this alone,
/// and through it of the core: a count of the core's own would go from processor to processor with
/// every call.
class account_ref {
public:
    account_ref() = default;
    account_ref(
        auth::resource_kind k, std::string account_id, std::shared_ptr<core> machinery = nullptr)
        : owner(std::move(machinery)),
          kind(k),
          id(std::move(account_id)),
          key(to_string(k)) {
        key += ':';
        key += id;
    }

    /// Whose account it is.
    std::shared_ptr<core> owner;
    auth::resource_kind kind = auth::resource_kind::location;
    std::string id;
    /// The limiter's key, for example "location:ve9EPM428h8vShlRW1KT".
    std::string key;
};

/// A call that is encoded, or the reason why it could not be. Owns all that it needs.
class prepared_call {
public:
    prepared_call() = default;

    [[nodiscard]] const call_options& options() const noexcept {
        return options_ ? *options_ : default_call_options;
    }
    void options(const call_options& wanted) {
        if (!(wanted == default_call_options))
            options_ = std::make_unique<const call_options>(wanted);
    }

    /// Null for a raw request.
    const operation_meta* meta = nullptr;
    http::request request;
    std::shared_ptr<const account_ref> account;
    /// Why it could not be encoded; null when it was.
    std::unique_ptr<failure> refused;

private:
    /// Few calls have any, and each call that waits would hold room for them.
    std::unique_ptr<const call_options> options_;
};

class call_report;

/// How a call ended, either of the two. Both are on the heap: a call that waits has neither.
class call_outcome {
public:
    call_outcome() = default;

    std::unique_ptr<highlevel::failure> failure;
    std::unique_ptr<response_parts> parts;
    /// Who tells the observer how the call ends; null when there is none.
    std::shared_ptr<call_report> report;
};

class listing;
class page_source;

/// The client's machinery.
///
/// Thread safety: shared objects: safe.
class core {
public:
    core() = default;
    core(const core&) = delete;
    core& operator=(const core&) = delete;
    virtual ~core() = default;

    [[nodiscard]] virtual asio::any_io_executor executor() const noexcept = 0;

    /// Encodes an operation; does not throw for what the caller got wrong, but records it.
    [[nodiscard]] virtual prepared_call prepare(
        const operation_meta& meta,
        const void* op,
        const std::shared_ptr<const account_ref>& account,
        const call_options& options) = 0;

    /// Completes a raw request.
    [[nodiscard]] virtual prepared_call prepare_raw(
        http::request request,
        const std::shared_ptr<const account_ref>& account,
        const call_options& options) = 0;

    /// Token, permit, exchange and retries; `outcome` says how it ended. Does not throw. Both, and
    /// the core, are in the caller's hands until it ends: a copy of each would be held by every
    /// call that waits.
    [[nodiscard]] virtual asio::awaitable<void> perform(
        prepared_call& call, call_outcome& outcome) = 0;

    /// Decodes the body of a success into `target`; sets `outcome.failure` when it cannot.
    virtual void decode(
        const operation_meta* meta,
        const json::type& type,
        void* target,
        call_outcome& outcome) = 0;

    /// The pages of an operation; what is wrong with the options the first page says.
    [[nodiscard]] virtual std::shared_ptr<page_source> open_pages(
        const listing& what,
        const std::shared_ptr<const account_ref>& account,
        const page_options& options) = 0;

    [[nodiscard]] virtual quota::bucket_snapshot snapshot(const account_ref& account) const = 0;

    /// Ends all calls with operation_aborted.
    virtual void shutdown() noexcept = 0;
};

/// Performs and decodes. The type's description is the only thing that differs between operations.
template <class T>
asio::awaitable<result<response<T>>> try_finish(prepared_call call) {
    call_outcome outcome;
    co_await call.account->owner->perform(call, outcome);
    auto state = std::make_unique<response_state<T>>();
    if (!outcome.failure)
        call.account->owner->decode(call.meta, json::type_of<T>, &state->value, outcome);
    if (outcome.failure) co_return result<response<T>>{std::move(*outcome.failure)};
    state->parts = std::move(outcome.parts);
    co_return result<response<T>>{response_access<T>::make(std::move(state))};
}

template <class T>
asio::awaitable<response<T>> finish(prepared_call call) {
    call_outcome outcome;
    co_await call.account->owner->perform(call, outcome);
    auto state = std::make_unique<response_state<T>>();
    if (!outcome.failure)
        call.account->owner->decode(call.meta, json::type_of<T>, &state->value, outcome);
    if (outcome.failure) throw error{std::move(*outcome.failure)};
    state->parts = std::move(outcome.parts);
    co_return response_access<T>::make(std::move(state));
}

} // namespace highlevel::detail

// SPDX-License-Identifier: BSL-1.0
//
// A successful response: the decoded value and everything that came with it, behind one pointer so
// that moving it through coroutines is free.
#pragma once

#include <highlevel/http/message.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/json/type.hpp>
#include <highlevel/quota/headers.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel {

namespace detail {

/// What a response has apart from its value.
class response_parts {
public:
    response_parts() = default;

    http::response reply;
    quota::rate_headers quota;
    json::diagnostics bent;
    std::string trace_id;
    int attempts = 0;
    /// The content went to a sink.
    bool streamed = false;
};

template <class T>
class response_state {
public:
    response_state() = default;

    T value{};
    std::unique_ptr<response_parts> parts;
};

} // namespace detail

/// A 2xx response; a handle to its value: `got->contact`, `*got`.
///
/// Movable, not copyable. Everything lives as long as the handle. A default-constructed or
/// moved-from response holds nothing and may only be assigned to or destroyed.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
template <class T>
class response {
public:
    using value_type = T;

    response() noexcept = default;

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

    [[nodiscard]] T& operator*() & noexcept { return state_->value; }
    [[nodiscard]] const T& operator*() const& noexcept { return state_->value; }
    [[nodiscard]] T operator*() && { return std::move(state_->value); }
    [[nodiscard]] T* operator->() noexcept { return &state_->value; }
    [[nodiscard]] const T* operator->() const noexcept { return &state_->value; }
    [[nodiscard]] T& value() & noexcept { return state_->value; }
    [[nodiscard]] const T& value() const& noexcept { return state_->value; }
    [[nodiscard]] T value() && { return std::move(state_->value); }

    /// The HTTP status, 200 to 299.
    [[nodiscard]] unsigned status() const noexcept { return state_->parts->reply.status; }
    /// The header fields as received.
    [[nodiscard]] const http::headers& headers() const noexcept {
        return state_->parts->reply.fields;
    }
    /// What the server said of the resource's limits in this response.
    [[nodiscard]] const quota::rate_headers& quota() const noexcept { return state_->parts->quota; }
    /// HighLevel's `traceId`, which its support asks for; empty when the body has none.
    [[nodiscard]] const std::string& trace_id() const noexcept { return state_->parts->trace_id; }
    /// The body as received.
    [[nodiscard]] const std::string& body() const noexcept { return state_->parts->reply.body; }
    /// Where the body did not match the type and was decoded all the same.
    [[nodiscard]] const json::diagnostics& diagnostics() const noexcept {
        return state_->parts->bent;
    }
    /// How many times the request was sent.
    [[nodiscard]] int attempts() const noexcept { return state_->parts->attempts; }

private:
    template <class>
    friend class response_access;
    explicit response(std::unique_ptr<detail::response_state<T>> state) noexcept
        : state_(std::move(state)) {}

    std::unique_ptr<detail::response_state<T>> state_;
};

/// The door through which the client makes responses.
template <class T>
class response_access {
public:
    [[nodiscard]] static response<T> make(
        std::unique_ptr<detail::response_state<T>> state) noexcept {
        return response<T>{std::move(state)};
    }
};

} // namespace highlevel

// SPDX-License-Identifier: BSL-1.0
//
// Where OAuth tokens are kept: the interface that programs and processes share tokens through, and
// nothing of how. A refresh token is single use, so a store must never lose the newest pair.
#pragma once

#include <highlevel/auth/resource.hpp>
#include <highlevel/auth/token.hpp>

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::auth {

/// The right to renew the token of one resource, given by token_store::try_lock().
///
/// It prevents waste, not damage: that two hold it at once (a clock jumped, a holder was stopped
/// for longer than its time) is made harmless by the compare-and-swap of token_store::replace().
class lease {
public:
    lease() = default;
    lease(resource r, std::string its_id) : what(std::move(r)), id(std::move(its_id)) {}

    resource what;
    /// Tells this lease from all others of the resource; the store's own.
    std::string id;
};

/// Keeps one token per resource, for as many programs as share it.
///
/// Functions are coroutines, so that a store may lie behind a network. One that is local may do its
/// work before it first suspends; the work should then take milliseconds. Each may be called from
/// any executor, and completes on that of the awaiting coroutine.
///
/// - Errors: a function that could not do its work throws boost::system::system_error or another
///   std::exception, whose text holds no secret. Then `replace` and `erase` may have worked or not.
/// - Cancellation: a function may end with operation_aborted after terminal cancellation, under the
///   same rule. A token machine never cancels `replace`.
/// - Thread safety: shared objects: safe. Calls from several processes on the same data: as if one
///   came after the other.
///
/// `highlevel/auth/token_store_conformance.hpp` checks an implementation.
class token_store {
public:
    token_store() = default;
    token_store(const token_store&) = delete;
    token_store& operator=(const token_store&) = delete;
    virtual ~token_store() = default;

    /// Gives the token with its version, or nothing when there is none. Sees every `replace` that
    /// has completed before, in whichever process.
    [[nodiscard]] virtual boost::asio::awaitable<std::optional<token>> load(resource what) = 0;

    /// Stores `value` if the version in the store is still `expected`; 0 says that there must be no
    /// token yet. `value.version` is not looked at.
    ///
    /// Gives the new version, or nothing when another version was found, and then changes nothing.
    /// Completes only when the token is as safe as the store can make it: it survives the end of
    /// the process, and of the machine where the store is a disk. The former token is there in full
    /// until the new one is. A version is not 0 and greater than any that the resource had before,
    /// also when the token was erased in between.
    [[nodiscard]] virtual boost::asio::awaitable<std::optional<std::uint64_t>> replace(
        resource what, std::uint64_t expected, token value) = 0;

    /// Removes the token, whatever its version; does nothing when there is none.
    [[nodiscard]] virtual boost::asio::awaitable<void> erase(resource what) = 0;

    /// Takes the lease of the resource without waiting; nothing when another holds it, in this
    /// process or elsewhere. There need not be a token.
    ///
    /// It ends with unlock(), after `ttl` (positive), or as soon as the store learns that the
    /// holding process is gone.
    [[nodiscard]] virtual boost::asio::awaitable<std::optional<lease>> try_lock(
        resource what, std::chrono::milliseconds ttl) = 0;

    /// Lets a lease last `ttl` (positive) from now. False when it has ended, or the store cannot do
    /// it: who needs it longer then gives it back and takes it anew.
    [[nodiscard]] virtual boost::asio::awaitable<bool> extend(
        lease /*held*/, std::chrono::milliseconds /*ttl*/) {
        co_return false;
    }

    /// Gives a lease back. Does nothing when it has ended, also when another holds it by now.
    [[nodiscard]] virtual boost::asio::awaitable<void> unlock(lease held) = 0;

    /// All resources that have a token, in any order.
    [[nodiscard]] virtual boost::asio::awaitable<std::vector<resource>> list() = 0;
};

} // namespace highlevel::auth

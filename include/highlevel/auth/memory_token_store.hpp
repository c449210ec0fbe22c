// SPDX-License-Identifier: BSL-1.0
//
// The store that is used when none is named: tokens live as long as the process. Good for tests and
// for apps whose every token can be minted anew; others need one that lasts.
#pragma once

#include <highlevel/auth/token_store.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::auth {

/// Tokens in memory. Nothing throws but for lack of memory. Thread safety: shared objects: safe.
class memory_token_store final : public token_store {
public:
    using clock = std::chrono::steady_clock;

    /// `now` is what leases are timed by.
    explicit memory_token_store(std::function<clock::time_point()> now = clock::now)
        : now_(std::move(now)) {}

    boost::asio::awaitable<std::optional<token>> load(resource what) override {
        std::lock_guard const lock{mutex_};
        auto const found = tokens_.find(what);
        if (found == tokens_.end()) co_return std::nullopt;
        co_return found->second;
    }

    boost::asio::awaitable<std::optional<std::uint64_t>> replace(
        resource what, std::uint64_t expected, token value) override {
        std::lock_guard const lock{mutex_};
        auto const found = tokens_.find(what);
        auto const current = found == tokens_.end() ? 0 : found->second.version;
        if (current != expected) co_return std::nullopt;
        value.version = ++last_version_;
        tokens_.insert_or_assign(std::move(what), std::move(value));
        co_return last_version_;
    }

    boost::asio::awaitable<void> erase(resource what) override {
        std::lock_guard const lock{mutex_};
        tokens_.erase(what);
        co_return;
    }

    boost::asio::awaitable<std::optional<lease>> try_lock(
        resource what, std::chrono::milliseconds ttl) override {
        std::lock_guard const lock{mutex_};
        auto const now = now_();
        auto& place = leases_[what];
        if (place.first != 0 && now < place.second) co_return std::nullopt;
        place = {++last_lease_, now + ttl};
        co_return lease{std::move(what), std::to_string(last_lease_)};
    }

    boost::asio::awaitable<bool> extend(lease held, std::chrono::milliseconds ttl) override {
        std::lock_guard const lock{mutex_};
        auto const now = now_();
        auto const found = leases_.find(held.what);
        if (found == leases_.end() || std::to_string(found->second.first) != held.id ||
            now >= found->second.second)
            co_return false;
        found->second.second = now + ttl;
        co_return true;
    }

    boost::asio::awaitable<void> unlock(lease held) override {
        std::lock_guard const lock{mutex_};
        auto const found = leases_.find(held.what);
        if (found != leases_.end() && std::to_string(found->second.first) == held.id)
            leases_.erase(found);
        co_return;
    }

    boost::asio::awaitable<std::vector<resource>> list() override {
        std::lock_guard const lock{mutex_};
        std::vector<resource> all;
        all.reserve(tokens_.size());
        for (auto const& [what, value] : tokens_)
            all.push_back(what);
        co_return all;
    }

private:
    std::mutex mutex_;
    std::function<clock::time_point()> now_;
    std::map<resource, token> tokens_;
    // Number and end of the lease in force.
    std::map<resource, std::pair<std::uint64_t, clock::time_point>> leases_;
    std::uint64_t last_version_ = 0;
    std::uint64_t last_lease_ = 0;
};

} // namespace highlevel::auth

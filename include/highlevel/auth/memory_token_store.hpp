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
        auto const found = kept_.find(what);
        if (found == kept_.end()) co_return std::nullopt;
        co_return found->second.value;
    }

    boost::asio::awaitable<std::optional<std::uint64_t>> replace(
        resource what, std::uint64_t expected, token value) override {
        std::lock_guard const lock{mutex_};
        auto const found = kept_.find(what);
        bool const there = found != kept_.end() && found->second.value;
        if ((there ? found->second.value->version : 0) != expected) co_return std::nullopt;
        value.version = ++last_version_;
        kept_[std::move(what)].value = std::move(value);
        co_return last_version_;
    }

    boost::asio::awaitable<void> erase(resource what) override {
        std::lock_guard const lock{mutex_};
        auto const found = kept_.find(what);
        if (found == kept_.end()) co_return;
        found->second.value.reset();
        if (found->second.lease == 0) kept_.erase(found);
    }

    boost::asio::awaitable<std::optional<lease>> try_lock(
        resource what, std::chrono::milliseconds ttl) override {
        std::lock_guard const lock{mutex_};
        auto const now = now_();
        auto& place = kept_[what];
        if (place.lease != 0 && now < place.until) co_return std::nullopt;
        place.lease = ++last_lease_;
        place.until = now + ttl;
        co_return lease{std::move(what), std::to_string(last_lease_)};
    }

    boost::asio::awaitable<bool> extend(lease held, std::chrono::milliseconds ttl) override {
        std::lock_guard const lock{mutex_};
        auto const now = now_();
        auto const found = kept_.find(held.what);
        if (found == kept_.end() || std::to_string(found->second.lease) != held.id ||
            now >= found->second.until)
            co_return false;
        found->second.until = now + ttl;
        co_return true;
    }

    boost::asio::awaitable<void> unlock(lease held) override {
        std::lock_guard const lock{mutex_};
        auto const found = kept_.find(held.what);
        if (found == kept_.end() || std::to_string(found->second.lease) != held.id) co_return;
        found->second.lease = 0;
        if (!found->second.value) kept_.erase(found);
    }

    boost::asio::awaitable<std::vector<resource>> list() override {
        std::lock_guard const lock{mutex_};
        std::vector<resource> all;
        for (auto const& [what, kept] : kept_)
            if (kept.value) all.push_back(what);
        co_return all;
    }

private:
    class entry {
    public:
        std::optional<token> value;
        std::uint64_t lease = 0; ///< number of the one that was given last; 0: given back
        clock::time_point until; ///< its end
    };

    std::mutex mutex_;
    std::function<clock::time_point()> now_;
    std::map<resource, entry> kept_;
    std::uint64_t last_version_ = 0;
    std::uint64_t last_lease_ = 0;
};

} // namespace highlevel::auth

// SPDX-License-Identifier: BSL-1.0
//
// Which webhooks have been seen: a store behind an interface, so that several processes can share
// one, and the store in memory that is the default.
#pragma once

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace highlevel::webhooks {

/// What a webhook is known by: 128 bits of the SHA-256 of its id, or of its body when it has none.
using replay_key = std::array<unsigned char, 16>;

/// The key of an id or a body; `what` keeps the two apart. Throws std::bad_alloc when OpenSSL
/// cannot.
[[nodiscard]] inline replay_key make_replay_key(char what, std::string_view text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    auto* const context = EVP_MD_CTX_new();
    bool const done = context && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1 &&
        EVP_DigestUpdate(context, &what, 1) == 1 &&
        EVP_DigestUpdate(context, text.data(), text.size()) == 1 &&
        EVP_DigestFinal_ex(context, digest, nullptr) == 1;
    EVP_MD_CTX_free(context);
    if (!done) throw std::bad_alloc{};
    replay_key key;
    std::memcpy(key.data(), digest, key.size());
    return key;
}

/// Remembers webhooks. Implement it to share the memory between processes, for example with a
/// database that knows "insert unless present".
///
/// Thread safety: shared objects: safe.
class replay_store {
public:
    using time_point = std::chrono::system_clock::time_point;

    replay_store() = default;
    replay_store(const replay_store&) = delete;
    replay_store& operator=(const replay_store&) = delete;
    virtual ~replay_store() = default;

    /// Remembers the key, at least until `until` where there is room for it. False when it is
    /// remembered already.
    [[nodiscard]] virtual bool insert(const replay_key& key, time_point now, time_point until) = 0;
    /// Forgets it, because what it stood for could not be kept: it will be delivered again.
    virtual void erase(const replay_key& key) = 0;
};

/// Remembers a fixed number of webhooks in memory; the oldest makes room. Each call costs constant
/// time, and an entry about 100 bytes.
///
/// Thread safety: shared objects: safe.
class memory_replay_store final : public replay_store {
public:
    static constexpr std::size_t default_capacity = 65536;

    /// Throws std::invalid_argument when the capacity is 0.
    explicit memory_replay_store(std::size_t capacity = default_capacity) : ring_(capacity) {
        if (capacity == 0) throw std::invalid_argument{"replay store: capacity must be positive"};
        where_.reserve(capacity);
    }

    bool insert(const replay_key& key, time_point now, time_point until) override {
        std::lock_guard const lock{mutex_};
        auto const [found, fresh] = where_.try_emplace(key, next_);
        if (!fresh) {
            auto& old = ring_[found->second];
            if (now < old.until) return false;
            // Over, but not yet overwritten: it becomes the youngest.
            old.used = false;
            found->second = next_;
        }
        auto& entry = ring_[next_];
        if (entry.used) {
            forced_ += now < entry.until;
            where_.erase(entry.key);
        }
        entry.key = key;
        entry.until = until;
        entry.used = true;
        next_ = (next_ + 1) % ring_.size();
        return true;
    }

    void erase(const replay_key& key) override {
        std::lock_guard const lock{mutex_};
        auto const found = where_.find(key);
        if (found == where_.end()) return;
        ring_[found->second].used = false;
        where_.erase(found);
    }

    /// How many are remembered, those included whose time is over.
    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{mutex_};
        return where_.size();
    }
    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.size(); }
    /// How many had to make room before their time; when it grows, the capacity is too small.
    [[nodiscard]] std::uint64_t forced_out() const {
        std::lock_guard const lock{mutex_};
        return forced_;
    }

private:
    struct slot {
        replay_key key{};
        time_point until{};
        bool used = false;
    };
    // The key is a digest of its own, salted here against those who choose ids to collide.
    class hash {
    public:
        hash() {
            // Without randomness it is still a digest.
            if (RAND_bytes(reinterpret_cast<unsigned char*>(&salt_), sizeof salt_) != 1) salt_ = 0;
        }
        std::size_t operator()(const replay_key& key) const noexcept {
            std::size_t made = 0;
            std::memcpy(&made, key.data(), sizeof made);
            return (made ^ salt_) * 0x9e3779b97f4a7c15ULL;
        }

    private:
        std::size_t salt_ = 0;
    };

    mutable std::mutex mutex_;
    std::vector<slot> ring_;
    std::unordered_map<replay_key, std::size_t, hash> where_;
    std::size_t next_ = 0;
    std::uint64_t forced_ = 0;
};

} // namespace highlevel::webhooks

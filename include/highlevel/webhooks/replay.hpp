// SPDX-License-Identifier: BSL-1.0
//
// Which webhooks have been seen: a store behind an interface, so that several processes can share
// one, and the store in memory that is the default.
#pragma once

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

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

/// What became of the wish to handle a webhook.
enum class claim_state : std::uint8_t {
    /// It is the caller's to handle: commit() or release() is to follow.
    taken,
    /// Somebody is handling it at this moment.
    open,
    /// It was handled before.
    seen,
};

/// Remembers webhooks, in two steps: whoever handles one claims it, and commits once it has been
/// kept. What was claimed and never committed, because it could not be kept or because a process
/// ended in between, is owed: it is taken when it comes again, also when it has grown old.
///
/// Implement it to share the memory between processes, for example with a table of keys, states and
/// times; each function is one statement there. Whatever a function throws makes the delivery be
/// answered with 429, so that it comes again; a claim that nobody ended lapses by itself.
///
/// Thread safety: shared objects: safe.
class replay_store {
public:
    using time_point = std::chrono::system_clock::time_point;

    replay_store() = default;
    replay_store(const replay_store&) = delete;
    replay_store& operator=(const replay_store&) = delete;
    virtual ~replay_store() = default;

    /// Whether the key is remembered, in whatever state.
    [[nodiscard]] virtual bool knows(const replay_key& key, time_point now) = 0;
    /// Claims the key until `lapses`, unless somebody else has or it was committed. When nobody
    /// commits it, it is owed until `owed`.
    [[nodiscard]] virtual claim_state claim(
        const replay_key& key, time_point now, time_point lapses, time_point owed) = 0;
    /// What was claimed has been kept: until `until` it is seen, where there is room for it. Also
    /// when the claim has lapsed or is another's by now.
    virtual void commit(const replay_key& key, time_point now, time_point until) = 0;
    /// What was claimed could not be kept: gives up the claim that lapses at `lapses`, and no other
    /// one. It is owed from now on.
    virtual void release(const replay_key& key, time_point lapses) = 0;
};

/// Remembers a bounded number of webhooks in memory: so many that were seen, and as many that are
/// owed, so that neither costs the other its place. What is over makes room, and when nothing is,
/// the oldest. Each call costs logarithmic time, and an entry about 190 bytes.
///
/// Thread safety: shared objects: safe.
class memory_replay_store final : public replay_store {
public:
    static constexpr std::size_t default_capacity = 65536;

    /// Throws std::invalid_argument when the capacity is 0.
    explicit memory_replay_store(std::size_t capacity = default_capacity) : capacity_(capacity) {
        if (capacity == 0) throw std::invalid_argument{"replay store: capacity must be positive"};
    }

    bool knows(const replay_key& key, time_point now) override {
        std::lock_guard const lock{mutex_};
        auto const found = where_.find(key);
        return found != where_.end() && now < found->second->until();
    }

    claim_state claim(
        const replay_key& key, time_point now, time_point lapses, time_point owed) override {
        std::lock_guard const lock{mutex_};
        drop_old(now);
        auto const found = where_.find(key);
        if (found == where_.end()) {
            add(key, false, owed, now)->lapses = lapses;
            return claim_state::taken;
        }
        auto const at = found->second;
        if (at->seen && now < at->until()) return claim_state::seen;
        if (!at->seen && now < at->lapses) return claim_state::open;
        // What is owed stays so for as long as it was at first, however often it is claimed.
        auto const until = at->seen || at->until() <= now ? owed : at->until();
        move(at, false, std::max(until, lapses), now);
        at->lapses = lapses;
        return claim_state::taken;
    }

    void commit(const replay_key& key, time_point now, time_point until) override {
        std::lock_guard const lock{mutex_};
        auto const found = where_.find(key);
        if (found == where_.end())
            add(key, true, until, now);
        else
            move(found->second, true, until, now);
    }

    void release(const replay_key& key, time_point lapses) override {
        std::lock_guard const lock{mutex_};
        auto const found = where_.find(key);
        if (found == where_.end() || found->second->seen || found->second->lapses != lapses) return;
        found->second->lapses = time_point::min();
    }

    /// How many are remembered as seen, some of those included whose time is over.
    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{mutex_};
        return seen_.size();
    }
    /// How many are claimed or owed, some of those included whose time is over.
    [[nodiscard]] std::size_t owed() const {
        std::lock_guard const lock{mutex_};
        return owed_.size();
    }
    /// How many of each are remembered at most.
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    /// How many of both had to make room before their time; when it grows, the capacity is too
    /// small.
    [[nodiscard]] std::uint64_t forced_out() const {
        std::lock_guard const lock{mutex_};
        return forced_;
    }

private:
    class entry;
    // In the order in which they came to be what they are.
    using entries = std::list<entry>;
    // In the order in which they end, which is another: times differ from one to the next.
    using ends = std::multimap<time_point, entries::iterator>;
    class entry {
    public:
        entry(const replay_key& k, bool s) : key(k), seen(s) {}

        [[nodiscard]] time_point until() const { return end->first; }

        replay_key key;
        ends::iterator end{};
        time_point lapses{};
        bool seen;
    };

    [[nodiscard]] entries& list_of(bool seen) { return seen ? seen_ : owed_; }

    entries::iterator add(const replay_key& key, bool seen, time_point until, time_point now) {
        entries made;
        auto const at = made.emplace(made.end(), key, seen);
        ends end;
        end.emplace(until, at);
        where_.emplace(key, at);
        // Nothing fails from here on.
        make_room(seen, now);
        at->end = ends_.insert(end.extract(end.begin()));
        auto& to = list_of(seen);
        to.splice(to.end(), made);
        return at;
    }
    // It is not among the others while one of them makes room.
    void move(entries::iterator at, bool seen, time_point until, time_point now) {
        auto end = ends_.extract(at->end);
        if (at->seen != seen) make_room(seen, now);
        auto& to = list_of(seen);
        to.splice(to.end(), list_of(at->seen), at);
        at->seen = seen;
        end.key() = until;
        at->end = ends_.insert(std::move(end));
    }
    void make_room(bool seen, time_point now) {
        auto& in = list_of(seen);
        while (in.size() >= capacity_ && drop_over(now)) {
        }
        if (in.size() < capacity_) return;
        ++forced_;
        drop(in.begin());
    }
    // Two at a time are enough for what is over not to pile up, and keep each call short.
    void drop_old(time_point now) {
        for (int i = 0; i < 2 && drop_over(now); ++i) {
        }
    }
    bool drop_over(time_point now) {
        if (ends_.empty() || now < ends_.begin()->first) return false;
        drop(ends_.begin()->second);
        return true;
    }
    void drop(entries::iterator at) {
        ends_.erase(at->end);
        where_.erase(at->key);
        list_of(at->seen).erase(at);
    }

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

    std::size_t capacity_;
    mutable std::mutex mutex_;
    entries seen_;
    entries owed_;
    ends ends_;
    std::unordered_map<replay_key, entries::iterator, hash> where_;
    std::uint64_t forced_ = 0;
};

} // namespace highlevel::webhooks

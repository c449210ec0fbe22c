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
#include <iterator>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <ratio>
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
/// the oldest. What is over keeps its place up to a minute, but is no longer known.
///
/// Cost: a call takes constant time, amortised and on average, where times of each kind end no
/// earlier than those before them, but for the same minute; else logarithmic time in the number of
/// different minutes in which they end. Neither depends on how many are remembered. An entry takes
/// about 170 bytes.
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
        return found != where_.end() && now < found->second->until;
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
        if (at->seen && now < at->until) return claim_state::seen;
        if (!at->seen && now < at->lapses) return claim_state::open;
        // What is owed stays so for as long as it was at first, however often it is claimed.
        auto const until = at->seen || at->until <= now ? owed : at->until;
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
        return seen_.all.size();
    }
    /// How many are claimed or owed, some of those included whose time is over.
    [[nodiscard]] std::size_t owed() const {
        std::lock_guard const lock{mutex_};
        return owed_.all.size();
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
    using entries = std::list<entry>;
    // The whole minute by which all is over that ends in the minute before it.
    using minutes = std::chrono::duration<std::int64_t, std::ratio<60>>;
    using minute = std::chrono::time_point<std::chrono::system_clock, minutes>;
    using places = std::list<entries::iterator>;
    using ends = std::map<minute, places>;
    class entry {
    public:
        entry(const replay_key& k, bool s, time_point u) : key(k), until(u), seen(s) {}

        replay_key key;
        time_point until;
        time_point lapses{};
        ends::iterator end{};
        places::iterator place{}; // in that minute
        bool seen;
    };
    // Those that were seen, or those that are owed.
    class kind {
    public:
        entries all; // in the order in which they came to be what they are
        ends over;   // no minute is empty
    };

    [[nodiscard]] kind& kind_of(bool seen) { return seen ? seen_ : owed_; }

    entries::iterator add(const replay_key& key, bool seen, time_point until, time_point now) {
        keep_a_spare();
        entries made;
        auto const at = made.emplace(made.end(), key, seen, until);
        places place;
        place.push_back(at);
        where_.emplace(key, at);
        // Nothing fails from here on.
        make_room(seen, now);
        kind_of(seen).all.splice(kind_of(seen).all.end(), made);
        put(at, place);
        return at;
    }
    // It is not among the others while one of them makes room.
    void move(entries::iterator at, bool seen, time_point until, time_point now) {
        keep_a_spare();
        // Nothing fails from here on.
        auto place = take(at);
        if (at->seen != seen) make_room(seen, now);
        auto& to = kind_of(seen).all;
        to.splice(to.end(), kind_of(at->seen).all, at);
        at->seen = seen;
        at->until = until;
        put(at, place);
    }

    // The node of a minute that is yet to come, so that putting an entry there cannot fail.
    void keep_a_spare() {
        if (!spare_.empty()) return;
        ends one;
        one.try_emplace(minute{});
        spare_ = one.extract(one.begin());
    }
    void put(entries::iterator at, places& place) {
        auto& over = kind_of(at->seen).over;
        auto const end = std::chrono::ceil<minutes>(at->until);
        auto in = over.end();
        if (!over.empty() && std::prev(in)->first == end) {
            --in;
        } else {
            spare_.key() = end;
            in = over.insert(in, std::move(spare_)); // it stays a spare where there is that minute
        }
        at->end = in;
        at->place = place.begin();
        in->second.splice(in->second.end(), place);
    }
    places take(entries::iterator at) {
        places place;
        auto const in = at->end;
        place.splice(place.end(), in->second, at->place);
        if (in->second.empty()) kind_of(at->seen).over.erase(in);
        return place;
    }

    void make_room(bool seen, time_point now) {
        auto& in = kind_of(seen);
        if (in.all.size() < capacity_ || drop_over(in, now)) return;
        if (now < in.all.front().until) ++forced_;
        drop(in.all.begin());
    }
    // Two at a time are enough for what is over not to pile up, and keep each call short.
    void drop_old(time_point now) {
        for (auto* const in : {&seen_, &owed_})
            for (int i = 0; i < 2 && drop_over(*in, now); ++i) {
            }
    }
    bool drop_over(kind& in, time_point now) {
        if (in.over.empty() || std::chrono::floor<minutes>(now) < in.over.begin()->first)
            return false;
        drop(in.over.begin()->second.front());
        return true;
    }
    void drop(entries::iterator at) {
        take(at);
        where_.erase(at->key);
        kind_of(at->seen).all.erase(at);
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
    kind seen_;
    kind owed_;
    ends::node_type spare_;
    std::unordered_map<replay_key, entries::iterator, hash> where_;
    std::uint64_t forced_ = 0;
};

} // namespace highlevel::webhooks

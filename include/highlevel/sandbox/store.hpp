// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's memory: locations and their contacts, in the order in which they were added.
// Made-up contacts exist as 32 bytes each until someone changes them.
#pragma once

#include <highlevel/sandbox/contact.hpp>
#include <highlevel/sandbox/detail/synthetic.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace highlevel::sandbox::detail {

/// Lets maps of strings be searched by views.
class text_hash {
public:
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};

template <class Value>
using text_map = std::unordered_map<std::string, Value, text_hash, std::equal_to<>>;

/// Something of a location that has an id, a name and perhaps a value: a tag, a custom value.
class named_item {
public:
    named_item() = default;
    named_item(std::string i, std::string n, std::string v = {})
        : id(std::move(i)),
          name(std::move(n)),
          value(std::move(v)) {}

    std::string id;
    std::string name;
    std::string value;
};

/// E-mail addresses compare in lower case.
[[nodiscard]] inline std::string lower_case(std::string_view text) {
    std::string out(text);
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// Telephone numbers compare by their plus and digits.
[[nodiscard]] inline std::string normal_phone(std::string_view text) {
    std::string out;
    for (auto c : text)
        if ((c >= '0' && c <= '9') || (c == '+' && out.empty())) out += c;
    return out;
}

/// A location and what belongs to it.
///
/// Thread safety: every member function but `id` and `ordinal` needs `mutex` to be held.
class location {
public:
    /// A contact that exists: when it was added, and the contact itself once it is not as made up.
    class entry {
    public:
        entry(std::uint32_t o, timestamp a) : ordinal(o), added(a) {}

        std::uint32_t ordinal;
        timestamp added;
        std::unique_ptr<contact> own;
    };

    location(
        std::uint64_t seed,
        std::uint32_t ordinal,
        std::string id,
        std::string company_id,
        std::chrono::milliseconds search_lag)
        : seed_(seed),
          codec_(seed),
          ordinal_(ordinal),
          id_(std::move(id)),
          company_id_(std::move(company_id)),
          search_lag_(search_lag) {
        dice d(scatter(seed ^ 0x10c) ^ ordinal);
        place_ = &d.pick(towns);
        owner_first_name_ = d.pick(first_names);
        owner_last_name_ = d.pick(last_names);
        owner_id_ = made_up_id(scatter(seed ^ 0x05e) ^ scatter(ordinal));
        name = owner_last_name_ + ' ' + std::string(d.pick(trade_names));
        for (auto tag : tag_names)
            tags_.emplace_back(
                made_up_id(scatter(seed ^ 0x7a9) ^ scatter(ordinal) ^ tags_.size()),
                std::string(tag));
        custom_values.emplace_back(
            made_up_id(scatter(seed ^ 0xc0) ^ scatter(ordinal)), "Opening hours", "Mon-Fri 9-17");
        custom_values.emplace_back(
            made_up_id(scatter(seed ^ 0xc1) ^ scatter(ordinal)), "Review link",
            "https://example.com/review");
    }

    std::mutex mutex;
    std::string name;
    std::vector<named_item> custom_values;

    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    [[nodiscard]] std::uint32_t ordinal() const noexcept { return ordinal_; }
    [[nodiscard]] const std::string& company_id() const noexcept { return company_id_; }
    [[nodiscard]] const town& place() const noexcept { return *place_; }
    [[nodiscard]] const std::string& owner_id() const noexcept { return owner_id_; }
    [[nodiscard]] const std::string& owner_first_name() const noexcept { return owner_first_name_; }
    [[nodiscard]] const std::string& owner_last_name() const noexcept { return owner_last_name_; }
    [[nodiscard]] const std::vector<named_item>& tags() const noexcept { return tags_; }
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }

    /// All contacts, oldest first; ordinals and dates never fall.
    [[nodiscard]] const std::vector<entry>& entries() const noexcept { return entries_; }

    /// Fills an empty location with so many made-up contacts.
    void populate(std::size_t count) {
        entries_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            contact_key const key(ordinal_, next_ordinal_++);
            entries_.emplace_back(key.ordinal, synthetic_date_added(seed_, key, count));
        }
    }

    /// The contact of that ordinal, or null.
    [[nodiscard]] const entry* find(std::uint32_t ordinal) const noexcept {
        auto const at = std::ranges::lower_bound(entries_, ordinal, {}, &entry::ordinal);
        return at != entries_.end() && at->ordinal == ordinal ? &*at : nullptr;
    }

    /// The contact itself; an untouched one is made up in `scratch`.
    [[nodiscard]] const contact& load(const entry& e, contact& scratch) const {
        if (e.own) return *e.own;
        scratch = synthetic_contact(seed_, codec_, contact_key(ordinal_, e.ordinal), id_, e.added);
        return scratch;
    }

    /// Adds a contact, newest of all. An empty id makes one up; missing dates become `now`.
    const entry& add(contact c, timestamp now) {
        auto const ordinal = next_ordinal_++;
        if (c.id.empty()) c.id = codec_.encode(contact_key(ordinal_, ordinal));
        c.location_id = id_;
        auto added = c.date_added.value_or(now);
        if (!entries_.empty()) added = std::max(added, entries_.back().added);
        c.date_added = added;
        if (!c.date_updated) c.date_updated = added;
        for (auto const& tag : c.tags)
            learn_tag(tag);
        entries_.emplace_back(ordinal, added);
        entries_.back().own = std::make_unique<contact>(std::move(c));
        index(entries_.back());
        remember_old(ordinal, nullptr, now);
        return entries_.back();
    }

    /// Changes a contact that exists with `change(contact&)` and dates it.
    template <class Change>
    const contact& update(std::uint32_t ordinal, timestamp now, Change change) {
        auto& e = at(ordinal);
        if (!e.own) {
            e.own = std::make_unique<contact>();
            contact scratch;
            *e.own = load(entry(e.ordinal, e.added), scratch);
        }
        remember_old(ordinal, e.own.get(), now);
        forget(e);
        change(*e.own);
        for (auto const& tag : e.own->tags)
            learn_tag(tag);
        e.own->date_updated = std::max(now, e.own->date_updated.value_or(now));
        index(e);
        return *e.own;
    }

    /// Deletes a contact that exists.
    void erase(std::uint32_t ordinal, timestamp now) {
        auto& e = at(ordinal);
        contact scratch;
        remember_old(ordinal, &load(e, scratch), now);
        forget(e);
        entries_.erase(entries_.begin() + (&e - entries_.data()));
    }

    /// The contact with that e-mail address, in whatever case.
    [[nodiscard]] std::optional<std::uint32_t> find_email(std::string_view email) {
        build_index();
        return lookup(by_email_, lower_case(email));
    }
    /// The contact with that telephone number, however it is spaced.
    [[nodiscard]] std::optional<std::uint32_t> find_phone(std::string_view phone) {
        build_index();
        return lookup(by_phone_, normal_phone(phone));
    }

    /// Makes a tag one of the location's, as adding it to a contact does.
    const named_item& learn_tag(std::string_view tag) {
        auto const known = std::ranges::find(tags_, tag, &named_item::name);
        if (known != tags_.end()) return *known;
        return tags_.emplace_back(
            made_up_id(scatter(seed_ ^ 0x7a9) ^ scatter(ordinal_) ^ (0x1000 + tags_.size())),
            std::string(tag));
    }

    /// Visits the contacts as the search index has them, newest first, beginning below `before`;
    /// `visit(ordinal, added, load)` gets a function that returns the contact and says whether to
    /// go on. Records written within the search lag appear as they were.
    template <class Visit>
    void visit_indexed(std::uint32_t before, timestamp now, Visit visit) {
        expire(now);
        contact scratch;
        auto const live = [&](const entry& e) {
            return visit(e.ordinal, e.added, [&]() -> const contact& { return load(e, scratch); });
        };
        auto position = std::ranges::lower_bound(entries_, before, {}, &entry::ordinal);
        auto old = old_.lower_bound(before);
        while (position != entries_.begin() || old != old_.begin()) {
            auto const* next = position == entries_.begin() ? nullptr : &*(position - 1);
            auto const stale = old == old_.begin() ? old_.end() : std::prev(old);
            if (stale == old_.end() || (next && next->ordinal > stale->first)) {
                --position;
                if (!live(*next)) return;
                continue;
            }
            if (next && next->ordinal == stale->first) --position;
            old = stale;
            if (!stale->second.record) continue;
            auto const& record = *stale->second.record;
            if (!visit(
                    stale->first, *record.date_added, [&]() -> const contact& { return record; }))
                return;
        }
    }

    /// How many contacts the search index has.
    [[nodiscard]] std::size_t indexed_count(timestamp now) {
        expire(now);
        auto count = entries_.size();
        for (auto const& [ordinal, old] : old_) {
            if (find(ordinal)) --count;
            if (old.record) ++count;
        }
        return count;
    }

private:
    /// A record as it was before a write that the search index has not seen yet.
    class old_record {
    public:
        timestamp until;
        std::unique_ptr<contact> record; // null: it did not exist
    };

    entry& at(std::uint32_t ordinal) noexcept {
        return *std::ranges::lower_bound(entries_, ordinal, {}, &entry::ordinal);
    }

    void remember_old(std::uint32_t ordinal, const contact* record, timestamp now) {
        if (search_lag_.count() <= 0) return;
        expire(now);
        auto& old = old_[ordinal];
        if (old.until == timestamp() && record) old.record = std::make_unique<contact>(*record);
        old.until = now + search_lag_;
    }
    void expire(timestamp now) {
        if (!old_.empty())
            std::erase_if(old_, [&](auto const& item) { return item.second.until <= now; });
    }

    static std::optional<std::uint32_t> lookup(
        const text_map<std::uint32_t>& index, const std::string& key) {
        auto const found = index.find(key);
        if (found == index.end()) return std::nullopt;
        return found->second;
    }
    // Most locations are only read; the index is made when somebody writes.
    void build_index() {
        if (indexed_) return;
        indexed_ = true;
        for (auto const& e : entries_)
            index(e);
    }
    void index(const entry& e) {
        if (!indexed_) return;
        contact scratch;
        auto const& c = load(e, scratch);
        if (!c.email.empty()) by_email_.try_emplace(lower_case(c.email), e.ordinal);
        if (!c.phone.empty()) by_phone_.try_emplace(normal_phone(c.phone), e.ordinal);
    }
    void forget(const entry& e) {
        if (!indexed_) return;
        contact scratch;
        auto const& c = load(e, scratch);
        auto const drop = [&](auto& index, const std::string& key) {
            auto const found = index.find(key);
            if (found != index.end() && found->second == e.ordinal) index.erase(found);
        };
        drop(by_email_, lower_case(c.email));
        drop(by_phone_, normal_phone(c.phone));
    }

    std::uint64_t seed_;
    id_codec codec_;
    std::uint32_t ordinal_;
    std::string id_;
    std::string company_id_;
    std::chrono::milliseconds search_lag_;
    const town* place_ = nullptr;
    std::string owner_id_;
    std::string owner_first_name_;
    std::string owner_last_name_;
    std::vector<named_item> tags_;
    std::vector<entry> entries_;
    std::uint32_t next_ordinal_ = 0;
    std::map<std::uint32_t, old_record> old_;
    bool indexed_ = false;
    text_map<std::uint32_t> by_email_;
    text_map<std::uint32_t> by_phone_;
};

/// All locations of a sandbox.
///
/// Thread safety: distinct objects: safe; shared objects: safe.
class store {
public:
    store(std::uint64_t seed, std::chrono::milliseconds search_lag)
        : seed_(seed),
          codec_(seed),
          search_lag_(search_lag),
          company_id_(made_up_id(scatter(seed) ^ 0xc03)) {}

    [[nodiscard]] const std::string& company_id() const noexcept { return company_id_; }

    /// Adds an empty location and fills it before anyone else can see it.
    template <class Fill>
    std::shared_ptr<location> add_location(std::string id, Fill fill) {
        std::unique_lock lock(mutex_);
        auto const ordinal = static_cast<std::uint32_t>(locations_.size());
        if (id.empty()) id = made_up_id(scatter(seed_ ^ 0x10ca) ^ ordinal);
        if (by_id_.contains(id)) throw std::invalid_argument("location exists already: " + id);
        auto made = std::make_shared<location>(seed_, ordinal, id, company_id_, search_lag_);
        // Not locked: nobody else can reach it yet, and who can will hold its lock before this one.
        fill(*made);
        for (auto const& e : made->entries())
            if (e.own && !codec_.decode(e.own->id))
                chosen_ids_.try_emplace(e.own->id, ordinal, e.ordinal);
        locations_.push_back(made);
        by_id_.emplace(std::move(id), ordinal);
        return made;
    }

    [[nodiscard]] std::shared_ptr<location> find_location(std::string_view id) const {
        std::shared_lock const lock(mutex_);
        auto const found = by_id_.find(id);
        return found == by_id_.end() ? nullptr : locations_[found->second];
    }

    [[nodiscard]] std::vector<std::shared_ptr<location>> locations() const {
        std::shared_lock const lock(mutex_);
        return locations_;
    }

    /// Which location a contact id belongs to and which contact of it that is or was; nothing for
    /// an id that this store has never given out. The contact may have been deleted since.
    [[nodiscard]] std::optional<std::pair<std::shared_ptr<location>, std::uint32_t>> find_contact(
        std::string_view id) const {
        auto key = codec_.decode(id);
        std::shared_lock const lock(mutex_);
        if (!key) {
            auto const chosen = chosen_ids_.find(id);
            if (chosen == chosen_ids_.end()) return std::nullopt;
            key = chosen->second;
        }
        if (key->location >= locations_.size()) return std::nullopt;
        return std::pair(locations_[key->location], key->ordinal);
    }

private:
    std::uint64_t seed_;
    id_codec codec_;
    std::chrono::milliseconds search_lag_;
    std::string company_id_;
    mutable std::shared_mutex mutex_;
    std::vector<std::shared_ptr<location>> locations_;
    text_map<std::uint32_t> by_id_;
    text_map<contact_key> chosen_ids_; // ids that a test chose and that tell nothing by themselves
};

} // namespace highlevel::sandbox::detail

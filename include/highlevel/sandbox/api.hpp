// SPDX-License-Identifier: BSL-1.0
//
// The sandbox without its sockets: a request goes in, the answer that the live API would give comes
// out. Tokens, versions, buckets and endpoints are here; transport is in server.hpp.
#pragma once

#include <highlevel/sandbox/message.hpp>
#include <highlevel/sandbox/meter.hpp>
#include <highlevel/sandbox/oauth.hpp>
#include <highlevel/sandbox/options.hpp>
#include <highlevel/sandbox/stats.hpp>
#include <highlevel/sandbox/store.hpp>
#include <highlevel/sandbox/token.hpp>

#include <boost/json/value.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox::detail {

/// What is sent back. The server reuses one per connection, so that bodies keep their memory.
class reply {
public:
    reply() = default;

    unsigned status = 200;
    std::string body;
    std::string_view content_type = "application/json; charset=utf-8";
    /// Where a redirection leads.
    std::string location;
    std::optional<quota_reading> quota;
    std::optional<std::chrono::seconds> retry_after;

    void clear() {
        status = 200;
        body.clear();
        location.clear();
        content_type = "application/json; charset=utf-8";
        quota.reset();
        retry_after.reset();
    }
};

/// The API. Time is given with each request: since the server's start for the limits, and of day
/// for the records.
///
/// Thread safety: distinct objects: safe; shared objects: safe.
class api {
public:
    using duration = std::chrono::nanoseconds;

    /// `wall` is the time of day that belongs to the steady time zero.
    api(const options& settings, duration wall);

    /// Answers one request. Without `process` only the token and the limit are looked at: what they
    /// refuse is refused, and the rest is counted and goes no further.
    void handle(
        const request_view& request, duration now, timestamp date, reply& out, bool process = true);
    /// Charges the bucket that the request belongs to, without looking at it otherwise, and puts
    /// the reading into `out` if the token is known.
    void charge(const request_view& request, duration now, reply& out);

    /// Limits as the headers of an answer tell them when no bucket can be named.
    [[nodiscard]] quota_reading default_quota() const;

    [[nodiscard]] store& data() noexcept { return store_; }
    [[nodiscard]] const store& data() const noexcept { return store_; }

    void add_token(token_grant grant);
    void remove_token(std::string_view text);
    [[nodiscard]] oauth_house& oauth() noexcept { return oauth_; }

    void set_limits(std::uint32_t max, std::chrono::milliseconds interval);
    /// Runs `use(meter&)` on the bucket of a token's app and a resource.
    template <class Use>
    auto with_bucket(std::string_view token, std::string_view resource, Use use) {
        auto const grant = find_token(token);
        std::lock_guard const lock(meters_mutex_);
        return use(bucket(grant ? grant->quota_owner() : std::string(token), resource));
    }

    void collect(statistics& into) const;
    void reset_stats();
    [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_; }
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
    [[nodiscard]] std::uint64_t refused_daily() const noexcept { return refused_daily_; }
    [[nodiscard]] std::uint64_t expired() const noexcept { return expired_; }

private:
    class endpoint;
    class context;

    using handler = void (api::*)(context&);

    static std::span<const endpoint> endpoints();

    std::shared_ptr<const token_grant> find_token(std::string_view text) const;
    bool has_expired(const token_grant& grant, duration now);
    meter& bucket(const std::string& owner, std::string_view resource);
    quota_reading charge_bucket(
        const token_grant& grant, std::string_view resource, duration now, bool answered_anyway);
    void route(context& c) const;
    void parse_body(context& c) const;
    void locate(context& c) const;
    std::string_view resource_of(const context& c) const;
    bool admit(context& c, duration now);
    bool check_version(context& c) const;
    bool check_route(context& c) const;
    bool check_access(context& c) const;
    bool check_query(context& c) const;
    bool read_page(context& c, std::size_t& skip, std::size_t& limit) const;
    bool check_body(context& c, std::span<const std::string_view> known) const;

    void fail(context& c, unsigned status, std::string_view message) const;
    void fail(context& c, unsigned status, std::span<const std::string> messages) const;
    void unprocessable(context& c, std::string message) const;
    void duplicate(context& c, std::uint32_t ordinal, std::string_view field) const;
    [[nodiscard]] std::string next_trace() const;
    void write_trace(context& c, class json_writer& out) const;

    // Endpoints, by file: contacts.
    void create_contact(context& c);
    void get_contact(context& c);
    void update_contact(context& c);
    void delete_contact(context& c);
    void upsert_contact(context& c);
    void search_contacts(context& c);
    void find_duplicate(context& c);
    void list_contacts(context& c);
    void add_tags(context& c);
    void remove_tags(context& c);
    void tell(std::string_view event, const contact& changed) const {
        if (options_.on_change) options_.on_change(event, changed);
    }
    bool apply_fields(context& c, contact& target) const;
    bool find_conflict(
        context& c, const contact& candidate, std::optional<std::uint32_t> self) const;
    void answer_contact(
        context& c, unsigned status, const contact& record, std::string_view flag, bool set) const;

    // Locations.
    void get_location(context& c);
    void search_locations(context& c);
    void list_tags(context& c);
    void create_tag(context& c);
    void list_custom_fields(context& c);
    void list_custom_values(context& c);
    void create_custom_value(context& c);
    void custom_value(context& c);

    // Users and custom objects.
    void search_users(context& c);
    void create_record(context& c);

    options options_;
    duration wall_;
    store store_;

    oauth_house oauth_;

    mutable std::shared_mutex tokens_mutex_;
    text_map<std::shared_ptr<const token_grant>> tokens_;
    text_map<duration> token_ends_; // of those that expire and were used

    mutable std::mutex meters_mutex_;
    std::uint32_t max_;
    std::chrono::milliseconds interval_;
    // By app, then by resource.
    std::map<std::string, std::map<std::string, meter, std::less<>>, std::less<>> meters_;

    mutable std::mutex counts_mutex_;
    std::map<std::string, std::uint64_t, std::less<>> counts_;
    std::map<std::string, std::uint64_t, std::less<>> processed_;

    std::atomic<std::uint64_t> accepted_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> refused_daily_{0};
    std::atomic<std::uint64_t> expired_{0};
    mutable std::atomic<std::uint64_t> traces_{0};
};

} // namespace highlevel::sandbox::detail

#include <highlevel/sandbox/impl/api.ipp>
#include <highlevel/sandbox/impl/contacts.ipp>
#include <highlevel/sandbox/impl/locations.ipp>
#include <highlevel/sandbox/impl/oauth.ipp>
#include <highlevel/sandbox/impl/objects.ipp>
#include <highlevel/sandbox/impl/users.ipp>

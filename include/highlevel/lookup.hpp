// SPDX-License-Identifier: BSL-1.0
//
// Many contacts by id with few requests: one search for each hundred instead of a call each, since
// calls are what the quota counts.
#pragma once

#include <highlevel/batch.hpp>
#include <highlevel/client.hpp>
#include <highlevel/error.hpp>
#include <highlevel/search.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace highlevel {

/// What was found of many ids.
template <class T>
class many {
public:
    many() = default;

    /// In the order of the ids, each once.
    std::vector<T> found;
    /// Ids that the search does not know, or is too long for (75 characters), in the order in which
    /// they were asked for.
    std::vector<std::string> missing;
};

/// How `get_many` asks. Trivially destructible, so that it can be written inside a co_await.
struct lookup_options {
    /// Requests under way at once; at least 1.
    std::size_t concurrency = 4;
    /// For each of the calls.
    call_options call{};
};

/// The most ids that one request may name.
inline constexpr std::size_t ids_per_lookup = 100;

namespace detail {

/// One request's worth of ids.
[[nodiscard]] inline v2::contacts::search_contacts_advanced lookup_of(
    const std::vector<std::string_view>& ids, std::size_t first, std::size_t last) {
    json::array wanted;
    for (auto i = first; i < last; ++i)
        wanted.emplace_back(ids[i]);
    v2::contacts::search_contacts_advanced op;
    op.body.page_limit = static_cast<std::int64_t>(last - first);
    op.body.filters.emplace().push_back(search::eq("id", std::move(wanted)));
    return op;
}

} // namespace detail

/// The contacts of these ids, as the search gives them.
///
/// Calls that it makes: `POST /contacts/search` with `{"field":"id","operator":"eq","value":[...]}`
/// once for each 100 different ids (source: integrators who replaced single reads so; a page takes
/// 100). An id that comes twice is asked for and given once. The search index lags behind writes by
/// some seconds: a contact that was just made may be missing, and one that was just changed may
/// come as it was. A read by id (`get_contact`) is current at once.
///
/// - Errors: throws `highlevel::error`, the first one; then nothing is given.
/// - Cancellation, executor: as `for_each`.
/// - Lifetime: `ids` is copied before the first suspension.
[[nodiscard]] inline asio::awaitable<many<v2::contacts::types::searched_contact>> get_many(
    account of, std::vector<std::string> ids, lookup_options options = {}) {
    std::unordered_set<std::string_view> seen;
    std::vector<std::string> unique;
    unique.reserve(ids.size());
    for (auto& id : ids) {
        if (id.empty() || seen.contains(id)) continue;
        // Moved within a vector that does not grow, so that views into it hold.
        seen.insert(unique.emplace_back(std::move(id)));
    }
    // The search takes no longer text, and no contact has such an id.
    std::vector<std::string_view> wanted;
    wanted.reserve(unique.size());
    for (auto const& id : unique)
        if (search::detail::length_of(id) <= search::detail::longest_text) wanted.emplace_back(id);
    std::vector<std::size_t> firsts;
    for (std::size_t first = 0; first < wanted.size(); first += ids_per_lookup)
        firsts.push_back(first);

    std::unordered_map<std::string, v2::contacts::types::searched_contact> by_id;
    auto const look_up = [&](std::size_t first) -> asio::awaitable<void> {
        auto const last = std::min(first + ids_per_lookup, wanted.size());
        auto got = co_await of.call(detail::lookup_of(wanted, first, last), options.call);
        for (auto& contact : got->contacts)
            if (contact.id) {
                auto id = *contact.id;
                by_id.insert_or_assign(std::move(id), std::move(contact));
            }
    };
    co_await for_each(firsts, options.concurrency, look_up);

    many<v2::contacts::types::searched_contact> made;
    made.found.reserve(by_id.size());
    for (auto& id : unique) {
        auto const at = by_id.find(id);
        if (at == by_id.end())
            made.missing.push_back(std::move(id));
        else
            made.found.push_back(std::move(at->second));
    }
    co_return made;
}

} // namespace highlevel

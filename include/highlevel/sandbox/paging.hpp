// SPDX-License-Identifier: BSL-1.0
//
// Lists of made-up records, served in whatever way an operation pages, together with what goes
// wrong with lists. The sandbox itself knows a few endpoints only; with this hook it lists for all.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/method.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/sandbox/message.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// What goes wrong with a list. As constructed: nothing.
class list_fault {
public:
    list_fault() = default;

    /// Pages after the first repeat the cursor (or page number) that the first one gave.
    bool repeat_cursor = false;
    /// Every page is the first one.
    bool repeat_page = false;
    /// The total is a text.
    bool total_as_text = false;
    /// The first record is deleted once it was given.
    bool delete_between = false;
    /// The page of that number, from 0, comes without its list.
    std::optional<std::size_t> omit_list_of_page;
};

/// Serves lists as a `response_hook` of a `server`. Records have the ids "rec-0", "rec-1", ... and
/// come in that order; `name`, `searchAfter` and `sort` are there too.
///
/// Sources of how the live lists behave: the API's description, and what integrators report:
/// cursors are on the last page too, one half of a pair of positions alone gives the first page
/// again, and pages of a search end at 10,000 records.
///
/// Thread safety: shared objects: safe.
class list_server {
public:
    list_server() = default;

    /// Serves the operation that `meta` describes, from now on, with so many records; `size` of
    /// them make a page when the request does not say. `meta` must outlive the server.
    void add(
        const operation_meta& meta,
        std::size_t records,
        list_fault faults = list_fault(),
        std::size_t size = 20) {
        std::lock_guard const lock(state_->mutex);
        std::erase_if(state_->lists, [&](auto const& l) { return l.meta == &meta; });
        auto& made = state_->lists.emplace_back();
        made.meta = &meta;
        made.faults = faults;
        made.size = size;
        made.alive.reserve(records);
        for (std::size_t i = 0; i < records; ++i)
            made.alive.push_back(static_cast<std::int64_t>(i));
    }

    /// How many pages of the operation were asked for since it was added.
    [[nodiscard]] std::size_t pages(const operation_meta& meta) const {
        std::lock_guard const lock(state_->mutex);
        for (auto const& l : state_->lists)
            if (l.meta == &meta) return l.pages;
        return 0;
    }

    /// For `server::set_hook` or `options::hook`; may outlive this object.
    [[nodiscard]] response_hook hook() const {
        return [state = state_](const request_view& r) -> std::optional<scripted_response> {
            std::lock_guard const lock(state->mutex);
            for (auto& l : state->lists)
                if (l.matches(r)) return scripted_response(l.status, l.answer(r));
            return std::nullopt;
        };
    }

private:
    class list {
    public:
        const operation_meta* meta = nullptr;
        list_fault faults;
        std::size_t size = 0;
        std::vector<std::int64_t> alive;
        std::size_t pages = 0;
        unsigned status = 200;
        /// The first page's way on.
        json::value first_next;

        [[nodiscard]] bool matches(const request_view& r) const {
            if (to_string(meta->verb) != r.method) return false;
            auto pattern = meta->path;
            auto path = r.path;
            while (!pattern.empty() && !path.empty()) {
                auto const cut = [](std::string_view& from) {
                    auto const end = std::min(from.find('/', 1), from.size());
                    auto const made = from.substr(0, end);
                    from.remove_prefix(end);
                    return made;
                };
                auto const wanted = cut(pattern);
                auto const given = cut(path);
                if (wanted != given && !wanted.starts_with("/{")) return false;
            }
            return pattern.empty() && path.empty();
        }

        [[nodiscard]] std::string answer(const request_view& r) {
            auto const& how = *meta->pages;
            auto const number = pages++;
            auto const asked = parameters(r);
            auto const limit = static_cast<std::size_t>(std::max<std::int64_t>(
                integer(asked, how.size).value_or(static_cast<std::int64_t>(size)), 1));
            auto const from = faults.repeat_page ? 0 : begin(asked, limit);
            status = 200;
            if (!from) {
                status = 400;
                return R"({"statusCode":400,"message":"pages end at 10000 records"})";
            }
            auto const first = std::min(*from, alive.size());
            auto const last = std::min(first + limit, alive.size());
            json::array records;
            for (auto i = first; i < last; ++i)
                records.emplace_back(record(alive[i]));
            json::value root = json::object();
            auto const total = alive.size();
            if (faults.omit_list_of_page != number)
                put(root, how.items_known ? how.items : "/records", std::move(records));
            if (root.is_object()) {
                put(root, how.total,
                    faults.total_as_text ? json::value(std::to_string(total)) : json::value(total));
                put(root, how.has_more, last < total);
                way_on(root, asked, first, last);
            }
            if (faults.delete_between && number == 0 && !alive.empty()) alive.erase(alive.begin());
            return boost::json::serialize(root);
        }

    private:
        static std::string id_of(std::int64_t ordinal) { return "rec-" + std::to_string(ordinal); }
        static std::int64_t stamp_of(std::int64_t ordinal) { return 1'700'000'000'000 + ordinal; }

        static json::value record(std::int64_t ordinal) {
            json::object made;
            made["id"] = id_of(ordinal);
            made["_id"] = id_of(ordinal);
            made["name"] = "Record " + std::to_string(ordinal);
            made["searchAfter"] = json::array{stamp_of(ordinal), id_of(ordinal)};
            made["sort"] = json::array{stamp_of(ordinal)};
            return made;
        }

        /// The request's fields that page, from wherever it carries them.
        [[nodiscard]] json::object parameters(const request_view& r) const {
            if (meta->pages->in == place::body) {
                boost::system::error_code ec;
                auto const body = boost::json::parse(r.body, ec);
                return body.is_object() ? body.get_object() : json::object();
            }
            json::object made;
            auto rest = r.query;
            while (!rest.empty()) {
                auto const end = std::min(rest.find('&'), rest.size());
                auto const pair = rest.substr(0, end);
                rest.remove_prefix(std::min(end + 1, rest.size()));
                auto const equals = std::min(pair.find('='), pair.size());
                made[pair.substr(0, equals)] = pair.substr(std::min(equals + 1, pair.size()));
            }
            return made;
        }

        static std::optional<std::int64_t> number_in(const json::value& v) {
            if (v.is_int64()) return v.get_int64();
            if (v.is_uint64()) return static_cast<std::int64_t>(v.get_uint64());
            if (!v.is_string()) return std::nullopt;
            std::string_view const text(v.get_string());
            std::int64_t made = 0;
            auto const [at, ec] = std::from_chars(text.data(), text.data() + text.size(), made);
            if (ec != std::errc{} || at != text.data() + text.size()) return std::nullopt;
            return made;
        }
        static std::optional<std::int64_t> integer(
            const json::object& from, std::string_view name) {
            auto const* const v = name.empty() ? nullptr : from.if_contains(name);
            return v != nullptr ? number_in(*v) : std::nullopt;
        }

        /// The ordinal that a cursor of any form names; nothing for none.
        static std::optional<std::int64_t> ordinal_in(const json::value& v) {
            if (auto const* const many = v.if_array())
                return many->empty() ? std::nullopt : ordinal_in(many->back());
            if (auto const n = number_in(v)) return *n - stamp_of(0);
            if (!v.is_string()) return std::nullopt;
            std::string_view const text(v.get_string());
            auto const digits = text.find_first_of("0123456789");
            if (digits == std::string_view::npos) return std::nullopt;
            return number_in(json::value(text.substr(digits)));
        }

        /// Where the page begins among the records; nothing for a page that is not served.
        [[nodiscard]] std::optional<std::size_t> begin(
            const json::object& asked, std::size_t limit) const {
            auto const& how = *meta->pages;
            auto const by_page = [&](std::string_view name) -> std::size_t {
                auto const page = integer(asked, name).value_or(how.first_page) - how.first_page;
                return static_cast<std::size_t>(std::max<std::int64_t>(page, 0)) * limit;
            };
            auto const after = [&](std::string_view name) -> std::optional<std::size_t> {
                auto const* const v = asked.if_contains(name);
                auto const ordinal = v != nullptr ? ordinal_in(*v) : std::nullopt;
                if (!ordinal) return std::nullopt;
                auto const at = std::upper_bound(alive.begin(), alive.end(), *ordinal);
                return static_cast<std::size_t>(at - alive.begin());
            };
            switch (how.style) {
            case paging_style::none: return 0;
            case paging_style::skip_limit:
            case paging_style::offset_limit:
                return static_cast<std::size_t>(
                    std::max<std::int64_t>(integer(asked, how.position).value_or(0), 0));
            case paging_style::page_limit:
            case paging_style::page_page_size:
            case paging_style::page_only:
            case paging_style::page_page_length: return by_page(how.position);
            case paging_style::page_limit_search_after:
                if (auto const at = after(how.position)) return at;
                if (by_page(how.position_id) + limit > 10'000) return std::nullopt;
                return by_page(how.position_id);
            case paging_style::start_after_pair:
                // One half alone: the first page again.
                if (!after(how.position_id)) return 0;
                break;
            case paging_style::start_after_item_id:
            case paging_style::start_after_date:
            case paging_style::last_item_id:
            case paging_style::cursor:
            case paging_style::page_token: break;
            }
            return after(how.position).value_or(0);
        }

        /// Adds what leads to the next page where that is not with the last record.
        void way_on(
            json::value& root, const json::object& asked, std::size_t first, std::size_t last) {
            auto const& how = *meta->pages;
            if (how.next.empty() || how.next_in_last_item ||
                how.style == paging_style::page_limit_search_after)
                return;
            json::value next;
            json::value next_id;
            bool const counts = how.style == paging_style::page_limit;
            if (counts) {
                if (last < alive.size())
                    next = integer(asked, how.position).value_or(how.first_page) + 1;
            } else if (last != first) {
                auto const ordinal = alive[last - 1];
                // Only cursors that are nothing else are missing at the end.
                bool const opaque =
                    how.style == paging_style::cursor || how.style == paging_style::page_token;
                if (how.style == paging_style::start_after_pair) {
                    next = stamp_of(ordinal);
                    next_id = id_of(ordinal);
                } else if (!opaque) {
                    next = id_of(ordinal);
                } else if (last < alive.size()) {
                    next = "cursor-" + std::to_string(ordinal);
                }
            }
            if (faults.repeat_cursor) {
                if (first_next.is_null()) first_next = json::array{next, next_id};
                next = first_next.get_array().at(0);
                next_id = first_next.get_array().at(1);
            }
            put(root, how.next, std::move(next));
            put(root, how.next_id, std::move(next_id));
        }

        /// Sets the value at a pointer, making the objects on the way.
        static void put(json::value& root, std::string_view pointer, json::value v) {
            auto* at = &root;
            while (!pointer.empty()) {
                pointer.remove_prefix(1);
                auto const end = std::min(pointer.find('/'), pointer.size());
                auto const name = pointer.substr(0, end);
                pointer.remove_prefix(end);
                if (!at->is_object()) at->emplace_object();
                at = &at->get_object()[name];
            }
            // The root is only ever replaced by the list itself.
            if (at != &root || v.is_array()) *at = std::move(v);
        }
    };

    class shared_state {
    public:
        mutable std::mutex mutex;
        std::deque<list> lists;
    };

    std::shared_ptr<shared_state> state_ = std::make_shared<shared_state>();
};

} // namespace highlevel::sandbox

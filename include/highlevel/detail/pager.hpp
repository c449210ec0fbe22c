// SPDX-License-Identifier: BSL-1.0
//
// Decides how a list goes on: what the next request must say, and whether there is one. Works on
// the raw JSON of each page, because several operations' types do not describe their cursors. Does
// no I/O.
#pragma once

#include <highlevel/detail/operation_failure.hpp>
#include <highlevel/detail/page_items.hpp>
#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace highlevel::detail {

/// A request field for the next page; null takes the field out of the request.
class page_field {
public:
    page_field() = default;
    page_field(std::string_view field_name, json::value field_value)
        : name(field_name),
          value(std::move(field_value)) {}

    std::string_view name;
    json::value value;
};

/// What the caller's operation says of its first page; null where it says nothing.
class page_start {
public:
    page_start() = default;

    json::value position;
    json::value position_id;
    json::value size;
    /// The `page` that lists with a cursor take beside it.
    json::value page;
    /// Whether the request is refused without the `position_id` field.
    bool position_id_required = false;
};

/// A failure of a list rather than of one of its calls.
[[nodiscard]] inline failure list_failure(
    const operation_meta& meta, error_code code, std::string_view why) {
    auto const what = code == errc::paging_stuck ? cause::bad_response
        : code == errc::invalid_argument         ? cause::invalid_request
                                                 : cause::cancelled;
    return operation_failure(meta, code, what, why);
}

/// How far a list has been read, and the way on.
///
/// It ends with a page that is shorter than asked for, an empty page, a `has more` that says no, or
/// a cursor that is missing where the API documents that as the end. There, a page that is short or
/// empty does not end it, since what it lacks may have been filtered out; an empty page that gives
/// its own cursor does. A total ends a list that is paged by number when it is met exactly after
/// more than one page, since several endpoints give the count of the page for it; but not a total
/// of 10,000, since search engines stop counting there. It never ends a list with a cursor. It
/// keeps a list going that it says is not complete.
///
/// It fails instead of going on when the server repeats a page or a cursor, gives no way on from a
/// full page, gives nothing but empty pages, or leaves the list out of a page that must have one:
/// any but the first, and a first one with items in another place. Where the description has a
/// cursor but not its place in the response, every page but a short or empty one has no way on.
class pager {
public:
    /// The server serves no page of /contacts/search beyond this record; cursors have no bound.
    static constexpr std::int64_t page_window = 10'000;
    /// So many empty pages in a row are taken, each with a position that was not met before. A
    /// search that filters its pages gives some; a server that does so for ever is broken.
    static constexpr std::size_t most_empty = 100;

    /// `meta` must outlive the pager.
    pager(const operation_meta& meta, page_start start)
        : meta_(&meta),
          how_(meta.pages),
          start_(std::move(start)),
          size_(std::max<std::int64_t>(integer_in(start_.size).value_or(0), 0)) {
        if (how_ == nullptr) return;
        switch (kind()) {
        case way::none: break;
        case way::items:
            number_ = integer_in(start_.position).value_or(0);
            seen_ = number_;
            break;
        case way::pages:
            number_ = integer_in(start_.position).value_or(how_->first_page);
            if (number_ != how_->first_page) forget_count();
            break;
        case way::search_after:
            number_ = integer_in(start_.position_id).value_or(how_->first_page);
            if (number_ != how_->first_page || !is_empty(start_.position)) forget_count();
            cursor_ = start_.position;
            break;
        case way::cursor:
            cursor_ = start_.position;
            cursor_id_ = start_.position_id;
            if (!is_empty(cursor_) ||
                integer_in(start_.page).value_or(how_->first_page) != how_->first_page)
                forget_count();
            break;
        }
    }

    [[nodiscard]] const operation_meta& meta() const noexcept { return *meta_; }

    /// What the next request must say, over what the operation says itself.
    [[nodiscard]] std::vector<page_field> fields() const {
        std::vector<page_field> made;
        if (how_ == nullptr) return made;
        switch (kind()) {
        case way::none: break;
        case way::items:
        case way::pages: made.emplace_back(how_->position, number_); break;
        case way::search_after:
            // With a cursor, a page number would be a second, different position.
            if (!is_empty(cursor_)) {
                made.emplace_back(how_->position, cursor_);
                made.emplace_back(
                    how_->position_id,
                    start_.position_id_required ? json::value(how_->first_page) : json::value());
            } else if (
                number_ != how_->first_page || start_.position_id_required ||
                !is_empty(start_.position_id)) {
                made.emplace_back(how_->position_id, number_);
            }
            break;
        case way::cursor:
            if (is_empty(cursor_)) break;
            made.emplace_back(how_->position, cursor_);
            if (!how_->position_id.empty()) {
                made.emplace_back(how_->position_id, cursor_id_);
                // Some of these also take a page number, which would be a second position.
                made.emplace_back("page", json::value());
            }
            break;
        }
        return made;
    }

    /// Learns from the body of a page. False when the page must not be used.
    [[nodiscard]] bool observe(const json::value& root) { return read(root); }

    /// Fails: the list cannot be read on. A pager that goes on from the token of this place fails
    /// the same way.
    void stuck(std::string_view why) { problem_ = why; }

    /// Whether nothing more is to be fetched.
    [[nodiscard]] bool done() const noexcept { return ended_; }
    /// Why the list cannot be read to its end, in words; empty while it can.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    /// Items on the last page.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Whether they stood where the description has them.
    [[nodiscard]] bool as_described() const noexcept { return as_described_; }
    /// The member that is the list, where the description does not say and a page had items; empty
    /// otherwise.
    [[nodiscard]] const std::string& list_name() const noexcept { return list_name_; }
    /// What the server last said of the number of items.
    [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return total_; }
    /// How many items of the next page belong to what was read before.
    [[nodiscard]] std::size_t skip() const noexcept { return skip_; }

    /// This place as text: a pager of the same operation that takes it goes on from here.
    [[nodiscard]] std::string token() const { return token(skip_); }
    /// The place `items` after the beginning of the page that `fields` asks for.
    [[nodiscard]] std::string token(std::size_t items) const {
        json::object made;
        made["op"] = name();
        if (ended_) {
            made["end"] = true;
            return boost::json::serialize(made);
        }
        bool const counts_items = kind() == way::items;
        made["n"] = number_ + (counts_items ? static_cast<std::int64_t>(items) : 0);
        if (!cursor_.is_null()) made["at"] = cursor_;
        if (!cursor_id_.is_null()) made["id"] = cursor_id_;
        if (seen_) made["seen"] = *seen_ + (counts_items ? static_cast<std::int64_t>(items) : 0);
        if (items != 0 && !counts_items) made["skip"] = items;
        if (fingerprint_ != 0) made["last"] = fingerprint_;
        if (!list_name_.empty()) made["list"] = list_name_;
        if (!problem_.empty()) made["stuck"] = problem_;
        return boost::json::serialize(made);
    }

    /// Goes on from a token. False, and unchanged, when it is not one of this operation.
    [[nodiscard]] bool resume(std::string_view token) {
        boost::system::error_code ec;
        auto const root =
            boost::json::parse(boost::json::string_view(token.data(), token.size()), ec);
        auto const* const from = ec ? nullptr : root.if_object();
        auto const* const op = from != nullptr ? from->if_contains("op") : nullptr;
        if (op == nullptr || !op->is_string() || std::string_view(op->get_string()) != name())
            return false;
        if (from->contains("end")) {
            ended_ = true;
            return true;
        }
        auto const integer = [&](const char* key) -> std::optional<std::int64_t> {
            auto const* const v = from->if_contains(key);
            return v != nullptr ? integer_in(*v) : std::nullopt;
        };
        auto const n = integer("n");
        auto const skipped = integer("skip").value_or(0);
        if (!n || *n < 0 || skipped < 0) return false;
        number_ = *n;
        skip_ = static_cast<std::size_t>(skipped);
        seen_ = integer("seen");
        cursor_ = value_of(*from, "at");
        cursor_id_ = value_of(*from, "id");
        fingerprint_ = integer("last").value_or(0);
        auto const text = [&](const char* key) -> std::string_view {
            auto const* const v = from->if_contains(key);
            auto const* const found = v != nullptr ? v->if_string() : nullptr;
            return found != nullptr ? std::string_view(*found) : std::string_view{};
        };
        list_name_ = text("list");
        problem_ = text("stuck");
        resumed_ = true;
        return true;
    }

private:
    /// What a position is made of.
    enum class way : std::uint8_t { none, items, pages, search_after, cursor };

    [[nodiscard]] way kind() const noexcept {
        if (how_ == nullptr) return way::none;
        switch (how_->style) {
        case paging_style::none: return way::none;
        case paging_style::skip_limit:
        case paging_style::offset_limit: return way::items;
        case paging_style::page_limit:
        case paging_style::page_page_size:
        case paging_style::page_only:
        case paging_style::page_page_length: return way::pages;
        case paging_style::page_limit_search_after: return way::search_after;
        case paging_style::start_after_pair:
        case paging_style::start_after_item_id:
        case paging_style::start_after_date:
        case paging_style::last_item_id:
        case paging_style::cursor:
        case paging_style::page_token: return way::cursor;
        }
        return way::none;
    }

    /// Whether a missing cursor is the documented sign of the last page. One whose place is not
    /// described is always missing, and says nothing.
    [[nodiscard]] bool missing_cursor_ends() const noexcept {
        return !how_->next.empty() &&
            (how_->style == paging_style::cursor || how_->style == paging_style::page_token);
    }

    void forget_count() noexcept { seen_.reset(); }

    [[nodiscard]] std::string name() const {
        std::string made{to_string(meta_->version_of_description)};
        made += '.';
        made += meta_->family;
        made += '.';
        made += meta_->name;
        return made;
    }

    // -- reading ----------------------------------------------------------------------------------

    static bool is_empty(const json::value& v) noexcept {
        if (v.is_null()) return true;
        if (auto const* const text = v.if_string()) return text->empty();
        if (auto const* const list = v.if_array()) return list->empty();
        return false;
    }

    static json::value value_of(const json::object& from, const char* key) {
        auto const* const v = from.if_contains(key);
        return v != nullptr ? *v : json::value();
    }

    /// A whole number, also as text: several endpoints write their totals so. Nothing beyond 2^53,
    /// so that positions and counts can be added to it.
    static std::optional<std::int64_t> integer_in(const json::value& v) noexcept {
        constexpr std::int64_t bound = std::int64_t{1} << 53;
        auto const bounded = [](std::int64_t i) -> std::optional<std::int64_t> {
            if (i < -bound || i > bound) return std::nullopt;
            return i;
        };
        if (auto const* const i = v.if_int64()) return bounded(*i);
        if (auto const* const u = v.if_uint64()) {
            if (*u > static_cast<std::uint64_t>(bound)) return std::nullopt;
            return static_cast<std::int64_t>(*u);
        }
        if (auto const* const d = v.if_double()) {
            constexpr auto most = static_cast<double>(bound);
            if (!(*d >= -most && *d <= most)) return std::nullopt;
            return static_cast<std::int64_t>(*d);
        }
        if (auto const* const text = v.if_string()) {
            std::int64_t made = 0;
            auto const* const end = text->data() + text->size();
            auto const [at, ec] = std::from_chars(text->data(), end, made);
            if (ec == std::errc{} && at == end && !text->empty()) return bounded(made);
        }
        return std::nullopt;
    }

    /// A value of the response. Real responses put the list and its cursor into one more object
    /// than described, or one less; both are looked at.
    [[nodiscard]] const json::value* find(
        const json::value& root, std::string_view pointer) const noexcept {
        if (pointer.empty()) return nullptr;
        if (auto const* const v = follow(root, pointer)) return v;
        auto const second = pointer.find('/', 1);
        if (second != std::string_view::npos) {
            if (auto const* const v = follow(root, pointer.substr(second))) return v;
        }
        auto const items = how_->items;
        auto const outer = items.substr(0, items.find('/', 1));
        auto const* const inner = outer.empty() ? nullptr : follow(root, outer);
        return inner != nullptr && inner->is_object() ? follow(*inner, pointer) : nullptr;
    }

    /// Tells a page from another by the ids of its items: the rest of them may change between two
    /// reads. Items without an id are taken as they are. FNV-1a, so that tokens hold on every
    /// machine; never 0, and a number that `integer_in` takes.
    [[nodiscard]] static std::int64_t fingerprint_of(const json::array& list) {
        std::uint64_t hash = 14'695'981'039'346'656'037U;
        auto const add = [&](std::string_view text) {
            for (char const c : text)
                hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
            hash = (hash ^ 0xffU) * 1'099'511'628'211U;
        };
        for (auto const& item : list) {
            const json::value* id = nullptr;
            if (auto const* const members = item.if_object()) {
                for (auto const* const name : {"id", "_id"})
                    if (id == nullptr) id = members->if_contains(name);
            }
            if (id != nullptr && id->is_string() && !id->get_string().empty())
                add(id->get_string());
            else
                add(boost::json::serialize(id != nullptr && id->is_number() ? *id : item));
        }
        auto const made = static_cast<std::int64_t>(hash >> 11U);
        return made != 0 ? made : 1;
    }

    [[nodiscard]] std::optional<std::int64_t> integer_at(
        const json::value& root, std::string_view pointer) const noexcept {
        auto const* const v = find(root, pointer);
        return v != nullptr ? integer_in(*v) : std::nullopt;
    }

    [[nodiscard]] std::optional<bool> more_in(const json::value& root) const noexcept {
        auto const* const v = find(root, how_->has_more);
        if (v == nullptr) return std::nullopt;
        if (auto const* const b = v->if_bool()) return *b;
        if (auto const* const text = v->if_string()) {
            if (*text == "true") return true;
            if (*text == "false") return false;
        }
        return std::nullopt;
    }

    /// The cursor to the next page; null when the page has none.
    [[nodiscard]] json::value next_of(const json::value& root, const json::value* last) const {
        const json::value* v = nullptr;
        if (how_->style == paging_style::page_limit_search_after) {
            // Not described for opportunities: with the item, under its search engine's name, or
            // beside the list.
            auto const pointer = how_->next.empty() ? std::string_view{"/searchAfter"} : how_->next;
            if (last != nullptr) v = follow(*last, pointer);
            if (v == nullptr || is_empty(*v)) v = find(root, "/searchAfter");
            if ((v == nullptr || is_empty(*v)) && last != nullptr) v = follow(*last, "/sort");
        } else if (how_->next_in_last_item) {
            if (last != nullptr) v = follow(*last, how_->next);
        } else {
            v = find(root, how_->next);
        }
        if (v == nullptr || is_empty(*v)) return {};
        // A sort value may come as a list of one; the query takes the date.
        if (how_->style == paging_style::start_after_date && v->is_array())
            return v->get_array().front();
        return *v;
    }

    [[nodiscard]] bool read(const json::value& root) {
        skip_ = 0;
        if (how_ == nullptr) {
            ended_ = true;
            return true;
        }
        auto const* const place = raw_items(root, *how_, list_name_);
        auto const* const list = place != nullptr ? place->if_array() : nullptr;
        count_ = list != nullptr ? list->size() : 0;
        if (count_ != 0) learn_name(root, place);
        bool const elsewhere = place == nullptr && holds_items(root);
        as_described_ =
            !elsewhere && (count_ == 0 || !how_->items_known || place == follow(root, how_->items));
        if (kind() == way::none) {
            ended_ = true;
            if (seen_) *seen_ += static_cast<std::int64_t>(count_);
            return true;
        }
        auto const said = integer_at(root, how_->total);
        // A first page without a list may be how the server says "none"; a later one had a list.
        if (place == nullptr &&
            (elsewhere || pages_ != 0 || resumed_ || said.value_or(0) > seen_.value_or(0))) {
            stuck("the page has no list where the items should be");
            return false;
        }
        auto const fingerprint = count_ == 0 ? 0 : fingerprint_of(*list);
        if (count_ != 0 && fingerprint == fingerprint_) {
            stuck("the server answered with the same page again");
            return false;
        }
        fingerprint_ = fingerprint;
        ++pages_;
        if (said) total_ = said;
        if (seen_) *seen_ += static_cast<std::int64_t>(count_);
        auto const* const last = count_ != 0 ? &list->back() : nullptr;
        advance(root, last);
        largest_ = std::max(largest_, count_);
        empty_ = count_ == 0 ? empty_ + 1 : 0;
        if (empty_ == most_empty && !ended_ && problem_.empty())
            stuck("too many pages in a row are empty, and each says that more follows");
        return true;
    }

    /// Once a page had items, a later one that has none must not give another list's.
    void learn_name(const json::value& root, const json::value* list) {
        if (how_->items_known || !root.is_object()) return;
        for (auto const& member : root.get_object())
            if (&member.value() == list) list_name_ = std::string_view(member.key());
    }

    // -- deciding ---------------------------------------------------------------------------------

    void advance(const json::value& root, const json::value* last) {
        auto const more = more_in(root);
        if (more.has_value() && !*more) return end();
        bool const promised = more.value_or(false);
        bool const cursor_decides = kind() == way::cursor && missing_cursor_ends();
        if (count_ == 0 && !promised && !cursor_decides) return end();

        switch (kind()) {
        case way::none: return end();
        case way::items:
            number_ += static_cast<std::int64_t>(count_);
            if (count_ == 0) return stuck("the server says that more follows an empty page");
            if (!promised && complete()) end();
            return;
        case way::pages: return advance_page(root, promised);
        case way::search_after:
            if (complete()) return end();
            return advance_search(root, last);
        case way::cursor: return advance_cursor(root, last, promised);
        }
    }

    void advance_page(const json::value& root, bool promised) {
        if (count_ == 0) return stuck("the server says that more follows an empty page");
        ++number_;
        auto const* const next = find(root, how_->next);
        if (next == nullptr) {
            if (!promised && complete()) end();
            return;
        }
        auto const said = integer_in(*next);
        if (!said) {
            // A flag instead of a number, or a text that leads there.
            auto const* const flag = next->if_bool();
            if (is_empty(*next) || (flag != nullptr && !*flag)) return end();
            if (!promised && flag == nullptr && complete()) end();
            return;
        }
        if (*said < number_) return stuck("the server gave a page that was read before as next");
        number_ = *said;
    }

    void advance_search(const json::value& root, const json::value* last) {
        auto next = next_of(root, last);
        if (!next.is_null()) return take(std::move(next), {});
        if (!is_empty(cursor_)) return stuck("the last item of a full page has no searchAfter");
        ++number_;
        auto const size = size_ != 0 ? size_ : static_cast<std::int64_t>(count_);
        // The last item of the next page, as a comparison that cannot overflow.
        if (size > 0 && number_ - how_->first_page + 1 > page_window / size)
            stuck("pages end at 10,000 items, and the last item has no searchAfter");
    }

    void advance_cursor(const json::value& root, const json::value* last, bool promised) {
        auto next = next_of(root, last);
        json::value next_id;
        bool missing = next.is_null();
        if (!how_->next_id.empty()) {
            auto const* const id = find(root, how_->next_id);
            if (id != nullptr) next_id = *id;
            // One alone gives the first page again.
            missing = missing || is_empty(next_id);
        }
        if (missing_cursor_ends()) {
            if (missing) return end();
            // The place itself: nothing was there, and it asks for nothing else.
            if (count_ == 0 && !promised && next == cursor_ && next_id == cursor_id_) return end();
        } else {
            if (!promised && complete()) return end();
            if (missing) {
                if (total_ && seen_ && *seen_ >= *total_ && *total_ != page_window) return end();
                return stuck(
                    how_->next.empty()
                        ? "where the position of the next page stands is not described"
                        : "a full page gives no position of the next one");
            }
        }
        take(std::move(next), std::move(next_id));
    }

    /// Whether the page that was just read is the last, by its size and the total.
    [[nodiscard]] bool complete() const noexcept {
        auto const count = static_cast<std::int64_t>(count_);
        bool const known = total_.has_value() && seen_.has_value();
        // Not with a cursor: a record that was deleted meanwhile was seen and is no longer counted,
        // and the last page would be left out. Lists paged by number have shifted by it anyway.
        bool const by_number = kind() == way::items || kind() == way::pages;
        if (by_number && known && *seen_ == *total_ && *seen_ > count && *total_ != page_window)
            return true;
        bool const is_short = size_ != 0 ? count < size_ : count_ < largest_;
        return is_short && !(known && *seen_ < *total_);
    }

    void take(json::value next, json::value next_id) {
        if ((next == cursor_ && next_id == cursor_id_) ||
            (pages_ > 1 && next == mark_ && next_id == mark_id_))
            return stuck("the server gave the same cursor again");
        // Brent: a mark that moves at powers of two meets every cycle, however long, with the
        // memory of one cursor.
        if (std::size_t{1} << mark_power_ == pages_) {
            mark_ = next;
            mark_id_ = next_id;
            ++mark_power_;
        }
        cursor_ = std::move(next);
        cursor_id_ = std::move(next_id);
    }

    void end() noexcept { ended_ = true; }

    const operation_meta* meta_;
    const paging* how_;
    page_start start_;
    /// Items per page as asked for; 0 when the server chooses.
    std::int64_t size_;
    /// Position of the styles that count items or pages.
    std::int64_t number_ = 0;
    json::value cursor_;
    json::value cursor_id_;
    json::value mark_;
    json::value mark_id_;
    std::size_t mark_power_ = 0;
    std::size_t pages_ = 0;
    std::size_t count_ = 0;
    std::size_t largest_ = 0;
    /// Pages without items since the last one with some.
    std::size_t empty_ = 0;
    std::size_t skip_ = 0;
    /// Of the page before; 0 when there is none.
    std::int64_t fingerprint_ = 0;
    /// Items from the beginning of the list to here, when known.
    std::optional<std::int64_t> seen_ = 0;
    std::optional<std::int64_t> total_;
    std::string list_name_;
    std::string problem_;
    bool ended_ = false;
    bool resumed_ = false;
    bool as_described_ = true;
};

} // namespace highlevel::detail

// SPDX-License-Identifier: BSL-1.0
//
// Lists that come in pages: page by page or item by item, whatever the operation's way of paging.
#pragma once

#include <highlevel/client.hpp>
#include <highlevel/detail/page_items.hpp>
#include <highlevel/detail/page_source.hpp>
#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/page_options.hpp>
#include <highlevel/response.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace highlevel {

/// The pages of a list operation; from `account.pages(op)`.
///
///     auto pages = location.pages(search);
///     while (auto page = co_await pages.next()) use(**page);
///
/// Every parameter of the operation stays on every page; only its position is moved on. The page
/// size is the operation's own. The list ends with a page that is shorter than that, an empty page
/// or a "has more" that says no; where the API documents a missing cursor as the end, with that
/// instead of a short or empty page. A total that says that items are missing keeps it going. When
/// the server repeats a page or a cursor, gives no way on from a full page, gives a hundred empty
/// pages in a row, or answers without the list (on the first page only if it has items in another
/// place) or with the list where the operation's type does not have it, the next call fails with
/// errc::paging_stuck instead: what was read until then is not all. A list whose next position the
/// API's description leaves out fails so after a full page. An operation that does not page gives
/// one page.
///
/// What is written or deleted while a list is read shifts lists that are paged by number (`skip`,
/// `offset`, `page`), so that a record can be missed or come twice; lists that are paged by a
/// cursor do not shift.
///
/// - Executor: of the coroutine that awaits; pages fetched ahead too.
/// - Cancellation: terminal; the page that was being read can be asked for again.
/// - Lifetime: destroying it lets at most one fetch ahead end on its own.
/// - Thread safety: distinct objects: safe; shared objects: unsafe, one coroutine at a time.
template <operation Op>
class pages {
public:
    using value_type = typename Op::response_type;
    using page_type = response<value_type>;

    /// The next page; nothing after the last. Throws `highlevel::error`; a call that failed can be
    /// repeated, and asks for the same page again.
    [[nodiscard]] asio::awaitable<std::optional<page_type>> next() {
        auto got = co_await try_next();
        if (!got) throw error{got.error()};
        co_return std::move(*got);
    }

    /// As `next`, with a `result`.
    [[nodiscard]] asio::awaitable<result<std::optional<page_type>>> try_next() {
        auto got = co_await at_.source().take();
        if (got.failed) co_return *std::move(got.failed);
        std::optional<page_type> page;
        if (got.page) {
            at_.advance(std::move(got.page->place));
            page.emplace(got.page->content.template take<value_type>());
        }
        co_return result<std::optional<page_type>>{std::move(page)};
    }

    /// The place after the pages that `next` gave, as text to keep. With `page_options::from` a
    /// later run goes on there. Cursors of some lists die within minutes (message export: two).
    [[nodiscard]] std::string page_token() const { return at_.place().token(); }

    /// The number of items of the whole list as the server last gave it; nothing when it does not.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept { return at_.total(); }

private:
    friend class account;
    template <operation>
    friend class items;

    pages(const account& of, Op op, const page_options& options)
        : at_(open(of, std::move(op), options)) {}

    static detail::page_cursor open(const account& of, Op op, const page_options& options) {
        detail::listing what;
        what.meta = &Op::meta;
        what.kind = &detail::response_kind_of<value_type>;
        what.op = std::make_shared<Op>(std::move(op));
        return detail::page_cursor{of.core().open_pages(what, of.ref_, options)};
    }

    detail::page_cursor at_;
};

/// The items of a list operation, one by one; from `account.items(op)`.
///
///     auto contacts = location.items(search);
///     while (auto* contact = co_await contacts.next()) use(*contact);
///
/// Everything that `pages` says holds here too; every call after one that failed with
/// errc::paging_stuck fails so too.
template <operation Op>
class items {
public:
    using value_type = typename detail::item_of<Op>::type;

    /// The next item; null after the last. It lives until the next call and may be moved from.
    /// Throws `highlevel::error`; a call that failed can be repeated.
    [[nodiscard]] asio::awaitable<value_type*> next() {
        auto got = co_await try_next();
        if (!got) throw error{got.error()};
        co_return *got;
    }

    /// As `next`, with a `result`.
    [[nodiscard]] asio::awaitable<result<value_type*>> try_next() {
        auto got = co_await at_.next();
        if (!got) co_return got.error();
        co_return result<value_type*>{static_cast<value_type*>(*got)};
    }

    /// The place after the items that `next` gave, as text to keep; see `pages::page_token`. Within
    /// a page it is the page and a count, so that the page is read again: what is deleted from it
    /// meanwhile shifts the rest.
    [[nodiscard]] std::string page_token() const { return at_.token(); }

    /// See `pages::total`.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept { return at_.total(); }

private:
    friend class account;
    items(highlevel::pages<Op> source, std::uint64_t max)
        : at_(std::move(source.at_), json::type_of<value_type>, max) {}

    detail::item_cursor at_;
};

template <operation Op>
highlevel::pages<Op> account::pages(Op op) const {
    return pages(std::move(op), page_options());
}
template <operation Op>
highlevel::pages<Op> account::pages(Op op, page_options options) const {
    return highlevel::pages<Op>{*this, std::move(op), options};
}
template <operation Op>
highlevel::items<Op> account::items(Op op) const {
    return items(std::move(op), page_options());
}
template <operation Op>
highlevel::items<Op> account::items(Op op, page_options options) const {
    auto const max = options.max_items;
    return highlevel::items<Op>{pages(std::move(op), std::move(options)), max};
}

} // namespace highlevel

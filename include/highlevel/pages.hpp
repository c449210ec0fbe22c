// SPDX-License-Identifier: BSL-1.0
//
// Lists that come in pages: page by page or item by item, whatever the operation's way of paging.
#pragma once

#include <highlevel/call_options.hpp>
#include <highlevel/client.hpp>
#include <highlevel/detail/core.hpp>
#include <highlevel/detail/page_items.hpp>
#include <highlevel/detail/pager.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/one_shot.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/response.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel {

/// How a list is read.
class page_options {
public:
    page_options() = default;

    /// Pages to fetch ahead while the current one is used. Each page still waits for the cursor of
    /// the one before it. Zero, the default: none.
    std::size_t prefetch = 0;
    /// Stop after that many items; `items` stops exactly there, `pages` with the page that reaches
    /// it. Zero, the default: read all.
    std::uint64_t max_items = 0;
    /// A `page_token()` to go on from. The operation must be the same, filters included; only its
    /// name is checked. Empty, the default: begin where the operation says.
    std::string from;
    /// For each of the calls.
    call_options call;
};

namespace detail {

/// A page and the place after it.
template <class T>
class fetched_page {
public:
    fetched_page() = default;
    fetched_page(response<T> page, pager after)
        : content(std::move(page)),
          place(std::move(after)) {}

    response<T> content;
    std::optional<pager> place;
};

/// What fetches pages; outlives its `pages` object while a fetch ahead is under way.
template <operation Op>
class page_source : public std::enable_shared_from_this<page_source<Op>> {
public:
    using value_type = typename Op::response_type;
    using page_type = fetched_page<value_type>;
    /// Without a page after the last one.
    using outcome = result<std::optional<page_type>>;

    page_source(
        std::shared_ptr<detail::core> core,
        std::shared_ptr<const account_ref> account,
        Op op,
        page_options options)
        : core_(std::move(core)),
          account_(std::move(account)),
          op_(std::move(op)),
          options_(std::move(options)),
          pager_(
              Op::meta,
              Op::meta.pages != nullptr ? core_->read_page(Op::meta, &op_) : page_start()) {
        token_refused_ = !options_.from.empty() && !pager_.resume(options_.from);
    }

    [[nodiscard]] const pager& place() const noexcept { return pager_; }

    /// The next page, now or from those that were fetched ahead.
    asio::awaitable<outcome> take() {
        if (options_.prefetch == 0) co_return co_await fetch();
        auto const executor = co_await asio::this_coro::executor;
        for (;;) {
            auto const bell = std::make_shared<http::detail::one_shot>();
            std::optional<outcome> got;
            bool start = false;
            {
                std::lock_guard const lock{mutex_};
                if (!ready_.empty()) {
                    got.emplace(std::move(ready_.front()));
                    ready_.pop_front();
                }
                bool const last = got && !(got->has_value() && got->value());
                start = !running_ && !last && ready_.size() < options_.prefetch;
                running_ = running_ || start;
                if (!got) bell_ = bell;
            }
            // Not under the lock: it may run at once, here.
            if (start)
                asio::co_spawn(executor, fetch_ahead(this->shared_from_this()), asio::detached);
            if (got) co_return std::move(*got);
            error_code ec;
            co_await bell->async_wait(asio::redirect_error(asio::use_awaitable, ec));
            if (ec) co_return fail(ec, {});
        }
    }

    /// Lets a fetch that is under way be the last.
    void abandon() {
        std::lock_guard const lock{mutex_};
        abandoned_ = true;
    }

private:
    static failure fail(error_code code, std::string_view why) {
        failure_data data;
        data.operation = Op::meta.family;
        data.operation += '.';
        data.operation += Op::meta.name;
        data.verb = Op::meta.verb;
        data.path = Op::meta.path;
        data.detail = why;
        data.cause = code == errc::paging_stuck ? cause::bad_response
            : code == errc::invalid_argument    ? cause::invalid_request
                                                : cause::cancelled;
        return failure{code, std::move(data)};
    }

    asio::awaitable<outcome> fetch() {
        if (token_refused_)
            co_return fail(
                make_error_code(errc::invalid_argument), "the page token is not of this operation");
        if (pager_.done()) co_return outcome{std::optional<page_type>{}};
        if (!pager_.problem().empty())
            co_return fail(make_error_code(errc::paging_stuck), pager_.problem());
        core_->write_page(Op::meta, &op_, pager_.fields());
        auto got = co_await try_finish<value_type>(
            core_, core_->prepare(Op::meta, &op_, account_, options_.call));
        if (!got) co_return got.error();
        if (!pager_.observe(got->body()))
            co_return fail(make_error_code(errc::paging_stuck), pager_.problem());
        taken_ += pager_.count();
        if (options_.max_items != 0 && taken_ >= options_.max_items) pager_.end();
        std::optional<page_type> page;
        page.emplace(std::move(*got), pager_);
        co_return outcome{std::move(page)};
    }

    static asio::awaitable<void> fetch_ahead(std::shared_ptr<page_source> self) {
        for (bool more = true; more;) {
            auto got = co_await self->fetch();
            more = got.has_value() && got.value();
            std::lock_guard const lock{self->mutex_};
            self->ready_.push_back(std::move(got));
            more = more && !self->abandoned_ && self->ready_.size() < self->options_.prefetch;
            if (!more) self->running_ = false;
            if (auto const bell = std::exchange(self->bell_, nullptr)) bell->ring();
        }
    }

    std::shared_ptr<detail::core> core_;
    std::shared_ptr<const account_ref> account_;
    // Used by one fetch at a time.
    Op op_;
    page_options options_;
    pager pager_;
    std::uint64_t taken_ = 0;
    bool token_refused_ = false;

    std::mutex mutex_;
    std::deque<outcome> ready_;
    std::shared_ptr<http::detail::one_shot> bell_;
    bool running_ = false;
    bool abandoned_ = false;
};

} // namespace detail

/// The pages of a list operation; from `account.pages(op)`.
///
///     auto pages = location.pages(search);
///     while (auto page = co_await pages.next()) use(**page);
///
/// Every parameter of the operation stays on every page; only its position is moved on. The page
/// size is the operation's own. The list ends with a page that is shorter than that, an empty page,
/// a "has more" that says no, or, where the API documents it so, a missing cursor. A total that
/// says that items are missing keeps it going. When the server repeats a page or a cursor, or gives
/// no way on from a full page, the next call fails with errc::paging_stuck instead: what was read
/// until then is not all. An operation that does not page gives one page.
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

    pages(pages&&) noexcept = default;
    pages& operator=(pages&& other) noexcept {
        std::swap(source_, other.source_);
        std::swap(place_, other.place_);
        return *this;
    }
    ~pages() {
        if (source_) source_->abandon();
    }

    /// The next page; nothing after the last. Throws `highlevel::error`; a call that failed can be
    /// repeated, and asks for the same page again.
    [[nodiscard]] asio::awaitable<std::optional<page_type>> next() {
        auto got = co_await try_next();
        if (!got) throw error{got.error()};
        co_return std::move(*got);
    }

    /// As `next`, with a `result`.
    [[nodiscard]] asio::awaitable<result<std::optional<page_type>>> try_next() {
        auto got = co_await source_->take();
        if (!got) co_return got.error();
        std::optional<page_type> page;
        if (*got) {
            before_ = std::move(place_);
            place_ = std::move(*(*got)->place);
            page.emplace(std::move((*got)->content));
        }
        co_return result<std::optional<page_type>>{std::move(page)};
    }

    /// The place after the pages that `next` gave, as text to keep. With `page_options::from` a
    /// later run goes on there. Cursors of some lists die within minutes (message export: two).
    [[nodiscard]] std::string page_token() const { return place_.token(); }

    /// The number of items of the whole list as the server last gave it; nothing when it does not.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept {
        auto const known = place_.total();
        if (!known || *known < 0) return std::nullopt;
        return static_cast<std::uint64_t>(*known);
    }

private:
    friend class account;
    template <operation>
    friend class items;

    pages(const account& of, Op op, page_options options)
        : source_(std::make_shared<detail::page_source<Op>>(
              of.core_, of.ref_, std::move(op), std::move(options))),
          place_(source_->place()) {}

    std::shared_ptr<detail::page_source<Op>> source_;
    detail::pager place_;
    /// The place before the page that was given last.
    std::optional<detail::pager> before_;
};

/// The items of a list operation, one by one; from `account.items(op)`.
///
///     auto contacts = location.items(search);
///     while (auto* contact = co_await contacts.next()) use(*contact);
///
/// Everything that `pages` says holds here too.
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
        while (index_ >= list_.size() && (max_ == 0 || given_ < max_)) {
            auto const skip = pages_.place_.skip();
            auto got = co_await pages_.try_next();
            if (!got) co_return got.error();
            if (!*got) co_return result<value_type*>{nullptr};
            page_ = std::move(**got);
            list_ = detail::find_items<value_type>(
                json::type_of<typename Op::response_type>, &*page_, Op::meta.pages);
            index_ = skip;
        }
        if (max_ != 0 && given_ >= max_) co_return result<value_type*>{nullptr};
        ++given_;
        co_return result<value_type*>{&list_[index_++]};
    }

    /// The place after the items that `next` gave, as text to keep; see `pages::page_token`. Within
    /// a page it is the page and a count, so that the page is read again: what is deleted from it
    /// meanwhile shifts the rest.
    [[nodiscard]] std::string page_token() const {
        if (index_ >= list_.size()) return pages_.page_token();
        return pages_.before_->token(index_);
    }

    /// See `pages::total`.
    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept { return pages_.total(); }

private:
    friend class account;
    items(highlevel::pages<Op> source, std::uint64_t max) : pages_(std::move(source)), max_(max) {}

    highlevel::pages<Op> pages_;
    response<typename Op::response_type> page_;
    detail::page_items<value_type> list_;
    std::size_t index_ = 0;
    std::uint64_t given_ = 0;
    std::uint64_t max_ = 0;
};

template <operation Op>
highlevel::pages<Op> account::pages(Op op) const {
    return pages(std::move(op), page_options());
}
template <operation Op>
highlevel::pages<Op> account::pages(Op op, page_options options) const {
    return highlevel::pages<Op>{*this, std::move(op), std::move(options)};
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

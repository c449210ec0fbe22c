// SPDX-License-Identifier: BSL-1.0
//
// Where pages come from, for operations of any type: the one implementation of fetching, fetching
// ahead and giving item by item, so that a further list operation costs no more to compile than its
// casts.
#pragma once

#include <highlevel/detail/core.hpp>
#include <highlevel/detail/page_items.hpp>
#include <highlevel/detail/pager.hpp>
#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/response.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::detail {

/// How to make and reach a `response_state` whose type is not known.
class response_kind {
public:
    const json::type* type;
    void* (*make)();
    void (*destroy)(void*) noexcept;
    void* (*value)(void*) noexcept;
    std::unique_ptr<response_parts>& (*parts)(void*) noexcept;
};

template <class T>
inline constexpr response_kind response_kind_of{
    &json::type_of<T>, []() -> void* { return new response_state<T>; },
    [](void* state) noexcept { delete static_cast<response_state<T>*>(state); },
    [](void* state) noexcept -> void* { return &static_cast<response_state<T>*>(state)->value; },
    [](void* state) noexcept -> std::unique_ptr<response_parts>& {
        return static_cast<response_state<T>*>(state)->parts;
    }};

/// A response of a type that is not known; or none.
class erased_response {
public:
    erased_response() = default;
    explicit erased_response(const response_kind& kind) : kind_(&kind), state_(kind.make()) {}
    erased_response(erased_response&& other) noexcept
        : kind_(other.kind_),
          state_(std::exchange(other.state_, nullptr)) {}
    erased_response& operator=(erased_response&& other) noexcept {
        std::swap(kind_, other.kind_);
        std::swap(state_, other.state_);
        return *this;
    }
    ~erased_response() {
        if (state_ != nullptr) kind_->destroy(state_);
    }

    [[nodiscard]] const json::type& type() const noexcept { return *kind_->type; }
    [[nodiscard]] void* value() const noexcept { return kind_->value(state_); }
    [[nodiscard]] std::unique_ptr<response_parts>& parts() const noexcept {
        return kind_->parts(state_);
    }

    /// The response as what it is; `T` must be the one that it was made for.
    template <class T>
    [[nodiscard]] response<T> take() {
        return response_access<T>::make(std::unique_ptr<response_state<T>>{
            static_cast<response_state<T>*>(std::exchange(state_, nullptr))});
    }

private:
    const response_kind* kind_ = nullptr;
    void* state_ = nullptr;
};

/// A page and the place after it.
class fetched_page {
public:
    fetched_page(erased_response page, pager after)
        : content(std::move(page)),
          place(std::move(after)) {}

    erased_response content;
    pager place;
};

/// A page, or why there is none: a failure, or without one, the last page was before.
class page_outcome {
public:
    page_outcome() = default;
    page_outcome(std::unique_ptr<fetched_page> got) noexcept : page(std::move(got)) {}
    page_outcome(failure why) : failed(std::move(why)) {}

    std::unique_ptr<fetched_page> page;
    std::optional<failure> failed;
};

/// Why a page is not given, in words.
inline constexpr std::string_view not_as_typed =
    "the items of the page are not where its type has them";

/// What is to be listed.
class listing {
public:
    listing() = default;

    const operation_meta* meta = nullptr;
    const response_kind* kind = nullptr;
    /// The operation itself, owned.
    std::shared_ptr<void> op;
};

/// Fetches pages; outlives its `pages` object while a fetch ahead is under way.
///
/// Thread safety: one `take` at a time.
class page_source {
public:
    page_source() = default;
    page_source(const page_source&) = delete;
    page_source& operator=(const page_source&) = delete;
    virtual ~page_source() = default;

    /// The place before the first page.
    [[nodiscard]] virtual pager place() const = 0;
    /// The next page, now or from those that were fetched ahead.
    virtual asio::awaitable<page_outcome> take() = 0;
    /// Lets a fetch that is under way be the last.
    virtual void abandon() noexcept = 0;
};

/// Where a reader of pages is: what it reads from, and the places around the page that it has.
class page_cursor {
public:
    explicit page_cursor(std::shared_ptr<page_source> source)
        : source_(std::move(source)),
          place_(source_->place()) {}
    page_cursor(page_cursor&&) noexcept = default;
    page_cursor& operator=(page_cursor&& other) noexcept {
        std::swap(source_, other.source_);
        std::swap(place_, other.place_);
        std::swap(before_, other.before_);
        return *this;
    }
    ~page_cursor() {
        if (source_) source_->abandon();
    }

    [[nodiscard]] page_source& source() const noexcept { return *source_; }
    /// The place after the page that was given last.
    [[nodiscard]] const pager& place() const noexcept { return place_; }
    /// The place before it; there is one once a page was given.
    [[nodiscard]] const pager& before() const noexcept { return *before_; }

    void advance(pager after) {
        before_ = std::move(place_);
        place_ = std::move(after);
    }

    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept {
        auto const known = place_.total();
        if (!known || *known < 0) return std::nullopt;
        return static_cast<std::uint64_t>(*known);
    }

private:
    std::shared_ptr<page_source> source_;
    pager place_;
    std::optional<pager> before_;
};

/// Gives the items of one page after the other.
class item_cursor {
public:
    item_cursor(page_cursor pages, const json::type& item, std::uint64_t max)
        : pages_(std::move(pages)),
          item_(&item),
          max_(max) {}

    /// The next item, or null after the last. A template so that only files that list items compile
    /// it: g++ without optimisation emits every other coroutine of a header.
    template <class Item = void*>
    [[nodiscard]] asio::awaitable<result<Item>> next() {
        if (problem_) co_return *problem_;
        while (index_ >= list_.size() && (max_ == 0 || given_ < max_)) {
            auto const skip = pages_.place().skip();
            auto got = co_await pages_.source().take();
            if (got.failed) co_return *std::move(got.failed);
            if (!got.page) co_return result<Item>{nullptr};
            pages_.advance(std::move(got.page->place));
            page_ = std::move(got.page->content);
            auto const& meta = pages_.place().meta();
            list_ = find_items(
                page_.type(), page_.value(), meta.pages, *item_, pages_.place().list_name());
            index_ = skip;
            // The way on was read from the body; what is given must be the same list. (An object in
            // place of a list decodes as a list of one.) In a json::value it is found as in the
            // body, wherever that has it.
            bool const same = list_.size() == pages_.place().count() &&
                (pages_.place().as_described() || (list_.size() != 0 && list_.raw()));
            if (meta.pages != nullptr && !same) {
                problem_ = list_failure(meta, make_error_code(errc::paging_stuck), not_as_typed);
                list_ = {};
                at_problem_ = skip;
                co_return *problem_;
            }
        }
        if (max_ != 0 && given_ >= max_) co_return result<Item>{nullptr};
        ++given_;
        co_return result<Item>{list_.at(index_++)};
    }

    [[nodiscard]] std::string token() const {
        if (problem_) return pages_.before().token(at_problem_);
        if (index_ >= list_.size()) return pages_.place().token();
        return pages_.before().token(index_);
    }

    [[nodiscard]] std::optional<std::uint64_t> total() const noexcept { return pages_.total(); }

private:
    page_cursor pages_;
    const json::type* item_;
    erased_response page_;
    item_list list_;
    std::size_t index_ = 0;
    std::uint64_t given_ = 0;
    std::uint64_t max_ = 0;
    std::optional<failure> problem_;
    std::size_t at_problem_ = 0;
};

} // namespace highlevel::detail

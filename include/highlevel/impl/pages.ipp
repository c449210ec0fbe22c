// SPDX-License-Identifier: BSL-1.0
//
// Fetches the pages of any operation, on demand or ahead of it.
#pragma once

#include <highlevel/detail/listen.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/operation_member.hpp>
#include <highlevel/detail/page_items.hpp>
#include <highlevel/detail/page_source.hpp>
#include <highlevel/detail/pager.hpp>
#include <highlevel/json/decode.hpp>
#include <highlevel/json/type.hpp>
#include <highlevel/page_options.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace highlevel::detail {

class page_fetcher final : public page_source, public std::enable_shared_from_this<page_fetcher> {
public:
    page_fetcher(
        std::shared_ptr<const account_ref> account,
        listing what,
        page_options options,
        json::decode_options how)
        : account_(std::move(account)),
          what_(std::move(what)),
          options_(std::move(options)),
          how_(how),
          pager_(*what_.meta, first_page()) {
        if (options_.call.sink != nullptr)
            refused_ = "a list is read from its bodies, which must not go to a sink";
        else if (!options_.from.empty() && !pager_.resume(options_.from))
            refused_ = "the page token is not of this operation";
    }

    [[nodiscard]] pager place() const override { return pager_; }

    asio::awaitable<page_outcome> take() override {
        if (options_.prefetch == 0) co_return co_await fetch();
        auto const executor = co_await asio::this_coro::executor;
        for (;;) {
            auto const bell = std::make_shared<highlevel::detail::one_shot>();
            std::unique_ptr<page_ahead> got;
            bool start = false;
            {
                std::lock_guard const lock{mutex_};
                if (!ready_.empty()) {
                    got = std::move(ready_.front());
                    ready_.pop_front();
                }
                bool const last = got && !got->goes_on();
                start = !running_ && !last && ready_.size() < options_.prefetch;
                running_ = running_ || start;
                if (!got) bell_ = bell;
            }
            // Not under the lock: it may run at once, here.
            if (start)
                asio::co_spawn(
                    executor, fetch_ahead(run_ahead{shared_from_this()}), asio::detached);
            if (got && got->thrown) std::rethrow_exception(got->thrown);
            if (got) co_return std::move(got->outcome);
            auto const ec = co_await highlevel::detail::listen(bell);
            if (ec) co_return list_failure(*what_.meta, ec, {});
        }
    }

    void abandon() noexcept override {
        std::lock_guard const lock{mutex_};
        abandoned_ = true;
    }

private:
    /// A page that was fetched ahead, or what was thrown instead.
    class page_ahead {
    public:
        page_ahead() = default;

        [[nodiscard]] bool goes_on() const noexcept { return outcome.page != nullptr; }

        page_outcome outcome;
        std::exception_ptr thrown;
    };

    /// A fetch ahead that is under way. When it goes with its event loop, or by an exception, who
    /// waits for its next page is told, and the next `take` begins another.
    class run_ahead {
    public:
        explicit run_ahead(std::shared_ptr<page_fetcher> of) : of_(std::move(of)) {}
        run_ahead(run_ahead&&) noexcept = default;
        run_ahead& operator=(run_ahead&&) = delete;
        ~run_ahead() {
            if (!of_ || ended_) return;
            std::shared_ptr<highlevel::detail::one_shot> bell;
            {
                std::lock_guard const lock{of_->mutex_};
                of_->running_ = false;
                bell = std::exchange(of_->bell_, nullptr);
            }
            if (bell) bell->ring(asio::error::operation_aborted);
        }

        [[nodiscard]] page_fetcher& fetcher() const noexcept { return *of_; }
        /// It ends by itself. Under the lock.
        void end() noexcept {
            ended_ = true;
            of_->running_ = false;
        }

    private:
        std::shared_ptr<page_fetcher> of_;
        bool ended_ = false;
    };

    [[nodiscard]] page_start first_page() {
        page_start made;
        auto const& meta = *what_.meta;
        if (meta.pages == nullptr) return made;
        auto const& how = *meta.pages;
        auto* const op = what_.op.get();
        made.position = read_member(meta, op, how.in, how.position);
        made.size = read_member(meta, op, how.in, how.size);
        if (!how.position_id.empty()) {
            made.position_id = read_member(meta, op, how.in, how.position_id);
            made.position_id_required = find_member(meta, how.in, how.position_id).needed;
            made.page = read_member(meta, op, how.in, "page");
        }
        return made;
    }

    [[nodiscard]] failure stuck() const {
        return list_failure(*what_.meta, make_error_code(errc::paging_stuck), pager_.problem());
    }

    asio::awaitable<page_outcome> fetch() {
        if (!refused_.empty())
            co_return list_failure(*what_.meta, make_error_code(errc::invalid_argument), refused_);
        if (limit_reached_) co_return page_outcome{};
        if (!pager_.problem().empty()) co_return stuck();
        if (pager_.done()) co_return page_outcome{};
        auto const& meta = *what_.meta;
        for (auto const& field : pager_.fields()) {
            if (write_member(meta, what_.op.get(), meta.pages->in, field.name, field.value))
                continue;
            pager_.stuck("the request cannot hold the position of the next page");
            co_return stuck();
        }
        auto call = account_->owner->prepare(meta, what_.op.get(), account_, options_.call);
        call_outcome outcome;
        co_await account_->owner->perform(call, outcome);
        erased_response page{*what_.kind};
        if (!outcome.failure) account_->owner->decode(&meta, page.type(), page.value(), outcome);
        if (outcome.failure) co_return std::move(*outcome.failure);
        auto const skipped = pager_.skip();
        if (!observe(outcome.parts->reply.body)) co_return stuck();
        if (misplaced(page)) {
            pager_.stuck(not_as_typed);
            co_return stuck();
        }
        page.parts() = std::move(outcome.parts);
        taken_ += pager_.count() > skipped ? pager_.count() - skipped : 0;
        limit_reached_ = options_.max_items != 0 && taken_ >= options_.max_items;
        co_return std::make_unique<fetched_page>(std::move(page), pager_);
    }

    /// Reads the body as the decoder did; what that takes, this must take too.
    [[nodiscard]] bool observe(std::string_view body) {
        json::value root;
        json::diagnostics bent;
        if (what_.meta->pages != nullptr && !json::decode(body, root, how_, bent)) {
            pager_.stuck("the page cannot be read as JSON");
            return false;
        }
        return pager_.observe(root);
    }

    /// Whether the list stands where the type of the page does not have it. A page that is a
    /// json::value shows it wherever it is.
    [[nodiscard]] bool misplaced(const erased_response& page) const {
        auto const* const how = what_.meta->pages;
        if (how == nullptr || !how->items_known || pager_.as_described() ||
            page.type().what == json::kind::value)
            return false;
        auto const list =
            find_items(page.type(), page.value(), how, json::type_of<json::value>, {});
        return pager_.count() == 0 || !list.raw() || list.size() != pager_.count();
    }

    static asio::awaitable<void> fetch_ahead(run_ahead mine) {
        auto& self = mine.fetcher();
        for (bool more = true; more;) {
            auto got = std::make_unique<page_ahead>();
            try {
                got->outcome = co_await self.fetch();
            } catch (...) {
                got->thrown = std::current_exception();
            }
            std::lock_guard const lock{self.mutex_};
            more = got->goes_on();
            self.ready_.push_back(std::move(got));
            more = more && !self.abandoned_ && self.ready_.size() < self.options_.prefetch;
            if (!more) mine.end();
            if (auto const bell = std::exchange(self.bell_, nullptr)) bell->ring();
        }
    }

    std::shared_ptr<const account_ref> account_;
    // Used by one fetch at a time.
    listing what_;
    page_options options_;
    json::decode_options how_;
    pager pager_;
    std::uint64_t taken_ = 0;
    bool limit_reached_ = false;
    std::string_view refused_;

    std::mutex mutex_;
    std::list<std::unique_ptr<page_ahead>> ready_;
    std::shared_ptr<highlevel::detail::one_shot> bell_;
    bool running_ = false;
    bool abandoned_ = false;
};

} // namespace highlevel::detail

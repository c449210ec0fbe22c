// SPDX-License-Identifier: BSL-1.0
//
// The handler of an operation that waits, and how the library wakes it. Asio's handler of any type
// would do, but has an allocation, a cancellation signal and hundreds of functions of its own.
#pragma once

#include <highlevel/detail/prefetch.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace highlevel::detail {

/// A handler of any type that takes an error code or nothing; empty at first.
///
/// One of the size of two pointers, as that of a coroutine, lies in place, a larger one on the
/// heap. Thread safety: shared objects: unsafe.
class parked {
public:
    parked() noexcept = default;
    parked(const parked&) = delete;
    parked& operator=(const parked&) = delete;
    /// Destroys a handler that was not posted.
    ~parked() {
        if (end_ != nullptr) end_(*this, nullptr);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return end_ != nullptr; }

    /// Keeps a handler that has an associated executor; call it while empty. Throws `bad_alloc`
    /// for one that does not fit.
    template <class Handler>
    void keep(Handler handler) {
        if constexpr (fits<Handler>) {
            ::new (static_cast<void*>(place_)) Handler(std::move(handler));
            end_ = &end_kept<Handler>;
        } else {
            keep(on_heap<Handler>{std::make_unique<Handler>(std::move(handler))});
        }
    }

    /// Has the memory fetched that the handler will run in: of a coroutine this, which is in its
    /// frame, and what its handler refers to. Of thousands that wait none is in a cache. Call it
    /// while there is a handler, some time before post().
    void prefetch() const noexcept {
        const void* first = nullptr;
        std::memcpy(&first, place_, sizeof(first));
        detail::prefetch(first, 64, 192);
        detail::prefetch(this, 192, 256);
    }

    /// Calls the handler, through its executor and never inside this call; call it while there is
    /// one. Whatever this is a part of may be gone afterwards, with the handler. Throws what the
    /// executor throws.
    void post(boost::system::error_code code = {}) { end_(*this, &code); }

private:
    /// A handler that is too large to lie in place.
    template <class Handler>
    class on_heap {
    public:
        explicit on_heap(std::unique_ptr<Handler> h) noexcept : handler(std::move(h)) {}
        std::unique_ptr<Handler> handler;
    };
    template <class Handler>
    static void post_now(on_heap<Handler> of, boost::system::error_code code) {
        post_now(std::move(*of.handler), code);
    }
    template <class Handler>
    static void post_now(Handler handler, boost::system::error_code code) {
        // Some of Asio's can be called with anything, and would make of nothing what they like.
        if constexpr (std::is_invocable_v<Handler, boost::system::error_code>) {
            auto const executor = boost::asio::get_associated_executor(handler);
            boost::asio::post(executor, [handler = std::move(handler), code]() mutable {
                std::move(handler)(code);
            });
        } else {
            boost::asio::post(std::move(handler));
        }
    }

    /// Takes the handler out, and posts it if there is a code.
    template <class Handler>
    static void end_kept(parked& of, const boost::system::error_code* code) {
        auto* const kept = std::launder(reinterpret_cast<Handler*>(of.place_));
        Handler handler{std::move(*kept)};
        kept->~Handler();
        of.end_ = nullptr;
        if (code != nullptr) post_now(std::move(handler), *code);
    }

    static constexpr std::size_t room = 2 * sizeof(void*);
    template <class Handler>
    static constexpr bool fits = sizeof(Handler) <= room &&
        alignof(Handler) <= alignof(void*) && std::is_nothrow_move_constructible_v<Handler>;

    alignas(void*) std::byte place_[room];
    void (*end_)(parked&, const boost::system::error_code*) = nullptr;
};

} // namespace highlevel::detail

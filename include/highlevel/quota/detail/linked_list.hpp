// SPDX-License-Identifier: BSL-1.0
//
// Lists through objects that live elsewhere: a waiter is queued without allocation, and taken out
// from anywhere at once.
#pragma once

#include <cassert>
#include <cstddef>

namespace highlevel::quota::detail {

/// Makes a class fit for one `linked_list` at a time.
class link {
public:
    link() = default;
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    [[nodiscard]] bool linked() const noexcept { return after_ != nullptr; }

protected:
    ~link() = default;

private:
    template <class>
    friend class linked_list;
    link* before_ = nullptr;
    link* after_ = nullptr;
};

/// A circular list through objects that it does not own; putting in and taking out is O(1).
template <class T>
class linked_list {
public:
    linked_list() noexcept { root_.before_ = root_.after_ = &root_; }

    [[nodiscard]] bool empty() const noexcept { return root_.after_ == &root_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T& front() const noexcept { return static_cast<T&>(*root_.after_); }
    /// The one after `t`; null after the last.
    [[nodiscard]] T* next(T& t) const noexcept {
        auto* const after = static_cast<link&>(t).after_;
        return after == &root_ ? nullptr : static_cast<T*>(after);
    }
    /// The one before `t`; null before the first.
    [[nodiscard]] T* before(T& t) const noexcept {
        auto* const other = static_cast<link&>(t).before_;
        return other == &root_ ? nullptr : static_cast<T*>(other);
    }
    void push_back(T& t) noexcept { insert(t, *root_.before_, root_); }
    void push_front(T& t) noexcept { insert(t, root_, *root_.after_); }
    void insert_after(T& place, T& t) noexcept {
        link& l = place;
        insert(t, l, *l.after_);
    }
    void erase(T& t) noexcept {
        link& l = t;
        assert(l.linked());
        l.before_->after_ = l.after_;
        l.after_->before_ = l.before_;
        l.before_ = l.after_ = nullptr;
        --size_;
    }

private:
    class anchor : public link {};

    void insert(T& t, link& before, link& after) noexcept {
        link& l = t;
        assert(!l.linked());
        l.before_ = &before;
        l.after_ = &after;
        before.after_ = after.before_ = &l;
        ++size_;
    }

    anchor root_;
    std::size_t size_ = 0;
};

} // namespace highlevel::quota::detail

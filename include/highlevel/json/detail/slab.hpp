// SPDX-License-Identifier: BSL-1.0
//
// Memory for the unknown members of one record: a dozen of them, each with a key and a text, cost
// one allocation in one piece instead of thirty.
#pragma once

#include <boost/json/memory_resource.hpp>
#include <boost/json/storage_ptr.hpp>

#include <cstddef>
#include <functional>
#include <new>

namespace highlevel::json::detail {

// Hands out its bytes once, in order, until it is sealed. Beyond them, and from then on, it is the
// heap: copies of a json::value share its memory resource, in whatever threads they are.
//
// Thread safety: shared objects: safe once it is sealed.
class slab : public boost::json::memory_resource {
public:
    slab(const slab&) = delete;
    slab& operator=(const slab&) = delete;

    // Gives how many bytes were asked of it, also those that it did not have.
    std::size_t seal() noexcept {
        left_ = 0;
        return asked_;
    }

protected:
    slab(std::byte* bytes, std::size_t size) noexcept
        : begin_(bytes),
          end_(bytes + size),
          left_(size) {}
    ~slab() = default;

private:
    void* do_allocate(std::size_t size, std::size_t align) override {
        if (left_ == 0 || size > most_) return ::operator new(size);
        asked_ += size;
        auto const room = left_ / align * align;
        if (room < size) return ::operator new(size);
        left_ = room - size;
        return end_ - room;
    }

    void do_deallocate(void* at, std::size_t, std::size_t) noexcept override {
        std::less<const void*> const before;
        if (before(at, begin_) || !before(at, end_)) ::operator delete(at);
    }

    bool do_is_equal(const boost::json::memory_resource& other) const noexcept override {
        return this == &other;
    }

    // A table of members takes a piece of the heap for itself.
    static constexpr std::size_t most_ = 400;

    std::byte* begin_;
    std::byte* end_;
    std::size_t left_;
    std::size_t asked_ = 0;
};

template <std::size_t Size>
class slab_of final : public slab {
public:
    // Tells where it is: a storage_ptr does not.
    explicit slab_of(slab*& where) noexcept : slab(bytes_, Size) { where = this; }

private:
    alignas(std::max_align_t) std::byte bytes_[Size];
};

// A slab for `size` bytes if it can be, and where it is. The largest is what malloc of glibc keeps
// at hand for the next, which is a kibibyte.
inline boost::json::storage_ptr make_slab(std::size_t size, slab*& where) {
    using boost::json::make_shared_resource;
    if (size <= 256) return make_shared_resource<slab_of<256>>(where);
    if (size <= 512) return make_shared_resource<slab_of<512>>(where);
    return make_shared_resource<slab_of<928>>(where);
}

} // namespace highlevel::json::detail

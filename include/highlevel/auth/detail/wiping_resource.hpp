// SPDX-License-Identifier: BSL-1.0
//
// Memory for JSON that holds secrets: overwritten before it goes back to the heap.
#pragma once

#include <highlevel/auth/secret.hpp>

#include <boost/json/memory_resource.hpp>

#include <cstddef>
#include <new>

namespace highlevel::auth::detail {

/// The heap, with every block overwritten when it is given back. Thread safety: as the heap's.
class wiping_resource final : public boost::json::memory_resource {
private:
    // JSON needs no more than what operator new aligns to, and Boost.JSON 1.81 does not always name
    // the same alignment for both.
    void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override {
        return ::operator new(bytes);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t /*alignment*/) override {
        secret::wipe(static_cast<char*>(block), bytes);
        ::operator delete(block);
    }
    [[nodiscard]] bool do_is_equal(
        const boost::json::memory_resource& /*other*/) const noexcept override {
        return true;
    }
};

} // namespace highlevel::auth::detail

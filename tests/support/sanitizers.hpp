// SPDX-License-Identifier: BSL-1.0
//
// Whether AddressSanitizer or ThreadSanitizer is built in: it makes everything slow, keeps memory
// that was freed, and has an allocator of its own.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define HIGHLEVEL_TEST_SANITIZED
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define HIGHLEVEL_TEST_SANITIZED
#    endif
#endif

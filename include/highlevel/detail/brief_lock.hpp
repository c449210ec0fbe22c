// SPDX-License-Identifier: BSL-1.0
//
// A lock of what is held for a moment only.
#pragma once

#include <mutex>

namespace highlevel::detail {

/// std::lock_guard that looks again for a while before it sleeps. Where a mutex is held for a
/// tenth of a microsecond, falling asleep and being woken takes fifty times as long, and keeps
/// whoever holds it from its work.
class brief_lock {
public:
    explicit brief_lock(std::mutex& m) : mutex_(m) {
        for (int tries = 0; tries < 32; ++tries) {
            if (mutex_.try_lock()) return;
            for (int i = 0; i < 16; ++i)
                pause();
        }
        mutex_.lock();
    }
    brief_lock(const brief_lock&) = delete;
    brief_lock& operator=(const brief_lock&) = delete;
    ~brief_lock() { mutex_.unlock(); }

private:
    /// Leaves the processor's units, and the mutex's line, to the other one.
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
        __asm__ __volatile__("yield");
#endif
    }

    std::mutex& mutex_;
};

} // namespace highlevel::detail

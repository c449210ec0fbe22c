// SPDX-License-Identifier: BSL-1.0
//
// Random numbers from OpenSSL, which is there anyway: <random> takes half a second of each
// compilation for its distributions.
#pragma once

#include <openssl/rand.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace highlevel::detail {

/// Fills the room with bytes that nobody can foretell. Throws std::runtime_error when there are
/// none. Thread safety: safe.
inline void random_bytes(unsigned char* room, std::size_t size) {
    if (::RAND_bytes(room, static_cast<int>(size)) != 1)
        throw std::runtime_error{"OpenSSL has no random numbers"};
}

/// 64 random bits.
[[nodiscard]] inline std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    random_bytes(reinterpret_cast<unsigned char*>(&bits), sizeof bits);
    return bits;
}

/// So many random bytes in hexadecimal digits.
template <std::size_t Bytes>
[[nodiscard]] std::string random_hex() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, Bytes> random;
    random_bytes(random.data(), random.size());
    std::string made;
    made.reserve(2 * Bytes);
    for (auto const byte : random) {
        made += digits[byte >> 4U];
        made += digits[byte & 15U];
    }
    return made;
}

/// Numbers that spread pauses and the like, and are no secret: splitmix64 from a random seed, at
/// 4 ns instead of the 1.8 us that OpenSSL takes.
///
/// Thread safety: shared objects: safe.
class random_spread {
public:
    random_spread() : state_(random_bits()) {}

    /// From 0 up to and without 1, evenly.
    [[nodiscard]] double next() noexcept {
        auto z = state_.fetch_add(0x9e3779b97f4a7c15ULL, std::memory_order_relaxed);
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
        z ^= z >> 31U;
        return static_cast<double>(z >> 11U) * 0x1.0p-53;
    }

private:
    std::atomic<std::uint64_t> state_;
};

} // namespace highlevel::detail

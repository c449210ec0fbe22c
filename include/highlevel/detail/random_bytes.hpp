// SPDX-License-Identifier: BSL-1.0
//
// Random numbers from OpenSSL, which is there anyway: <random> takes half a second of each
// compilation for its distributions.
#pragma once

#include <openssl/rand.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>

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

/// From 0 up to and without 1, evenly.
[[nodiscard]] inline double random_fraction() {
    return static_cast<double>(random_bits() >> 11U) * 0x1.0p-53;
}

} // namespace highlevel::detail

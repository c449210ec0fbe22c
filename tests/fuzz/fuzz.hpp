// SPDX-License-Identifier: BSL-1.0
//
// What the fuzz targets share: the entry point that libFuzzer and the replay program call, a way to
// take an input apart, and checks that hold in every build.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// One input; always returns 0. The name and the signature are libFuzzer's; entry.cpp defines it
/// for each program, as a call of the target's own `fuzz::<file>::one_input`.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Ends the program when something that must hold for every input does not.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

/// The input, piece by piece. What is taken beyond its end is empty or zero.
class input {
public:
    input(const std::uint8_t* data, std::size_t size)
        : left_(reinterpret_cast<const char*>(data), size) {}

    std::uint8_t byte() {
        if (left_.empty()) return 0;
        auto const taken = static_cast<std::uint8_t>(left_.front());
        left_.remove_prefix(1);
        return taken;
    }

    /// Up to the next line feed, which is taken along.
    std::string_view line() {
        auto const end = std::min(left_.find('\n'), left_.size());
        auto const taken = left_.substr(0, end);
        left_.remove_prefix(std::min(end + 1, left_.size()));
        return taken;
    }

    std::string_view rest() const { return left_; }
    [[nodiscard]] bool empty() const { return left_.empty(); }

private:
    std::string_view left_;
};

} // namespace fuzz

// SPDX-License-Identifier: BSL-1.0
//
// The entry point that libFuzzer and the replay program call, for the fuzz target that the build
// names; compiled once per target, so that the targets themselves can be compiled as one file.

#include <cstddef>
#include <cstdint>

namespace fuzz::HIGHLEVEL_FUZZ_TARGET {
int one_input(const std::uint8_t* data, std::size_t size);
} // namespace fuzz::HIGHLEVEL_FUZZ_TARGET

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return fuzz::HIGHLEVEL_FUZZ_TARGET::one_input(data, size);
}

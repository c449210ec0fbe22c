// SPDX-License-Identifier: BSL-1.0
//
// Runs a fuzz target over files instead of over made-up inputs, with any compiler: what a corpus
// holds stays mended, and a finding can be looked at in a debugger.

#include "fuzz.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace fs = std::filesystem;

int main(int argc, char** argv) {
    std::vector<fs::path> files;
    for (int i = 1; i < argc; ++i) {
        fs::path const named{argv[i]};
        if (!fs::is_directory(named)) {
            files.push_back(named);
            continue;
        }
        for (auto const& entry : fs::recursive_directory_iterator{named})
            if (entry.is_regular_file()) files.push_back(entry.path());
    }
    if (files.empty()) {
        std::cerr << "usage: replay FILE-OR-FOLDER... (and there must be a file in it)\n";
        return 2;
    }
    std::sort(files.begin(), files.end());
    for (auto const& file : files) {
        std::ifstream in{file, std::ios::binary};
        std::string const bytes{std::istreambuf_iterator<char>{in}, {}};
        if (!in && !in.eof()) {
            std::cerr << "cannot read " << file << '\n';
            return 1;
        }
        // Named before it runs: the last name printed is the one that ended the program.
        std::cout << file.filename().string() << std::endl;
        (void)LLVMFuzzerTestOneInput(
            reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
    std::cout << files.size() << " inputs\n";
    return 0;
}

// SPDX-License-Identifier: BSL-1.0
//
// A folder for the files of one test, gone with it.
#pragma once

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

namespace highlevel::test {

class temporary_folder {
public:
    temporary_folder()
        : path_(
              std::filesystem::temp_directory_path() /
              ("highlevel_test_" + std::to_string(std::random_device{}()))) {
        std::filesystem::create_directory(path_);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    [[nodiscard]] std::string operator/(std::string_view name) const {
        return (path_ / name).string();
    }

    /// Writes a file and gives its path.
    std::string write(const std::string& name, std::string_view content) const {
        auto const path = path_ / name;
        std::ofstream{path, std::ios::binary}.write(
            content.data(), static_cast<std::streamsize>(content.size()));
        return path.string();
    }

private:
    std::filesystem::path path_;
};

} // namespace highlevel::test

// SPDX-License-Identifier: BSL-1.0
//
// A file on disk, by C's own means: <filesystem> and <fstream> take a second of each compilation,
// and file streams bring locales that nothing here needs.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::detail {

/// A file that is read or written from its beginning to its end; what fails stays failed until it
/// is opened again.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class disk_file {
public:
    disk_file() = default;

    /// The size of a regular file; nothing for all else, and where there is none.
    [[nodiscard]] static std::optional<std::uint64_t> size_of(const std::string& path) noexcept {
        struct ::stat found;
        if (::stat(path.c_str(), &found) != 0 || (found.st_mode & S_IFMT) != S_IFREG)
            return std::nullopt;
        return static_cast<std::uint64_t>(found.st_size);
    }

    /// Opens it to be read from its beginning.
    [[nodiscard]] bool open(const std::string& path) noexcept { return open(path, "rb"); }
    /// Opens it to be written anew.
    [[nodiscard]] bool create(const std::string& path) noexcept { return open(path, "wb"); }

    /// Fills the room; false when there is less, or it cannot be read.
    [[nodiscard]] bool read(char* room, std::size_t size) noexcept {
        good_ = is_open() && std::fread(room, 1, size, file_.get()) == size;
        return good_;
    }

    /// False when it cannot be written.
    [[nodiscard]] bool write(std::string_view bytes) noexcept {
        good_ =
            is_open() && std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size();
        return good_;
    }

    /// False when any of it has failed, which may show here only.
    bool close() noexcept {
        bool const closed = file_ && std::fclose(file_.release()) == 0;
        good_ = good_ && closed;
        return good_;
    }

private:
    class closer {
    public:
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };

    [[nodiscard]] bool is_open() const noexcept { return file_ && good_; }

    bool open(const std::string& path, const char* mode) noexcept {
        file_.reset(std::fopen(path.c_str(), mode));
        good_ = file_ != nullptr;
        return good_;
    }

    std::unique_ptr<std::FILE, closer> file_;
    bool good_ = false;
};

} // namespace highlevel::detail

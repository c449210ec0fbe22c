// SPDX-License-Identifier: BSL-1.0
//
// The few system calls that a store on disk is made of, with errors that name the file.
#pragma once

#ifdef _WIN32
#    error "stores on disk need POSIX files and locks; elsewhere derive from token_store"
#endif

#include <highlevel/auth/secret.hpp>
#include <highlevel/auth/token_store_error.hpp>

#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace highlevel::auth::detail {

[[noreturn]] inline void throw_errno(const std::string& doing) {
    throw boost::system::system_error{
        boost::system::error_code{errno, boost::system::system_category()}, doing};
}

/// An open file. Thread safety: distinct objects: safe.
class file {
public:
    file() noexcept = default;
    explicit file(int descriptor) noexcept : descriptor_(descriptor) {}
    file(file&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    file& operator=(file&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~file() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    /// Opens, but gives nothing when there is no such file. Symbolic links are not followed.
    [[nodiscard]] static std::optional<file> open_existing(const std::string& path, int flags) {
        file opened{::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW)};
        if (opened.descriptor_ >= 0) return opened;
        if (errno == ENOENT) return std::nullopt;
        throw_errno("open " + path);
    }
    /// Opens or creates with mode 0600.
    [[nodiscard]] static file open_or_create(const std::string& path, int flags) {
        file opened{::open(path.c_str(), flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (opened.descriptor_ < 0) throw_errno("create " + path);
        return opened;
    }

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    [[nodiscard]] struct stat status(const std::string& path) const {
        struct stat s {};
        if (::fstat(descriptor_, &s) != 0) throw_errno("stat " + path);
        return s;
    }

    /// Takes the lock of the whole file, or gives false when another open file has it. The kernel
    /// gives it back when the process ends, however it ends.
    [[nodiscard]] bool try_lock(const std::string& path) const {
        while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return false;
            if (errno != EINTR) throw_errno("lock " + path);
        }
        return true;
    }

    void write(std::string_view bytes, const std::string& path) const {
        while (!bytes.empty()) {
            auto const written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) throw_errno("write " + path);
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
    }

    /// Puts `bytes`, at least as long as the content, in the content's place.
    void write_at_start(std::string_view bytes, const std::string& path) const {
        if (::pwrite(descriptor_, bytes.data(), bytes.size(), 0) !=
            static_cast<ssize_t>(bytes.size()))
            throw_errno("write " + path);
    }

    /// The content from the start, up to `most` bytes; what is read through is left nowhere else.
    [[nodiscard]] secret read(std::size_t most, const std::string& path) const {
        std::string bytes(most, '\0');
        std::size_t size = 0;
        while (size < most) {
            auto const got =
                ::pread(descriptor_, bytes.data() + size, most - size, static_cast<off_t>(size));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw_errno("read " + path);
            if (got == 0) break;
            size += static_cast<std::size_t>(got);
        }
        secret content{std::string_view{bytes.data(), size}};
        secret::wipe(bytes.data(), size);
        return content;
    }

    /// Brings what was written to the disk, not only to the system.
    void sync(const std::string& path) const {
#ifdef F_FULLFSYNC
        if (::fcntl(descriptor_, F_FULLFSYNC) == 0) return;
#endif
        if (::fsync(descriptor_) != 0) throw_errno("fsync " + path);
    }

private:
    int descriptor_ = -1;
};

/// Waits for a file's lock, for two seconds: a holder keeps it for milliseconds only, and who waits
/// may keep an event loop from its work.
[[nodiscard]] inline file lock_file(const std::string& path) {
    using namespace std::chrono_literals;
    auto locked = file::open_or_create(path, 0);
    auto const patience = std::chrono::steady_clock::now() + 2s;
    for (auto pause = 50us; !locked.try_lock(path); pause = pause < 5ms ? pause * 2 : pause) {
        if (std::chrono::steady_clock::now() >= patience)
            throw boost::system::system_error{make_error_code(token_store_errc::busy), path};
        std::this_thread::sleep_for(pause);
    }
    return locked;
}

/// Refuses a file or folder that others than its owner may use in one of the ways `forbidden`.
inline void check_mode(const struct stat& s, mode_t forbidden, const std::string& path) {
    if ((s.st_mode & forbidden) == 0) return;
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(s.st_mode & 07777U));
    throw boost::system::system_error{
        make_error_code(token_store_errc::insecure_permissions),
        path + " has mode " + mode + "; chmod go-rwx mends it"};
}

} // namespace highlevel::auth::detail

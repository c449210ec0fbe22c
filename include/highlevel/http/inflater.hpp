// SPDX-License-Identifier: BSL-1.0
//
// Undoes gzip content coding (RFC 1952) with zlib, under a bound on what comes out. Without
// HIGHLEVEL_WITH_ZLIB, which the build sets where it found zlib and links it, nobody asks for
// compressed responses. A macro and not the presence of the header decides, since the header alone
// does not link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#if defined(HIGHLEVEL_WITH_ZLIB)
#    include <zlib.h>

#    include <array>
#    include <new>
#endif

namespace highlevel::http {

/// Whether this build can undo gzip.
#if defined(HIGHLEVEL_WITH_ZLIB)
inline constexpr bool can_inflate = true;
#else
inline constexpr bool can_inflate = false;
#endif

/// Decodes one gzip content piece by piece, in constant memory.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class inflater {
public:
    enum class outcome : std::uint8_t {
        /// Everything was taken.
        good,
        /// Not gzip, or damaged.
        corrupt,
        /// More came out than the bound allows; nothing of the excess was delivered.
        too_large,
        /// The receiver cannot go on.
        refused,
    };

    /// Takes decoded bytes; false: it cannot go on.
    using receiver = std::function<bool(std::string_view)>;

#if defined(HIGHLEVEL_WITH_ZLIB)
    /// At most `max` decoded bytes.
    explicit inflater(std::size_t max) : left_(max) {
        // 15: the largest window; 16 more: gzip and nothing else.
        if (::inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc{};
    }
    inflater(const inflater&) = delete;
    inflater& operator=(const inflater&) = delete;
    ~inflater() {
        ::inflateEnd(&stream_);
    }

    /// Decodes `bytes`, the next of the content.
    [[nodiscard]] outcome put(std::string_view bytes, const receiver& to) {
        // zlib's interface is not const-correct; it does not write to its input.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
        for (;;) {
            // A gzip file may be several, one behind the other (RFC 1952 section 2.2).
            if (at_end_ && stream_.avail_in != 0) {
                ::inflateReset(&stream_);
                at_end_ = false;
            }
            if (at_end_) return outcome::good;
            std::array<char, 16384> room;
            stream_.next_out = reinterpret_cast<Bytef*>(room.data());
            stream_.avail_out = static_cast<uInt>(room.size());
            int const status = ::inflate(&stream_, Z_NO_FLUSH);
            std::size_t const made = room.size() - stream_.avail_out;
            if (made > left_) return outcome::too_large;
            left_ -= made;
            if (made != 0 && !to({room.data(), made})) return outcome::refused;
            at_end_ = status == Z_STREAM_END;
            if (status == Z_BUF_ERROR) return outcome::good; // wants more input
            if (status != Z_OK && !at_end_) return outcome::corrupt;
            if (!at_end_ && stream_.avail_in == 0 && stream_.avail_out != 0) return outcome::good;
        }
    }

    /// Whether the content may end here.
    [[nodiscard]] bool complete() const noexcept {
        return at_end_;
    }

private:
    ::z_stream stream_{};
    std::size_t left_;
    bool at_end_ = true; // content of no bytes is nothing that was cut off
#else
    explicit inflater(std::size_t /*max*/) {}
    [[nodiscard]] outcome put(std::string_view /*bytes*/, const receiver& /*to*/) {
        return outcome::corrupt;
    }
    [[nodiscard]] bool complete() const noexcept {
        return false;
    }
#endif
};

} // namespace highlevel::http

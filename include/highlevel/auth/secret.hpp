// SPDX-License-Identifier: BSL-1.0
//
// Text that must not leak: tokens, client secrets, keys. It cannot be streamed, is wiped when it
// dies, and never shares its bytes with an ordinary string.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::auth {

/// A secret text. Copies own their bytes; each is overwritten before its memory is given back.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class secret {
public:
    secret() noexcept = default;
    /// Takes the text over and overwrites the argument's bytes.
    explicit secret(std::string&& text) : secret(std::string_view{text}) {
        wipe(text.data(), text.size());
        text.clear();
    }
    explicit secret(const char* text) : secret(std::string_view{text}) {}
    explicit secret(std::string_view text) : size_(text.size()) {
        if (size_ == 0) return;
        bytes_ = std::make_unique<char[]>(size_);
        std::memcpy(bytes_.get(), text.data(), size_);
    }

    secret(const secret& other) : secret(other.reveal()) {}
    secret(secret&& other) noexcept
        : bytes_(std::move(other.bytes_)),
          size_(std::exchange(other.size_, 0)) {}
    secret& operator=(const secret& other) {
        if (this != &other) *this = secret{other};
        return *this;
    }
    secret& operator=(secret&& other) noexcept {
        if (this != &other) {
            clear();
            bytes_ = std::move(other.bytes_);
            size_ = std::exchange(other.size_, 0);
        }
        return *this;
    }
    ~secret() { clear(); }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// The text itself. The caller must not keep it in a string that outlives its use.
    [[nodiscard]] std::string_view reveal() const noexcept { return {bytes_.get(), size_}; }

    /// Overwrites and drops the text.
    void clear() noexcept {
        if (bytes_) wipe(bytes_.get(), size_);
        bytes_.reset();
        size_ = 0;
    }

    /// Overwrites memory in a way that the compiler may not leave out.
    static void wipe(char* bytes, std::size_t count) noexcept {
        volatile char* p = bytes;
        for (std::size_t i = 0; i < count; ++i)
            p[i] = 0;
    }

    /// Compares without an early end, so that the time taken tells nothing about the content.
    [[nodiscard]] friend bool operator==(const secret& a, const secret& b) noexcept {
        if (a.size_ != b.size_) return false;
        unsigned difference = 0;
        for (std::size_t i = 0; i < a.size_; ++i)
            difference |= static_cast<unsigned>(
                static_cast<unsigned char>(a.bytes_[i]) ^ static_cast<unsigned char>(b.bytes_[i]));
        return difference == 0;
    }

private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_ = 0;
};

} // namespace highlevel::auth

// SPDX-License-Identifier: BSL-1.0
//
// Content that does not fit into memory: a request's, read while it is sent, and a response's,
// handed on while it comes.
#pragma once

#include <highlevel/detail/disk_file.hpp>
#include <highlevel/http/message.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace highlevel::http {

/// Reads the content of one attempt from its beginning to its end.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class body_reader {
public:
    body_reader() = default;
    body_reader(const body_reader&) = delete;
    body_reader& operator=(const body_reader&) = delete;
    virtual ~body_reader() = default;

    /// Fills up to `size` bytes (at least 1) and says how many; 0 at the end, or when it cannot go
    /// on: then `why` says why. It is called by the coroutine that sends, so it should not block
    /// for long; reading a local file is fine.
    [[nodiscard]] virtual std::size_t read(char* room, std::size_t size, std::string& why) = 0;
};

/// Content of a known size that can be read as often as the request is sent.
///
/// Thread safety: shared objects: safe.
class body_source {
public:
    body_source() = default;
    body_source(const body_source&) = delete;
    body_source& operator=(const body_source&) = delete;
    virtual ~body_source() = default;

    /// Number of bytes.
    [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
    /// A reader at the beginning.
    [[nodiscard]] virtual std::unique_ptr<body_reader> open() const = 0;
};

/// Takes the content of a response while it comes, so that it need not be held in memory.
///
/// Each function gives the reason why it cannot go on, or nothing. They are called by the coroutine
/// that receives, one after the other, so they should not block for long. Used by one call at a
/// time.
class body_sink {
public:
    body_sink() = default;
    body_sink(const body_sink&) = delete;
    body_sink& operator=(const body_sink&) = delete;
    virtual ~body_sink() = default;

    /// The header of a 2xx response is here (`body` is empty) and its content follows. Whatever an
    /// earlier attempt wrote is void.
    [[nodiscard]] virtual std::string begin(const response& head) = 0;
    /// The next piece of the content.
    [[nodiscard]] virtual std::string write(std::string_view bytes) = 0;
    /// The content is complete.
    [[nodiscard]] virtual std::string finish() = 0;
};

/// Content made of texts and files, one behind the other; files are read when it is sent.
class segmented_source final : public body_source {
public:
    segmented_source() = default;

    /// Appends text.
    void add_text(std::string_view text) {
        if (segments_.empty() || !segments_.back().path.empty()) segments_.emplace_back();
        segments_.back().text += text;
        segments_.back().size += text.size();
        size_ += text.size();
    }

    /// Appends a file of the size that it has now. Gives what is wrong when it cannot be read, else
    /// nothing.
    [[nodiscard]] std::string add_file(const std::string& path) {
        auto const size = highlevel::detail::disk_file::size_of(path);
        if (!size || !highlevel::detail::disk_file{}.open(path)) return "cannot read " + path;
        segments_.emplace_back();
        segments_.back().path = path;
        segments_.back().size = *size;
        size_ += *size;
        return {};
    }

    /// Whether it holds any file.
    [[nodiscard]] bool has_files() const noexcept {
        return std::any_of(
            segments_.begin(), segments_.end(), [](auto const& s) { return !s.path.empty(); });
    }

    [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }

    [[nodiscard]] std::unique_ptr<body_reader> open() const override {
        return std::make_unique<reader>(segments_);
    }

private:
    class segment {
    public:
        segment() = default;

        std::string text;
        std::string path;
        std::uint64_t size = 0;
    };

    class reader final : public body_reader {
    public:
        explicit reader(const std::vector<segment>& segments) : segments_(segments) {}

        [[nodiscard]] std::size_t read(char* room, std::size_t size, std::string& why) override {
            while (index_ != segments_.size() && at_ == segments_[index_].size) {
                ++index_;
                at_ = 0;
            }
            if (index_ == segments_.size()) return 0;
            auto const& s = segments_[index_];
            auto const n = static_cast<std::size_t>(std::min<std::uint64_t>(size, s.size - at_));
            if (s.path.empty()) {
                std::copy_n(s.text.data() + at_, n, room);
            } else {
                bool const ready = at_ != 0 || file_.open(s.path);
                if (!ready || !file_.read(room, n)) {
                    why = s.path + " cannot be read, or is shorter than it was";
                    return 0;
                }
            }
            at_ += n;
            return n;
        }

    private:
        const std::vector<segment>& segments_;
        std::size_t index_ = 0;
        std::uint64_t at_ = 0;
        highlevel::detail::disk_file file_;
    };

    std::vector<segment> segments_;
    std::uint64_t size_ = 0;
};

/// Writes a response's content to a file: recordings, exports.
///
/// Until the content is complete the file has ".part" behind its name, so that half of a recording
/// is never taken for the whole; destroying the sink before removes it.
class file_sink final : public body_sink {
public:
    /// `path` is replaced when the content is complete; `max_bytes` guards the disk.
    explicit file_sink(
        std::string path, std::uint64_t max_bytes = std::uint64_t{4} * 1024 * 1024 * 1024)
        : path_(std::move(path)),
          part_(path_ + ".part"),
          max_bytes_(max_bytes) {}

    ~file_sink() override { discard(); }

    /// Bytes of content written.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    [[nodiscard]] std::string begin(const response& /*head*/) override {
        discard();
        size_ = 0;
        pending_ = file_.create(part_);
        return pending_ ? std::string{} : "cannot write " + part_;
    }

    [[nodiscard]] std::string write(std::string_view bytes) override {
        if (bytes.size() > max_bytes_ - size_)
            return path_ + " would be larger than " + std::to_string(max_bytes_) + " bytes";
        if (!file_.write(bytes)) return "cannot write " + part_;
        size_ += bytes.size();
        return {};
    }

    [[nodiscard]] std::string finish() override {
        if (!file_.close()) return "cannot write " + part_;
        if (std::rename(part_.c_str(), path_.c_str()) != 0)
            return "cannot write " + path_ + ": " +
                std::error_code{errno, std::generic_category()}.message();
        pending_ = false;
        return {};
    }

private:
    void discard() noexcept {
        if (!pending_) return;
        file_.close();
        std::remove(part_.c_str());
        pending_ = false;
    }

    std::string path_;
    std::string part_;
    std::uint64_t max_bytes_;
    highlevel::detail::disk_file file_;
    std::uint64_t size_ = 0;
    bool pending_ = false;
};

} // namespace highlevel::http

// SPDX-License-Identifier: BSL-1.0
//
// A file that is written piece by piece beside a note of how far it came, so that a program that
// was killed goes on where it was: the two always agree.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace resumable {

/// What to do about a file or a note that is not of this run.
enum class not_ours {
    /// It is removed: the file is only a beginning, and can be made again.
    remove,
    /// An error: what is in the file may be wanted.
    refuse,
};

/// A file, and a note beside it: a JSON object with what is being done, the length of the file and
/// whatever else the program wants to know again. What was written after the note is cut off when
/// the file is opened again. Holds against a process that is killed, not against a computer that
/// loses its power: nothing waits for the disk.
///
/// Throws std::runtime_error for what cannot be read or written, naming the file.
class noted_file {
public:
    /// `what` says what is being done; a note of something else is not ours.
    noted_file(
        std::filesystem::path file, std::filesystem::path note, std::string what, not_ours others)
        : file_(std::move(file)),
          note_(std::move(note)),
          what_(std::move(what)) {
        auto const problem = recover();
        if (!problem.empty()) {
            if (others == not_ours::refuse) throw std::runtime_error{problem};
            std::filesystem::remove(note_);
            std::filesystem::remove(file_);
        }
        stream_.open(file_, std::ios::binary | std::ios::app);
        if (!stream_) throw std::runtime_error{"cannot write " + file_.string()};
    }

    /// The note of an earlier run, empty when there is none.
    [[nodiscard]] const boost::json::object& earlier() const noexcept { return earlier_; }
    /// A number of it; 0 when it has none.
    [[nodiscard]] std::uint64_t earlier_number(std::string_view name) const {
        auto const* const found = earlier_.if_contains(name);
        return found != nullptr && found->is_number() ? found->to_number<std::uint64_t>() : 0;
    }
    [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }

    /// Appends; what is not noted afterwards is as if it had not been.
    void append(std::string_view text) {
        stream_.write(text.data(), static_cast<std::streamsize>(text.size()));
        bytes_ += text.size();
    }

    /// Notes that the file is good up to here.
    void note(boost::json::object note) {
        stream_.flush();
        check();
        note["what"] = what_;
        note["bytes"] = bytes_;
        replace(boost::json::serialize(note));
    }

    /// Closes the file; its note stays.
    void close() {
        stream_.close();
        check();
    }

private:
    void check() const {
        if (!stream_) throw std::runtime_error{"cannot write " + file_.string() + " (disk full?)"};
    }

    /// Replaces the note in one step.
    void replace(std::string_view text) const {
        auto fresh = note_;
        fresh += ".new";
        std::ofstream stream{fresh, std::ios::binary | std::ios::trunc};
        stream.write(text.data(), static_cast<std::streamsize>(text.size()));
        stream.close();
        if (!stream) throw std::runtime_error{"cannot write " + fresh.string() + " (disk full?)"};
        std::filesystem::rename(fresh, note_);
    }

    /// Takes up what an earlier run left; says why when that is not ours.
    std::string recover() {
        namespace fs = std::filesystem;
        auto const length = fs::exists(file_) ? fs::file_size(file_) : 0;
        std::ifstream stream{note_, std::ios::binary};
        if (!stream) {
            if (fs::exists(note_)) return "cannot read " + note_.string();
            // An empty one is what is left when a run was killed before its first note.
            return length == 0 ? std::string{}
                               : file_.string() + " is there, but not its note " + note_.string();
        }
        std::string const text{std::istreambuf_iterator<char>{stream}, {}};
        boost::system::error_code ec;
        auto const read = boost::json::parse(text, ec);
        auto const* const note = ec ? nullptr : read.if_object();
        auto const* const what = note != nullptr ? note->if_contains("what") : nullptr;
        auto const* const bytes = note != nullptr ? note->if_contains("bytes") : nullptr;
        if (what == nullptr || !what->is_string() || bytes == nullptr || !bytes->is_int64() ||
            bytes->get_int64() < 0)
            return note_.string() + " is no note of " + file_.string();
        if (std::string_view{what->get_string()} != what_)
            return note_.string() + " is of another run (" + std::string{what->get_string()} + ")";
        auto const noted = static_cast<std::uint64_t>(bytes->get_int64());
        if (length < noted)
            return file_.string() + " is shorter than its note " + note_.string() + " says";
        if (length > noted) fs::resize_file(file_, noted);
        earlier_ = *note;
        bytes_ = noted;
        return {};
    }

    std::filesystem::path file_;
    std::filesystem::path note_;
    std::string what_;
    std::ofstream stream_;
    boost::json::object earlier_;
    std::uint64_t bytes_ = 0;
};

} // namespace resumable

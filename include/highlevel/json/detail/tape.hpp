// SPDX-License-Identifier: BSL-1.0
//
// The unknown members of a record as the parser's events in bytes. To keep them so costs one piece
// of memory per record; the tree is made by who looks at it, and hardly anybody does.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace highlevel::json::detail {

// What follows each: a text is its length, seven bits a byte, and its bytes; a number is its eight
// bytes; the end of a container is how many members or elements it has.
enum class tape_event : char {
    key,
    string,
    integer,
    natural,
    number,
    yes,
    no,
    null,
    begin,
    object_end,
    array_end,
};

// A finished piece of tape: the members of one object, without its end. Of standard layout, since
// it is within the structs whose members are found by offsetof; std::unique_ptr is not.
//
// Thread safety: shared objects: safe while none is assigned to.
class tape {
public:
    tape() noexcept = default;
    tape(std::string_view events, std::size_t members)
        : events_(new char[sizeof(head) + events.size()]) {
        head const h{members, events.size()};
        std::memcpy(events_, &h, sizeof h);
        std::memcpy(events_ + sizeof h, events.data(), events.size());
    }
    tape(const tape& other) {
        if (!other.empty()) *this = tape(other.events(), other.members());
    }
    tape(tape&& other) noexcept : events_(std::exchange(other.events_, nullptr)) {}
    tape& operator=(const tape& other) { return *this = tape(other); }
    tape& operator=(tape&& other) noexcept {
        std::swap(events_, other.events_);
        return *this;
    }
    ~tape() { delete[] events_; }

    [[nodiscard]] bool empty() const noexcept { return events_ == nullptr; }

    // The last of members with one name counts.
    [[nodiscard]] boost::json::object read() const {
        boost::json::value_stack stack;
        if (empty()) return {};
        auto const all = events();
        const char* at = all.data();
        const char* const end = at + all.size();
        while (at != end) {
            switch (static_cast<tape_event>(*at++)) {
            case tape_event::key: stack.push_key(text(at)); break;
            case tape_event::string: stack.push_string(text(at)); break;
            case tape_event::integer: stack.push_int64(number<std::int64_t>(at)); break;
            case tape_event::natural: stack.push_uint64(number<std::uint64_t>(at)); break;
            case tape_event::number: stack.push_double(number<double>(at)); break;
            case tape_event::yes: stack.push_bool(true); break;
            case tape_event::no: stack.push_bool(false); break;
            case tape_event::null: stack.push_null(); break;
            case tape_event::begin: break;
            case tape_event::object_end: stack.push_object(length(at)); break;
            case tape_event::array_end: stack.push_array(length(at)); break;
            }
        }
        stack.push_object(members());
        return std::move(stack.release().get_object());
    }

    // The text of a member; empty when there is none or it is no text.
    [[nodiscard]] std::string_view find(std::string_view name) const noexcept {
        std::string_view found;
        if (empty()) return found;
        auto const all = events();
        const char* at = all.data();
        const char* const end = at + all.size();
        bool next = false;
        for (std::size_t depth = 0; at != end;) {
            switch (static_cast<tape_event>(*at++)) {
            case tape_event::key: {
                std::string_view const key = text(at);
                if (depth != 0) break;
                next = key == name;
                if (next) found = {};
                break;
            }
            case tape_event::string: {
                std::string_view const s = text(at);
                if (depth == 0 && next) found = s;
                break;
            }
            case tape_event::integer:
            case tape_event::natural:
            case tape_event::number: at += sizeof(std::int64_t); break;
            case tape_event::yes:
            case tape_event::no:
            case tape_event::null: break;
            case tape_event::begin: ++depth; break;
            case tape_event::object_end:
            case tape_event::array_end:
                length(at);
                --depth;
                break;
            }
        }
        return found;
    }

private:
    struct head {
        std::size_t members;
        std::size_t size;
    };

    [[nodiscard]] head header() const noexcept {
        head h{};
        std::memcpy(&h, events_, sizeof h);
        return h;
    }
    [[nodiscard]] std::size_t members() const noexcept { return header().members; }
    [[nodiscard]] std::string_view events() const noexcept {
        return {events_ + sizeof(head), header().size};
    }

    static std::size_t length(const char*& at) noexcept {
        std::size_t n = 0;
        for (unsigned shift = 0;; shift += 7) {
            auto const byte = static_cast<unsigned char>(*at++);
            n |= std::size_t{byte & 0x7fU} << shift;
            if (byte < 0x80) return n;
        }
    }
    static std::string_view text(const char*& at) noexcept {
        auto const n = length(at);
        at += n;
        return {at - n, n};
    }
    template <class N>
    static N number(const char*& at) noexcept {
        N n;
        std::memcpy(&n, at, sizeof n);
        at += sizeof n;
        return n;
    }

    char* events_ = nullptr;
};

// Records events, under the names that Boost.JSON's value_stack has for them. Structs are inside
// each other, so what belongs to one is always the end of it.
class tape_writer {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push_key(std::string_view s) { text(tape_event::key, s); }
    void push_string(std::string_view s) { text(tape_event::string, s); }
    void push_int64(std::int64_t n) { number(tape_event::integer, n); }
    void push_uint64(std::uint64_t n) { number(tape_event::natural, n); }
    void push_double(double n) { number(tape_event::number, n); }
    void push_bool(bool b) { event(b ? tape_event::yes : tape_event::no); }
    void push_null() { event(tape_event::null); }
    void begin() { event(tape_event::begin); }
    void push_object(std::size_t members) { counted(tape_event::object_end, members); }
    void push_array(std::size_t elements) { counted(tape_event::array_end, elements); }

    // Takes off what came after `from`, which is `members` members.
    tape cut(std::size_t from, std::size_t members) {
        tape made({events_.get() + from, size_ - from}, members);
        size_ = from;
        return made;
    }

private:
    static constexpr std::size_t longest_length = 10;

    // The place for `size` more bytes.
    char* room(std::size_t size) {
        if (capacity_ - size_ < size) {
            auto const wanted = std::max({std::size_t{1024}, 2 * capacity_, size_ + size});
            auto larger = std::make_unique_for_overwrite<char[]>(wanted);
            if (size_ != 0) std::memcpy(larger.get(), events_.get(), size_);
            events_ = std::move(larger);
            capacity_ = wanted;
        }
        return events_.get() + size_;
    }
    void filled_to(const char* end) noexcept {
        size_ = static_cast<std::size_t>(end - events_.get());
    }

    static char* write_length(char* at, std::size_t n) noexcept {
        for (; n >= 0x80; n >>= 7U)
            *at++ = static_cast<char>(n | 0x80U);
        *at++ = static_cast<char>(n);
        return at;
    }

    void event(tape_event e) {
        char* const at = room(1);
        *at = static_cast<char>(e);
        filled_to(at + 1);
    }
    void counted(tape_event e, std::size_t n) {
        char* const at = room(1 + longest_length);
        *at = static_cast<char>(e);
        filled_to(write_length(at + 1, n));
    }
    void text(tape_event e, std::string_view s) {
        char* at = room(1 + longest_length + s.size());
        *at = static_cast<char>(e);
        at = write_length(at + 1, s.size());
        if (!s.empty()) std::memcpy(at, s.data(), s.size());
        filled_to(at + s.size());
    }
    template <class N>
    void number(tape_event e, N n) {
        char* const at = room(1 + sizeof n);
        *at = static_cast<char>(e);
        std::memcpy(at + 1, &n, sizeof n);
        filled_to(at + 1 + sizeof n);
    }

    std::unique_ptr<char[]> events_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace highlevel::json::detail

// SPDX-License-Identifier: BSL-1.0
//
// HTTP requests and responses as plain values (RFC 9110), so that everything between encoding and
// the socket can be written, tested and scripted without a network library.
#pragma once

#include <highlevel/detail/wiping_allocator.hpp>
#include <highlevel/method.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::http {

using highlevel::method;

class body_source;

/// Whether two field names are equal; names are ASCII and case does not count (RFC 9110 5.1).
[[nodiscard]] constexpr bool field_name_equal(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        auto const lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        };
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

/// Header fields in the order in which they came or will be sent.
///
/// All names and values lie in one buffer: a response of thirty fields costs two allocations.
/// Names keep their spelling and compare without case. A name may occur more than once.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe for writing.
class headers {
public:
    /// One field; both views live as long as the container is not changed.
    class field {
    public:
        constexpr field(std::string_view n, std::string_view v) noexcept : name(n), value(v) {}

        std::string_view name;
        std::string_view value;
    };

    /// Walks over the fields; invalidated by every change of the container.
    class const_iterator {
    public:
        using value_type = field;
        using reference = field;
        using difference_type = std::ptrdiff_t;

        const_iterator() noexcept = default;

        [[nodiscard]] field operator*() const noexcept { return owner_->at(index_); }
        const_iterator& operator++() noexcept {
            ++index_;
            return *this;
        }
        const_iterator operator++(int) noexcept {
            auto old = *this;
            ++index_;
            return old;
        }
        friend bool operator==(const const_iterator& a, const const_iterator& b) noexcept {
            return a.index_ == b.index_;
        }

    private:
        friend class headers;
        const_iterator(const headers* owner, std::size_t index) noexcept
            : owner_(owner),
              index_(index) {}

        const headers* owner_ = nullptr;
        std::size_t index_ = 0;
    };

    headers() noexcept = default;

    /// Number of fields.
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
    [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }

    [[nodiscard]] const_iterator begin() const noexcept { return {this, 0}; }
    [[nodiscard]] const_iterator end() const noexcept { return {this, slots_.size()}; }

    /// The field at a position below size().
    [[nodiscard]] field at(std::size_t index) const noexcept {
        auto const& s = slots_[index];
        std::string_view const text{text_};
        return {text.substr(s.begin, s.name), text.substr(s.begin + s.name, s.value)};
    }

    /// The value of the first field with that name, or nothing when there is none.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (auto const& s : slots_) {
            if (s.name != name.size()) continue;
            std::string_view const text{text_};
            if (field_name_equal(text.substr(s.begin, s.name), name))
                return text.substr(s.begin + s.name, s.value);
        }
        return std::nullopt;
    }

    [[nodiscard]] bool contains(std::string_view name) const noexcept {
        return find(name).has_value();
    }

    /// Appends a field; fields of the same name stay.
    void add(std::string_view name, std::string_view value) {
        slots_.push_back(slot{
            static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(name.size()),
            static_cast<std::uint32_t>(value.size())});
        text_.append(name).append(value);
    }

    /// Leaves exactly one field of that name.
    void set(std::string_view name, std::string_view value) {
        if (holds(name) || holds(value)) {
            // Views into this container, which erase() and add() change.
            std::string const own_name{name};
            highlevel::detail::wiping_string const own_value{value};
            erase(own_name);
            add(own_name, own_value);
            return;
        }
        erase(name);
        add(name, value);
    }

    /// Removes all fields of that name.
    void erase(std::string_view name) {
        std::erase_if(slots_, [&](slot const& s) {
            return field_name_equal(std::string_view{text_}.substr(s.begin, s.name), name);
        });
    }

    void clear() noexcept {
        text_.clear();
        slots_.clear();
    }

    /// Room for that many fields and bytes of names and values.
    void reserve(std::size_t fields, std::size_t bytes) {
        slots_.reserve(fields);
        text_.reserve(bytes);
    }

private:
    [[nodiscard]] bool holds(std::string_view text) const noexcept {
        std::less<const char*> const before;
        return !before(text.data(), text_.data()) &&
            before(text.data(), text_.data() + text_.size());
    }

    struct slot {
        std::uint32_t begin;
        std::uint32_t name;
        std::uint32_t value;
    };

    // A request's fields hold its bearer token.
    highlevel::detail::wiping_string text_;
    std::vector<slot> slots_;
};

/// A request to the API's origin.
///
/// `Host`, `Content-Length`, `User-Agent`, `Authorization` and `Accept` are added on the way when
/// `fields` does not have them; `Connection` and `Transfer-Encoding` belong to the transport.
class request {
public:
    request() = default;
    request(http::method m, std::string origin_form) : verb(m), target(std::move(origin_form)) {}

    /// The request method.
    http::method verb = http::method::get;
    /// Path and query, percent-encoded, beginning with '/' (origin-form, RFC 9112 3.2.1).
    std::string target = "/";
    /// Header fields.
    headers fields;
    /// The content; empty means that no content is sent.
    std::string body;
    /// Content that is read while it is sent, in place of `body`; see http/body.hpp. Null: none.
    std::shared_ptr<const body_source> source;
};

/// A response, complete and with any transfer coding removed.
class response {
public:
    response() = default;

    /// The status code, 200 to 599; 0 when there is no response.
    unsigned status = 0;
    /// Header fields in the order received.
    headers fields;
    /// The content; may be empty, and need not be what Content-Type says.
    std::string body;
};

} // namespace highlevel::http

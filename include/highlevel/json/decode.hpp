// SPDX-License-Identifier: BSL-1.0
//
// Reading JSON text or a json::value into described C++ values. Include it where bodies are read,
// and json/decode_options.hpp where a result is only passed on.
#pragma once

#include <highlevel/json/decode_options.hpp>
#include <highlevel/json/detail/parser.hpp>
#include <highlevel/json/detail/reader.hpp>
#include <highlevel/json/detail/text.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/json/type.hpp>

#include <concepts>
#include <cstdint>
#include <string_view>

namespace highlevel::json {

namespace detail {

inline void finish(decode_result& made, const reader& from, const error_code& ec) {
    if (ec == errc::decode_failed) {
        made.code = ec;
        made.pointer = from.refusal().pointer;
        made.text = to_string(from.refusal().what);
        made.text += ": ";
        made.text += from.refusal().text;
    } else {
        made.code = make_error_code(errc::unexpected_content);
        made.pointer = from.pointer();
        made.text = ec.message();
    }
    made.text += " at ";
    made.text += made.pointer.empty() ? std::string_view("the top level") : made.pointer;
}

} // namespace detail

/// Reads JSON text into the value at `target`, whose description is `t`.
///
/// What the target held is replaced, also when the read fails: it is then valid but incomplete.
/// Lenient reading (the default) fails only when the text is not JSON; what it had to bend is
/// added to `notes`. A byte order mark is skipped. Text that is empty or blank is null for a
/// json::value, absent for an optional, and a struct without members (with a diagnostic).
///
/// Numbers are exact within int64 and double. Invalid UTF-8 is kept byte for byte unless strict;
/// it cannot be encoded again.
inline decode_result decode(
    std::string_view text,
    const type& t,
    void* target,
    const decode_options& options,
    diagnostics& notes) {
    detail::clear_value(t, target);
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (detail::trimmed(text).empty()) {
        decode_result made;
        if (t.what == kind::value || t.what == kind::optional || t.what == kind::nullable)
            return made;
        detail::reader unread(t, target, options, notes);
        if (!unread.note(bend::empty_text, "there is no content"))
            detail::finish(made, unread, make_error_code(errc::decode_failed));
        return made;
    }
    detail::reader to(t, target, options, notes);
    detail::parser from(text, options, to);
    decode_result made;
    if (from.run()) return made;
    made.offset = from.offset();
    detail::finish(made, to, from.failure());
    made.text += ", offset ";
    detail::append_number(made.text, std::uint64_t{made.offset});
    return made;
}

/// Reads a json::value as if it were text; otherwise like the overload for text.
///
/// A template only so that text never turns into a json::value on its way here.
template <std::same_as<value> V>
decode_result decode(
    const V& from, const type& t, void* target, const decode_options& options, diagnostics& notes) {
    detail::clear_value(t, target);
    detail::reader read(t, target, options, notes);
    decode_result made;
    if (!read.replay(from)) detail::finish(made, read, make_error_code(errc::decode_failed));
    return made;
}

/// Reads JSON text or a json::value into `target`.
template <class T>
decode_result decode(
    std::string_view text, T& target, const decode_options& options, diagnostics& notes) {
    return decode(text, type_of<T>, &target, options, notes);
}
template <class T>
decode_result decode(std::string_view text, T& target, const decode_options& options = {}) {
    diagnostics notes;
    return decode(text, type_of<T>, &target, options, notes);
}
template <std::same_as<value> V, class T>
decode_result decode(const V& from, T& target, const decode_options& options, diagnostics& notes) {
    return decode(from, type_of<T>, &target, options, notes);
}
template <std::same_as<value> V, class T>
decode_result decode(const V& from, T& target, const decode_options& options = {}) {
    diagnostics notes;
    return decode(from, type_of<T>, &target, options, notes);
}

} // namespace highlevel::json

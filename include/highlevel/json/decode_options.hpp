// SPDX-License-Identifier: BSL-1.0
//
// What a decode is told and what it answers; apart from the decoder, which instantiates a parser
// and so belongs only where bodies are really read.
#pragma once

#include <highlevel/error.hpp>

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <string>

namespace highlevel::json {

using boost::json::object;

/// How JSON text is read into C++ values.
///
/// Lenient reading is the default because the API's description errs often. What it does with each
/// difference is said at `bend`.
class decode_options {
public:
    decode_options() = default;

    /// Fail on the first difference between text and type instead of bending; also reject invalid
    /// UTF-8, which lenient reading keeps byte for byte.
    bool strict = false;
    /// Keep members that the type does not have, and values that do not fit their member, in
    /// `unknown_fields`. Without it they are dropped, which is a little faster.
    bool keep_unknown_fields = true;
    /// Where members go that fit no value of a map at the top level, such as a `traceId` among
    /// records by free keys: no struct is there to keep them. Null: they are dropped. Must outlive
    /// the read.
    object* beside = nullptr;
    /// Report members that the type does not have; in strict mode they are errors then.
    bool report_unknown_fields = false;
    /// Nesting of arrays and objects that is accepted. The parser uses stack for each level.
    std::size_t max_depth = 64;
    /// Diagnostics to keep in full; further ones are only counted. 0: all are only counted.
    std::size_t max_diagnostics = 32;
};

/// Whether a decode went well, and if not, why and where.
class decode_result {
public:
    decode_result() = default;

    /// `errc::unexpected_content` when the text is not JSON (or nested too deeply),
    /// `errc::decode_failed` when strict reading found a difference.
    error_code code;
    /// Bytes of the text before the failure; 0 when decoding from a value.
    std::size_t offset = 0;
    /// The JSON pointer of the value that was being read.
    std::string pointer;
    /// In words, pointer and offset included. Holds no values from the text.
    std::string text;

    [[nodiscard]] explicit operator bool() const noexcept { return !code.failed(); }
};

} // namespace highlevel::json

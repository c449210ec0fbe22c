// SPDX-License-Identifier: BSL-1.0
//
// Failures that name an operation: what the parts that make several calls of one say when none of
// the calls failed.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace highlevel::detail {

/// "contacts.get_contact".
[[nodiscard]] inline std::string operation_name(const operation_meta& meta) {
    std::string name{meta.family};
    name += '.';
    name += meta.name;
    return name;
}

/// A failure of the operation, for the reason `why`.
[[nodiscard]] inline failure operation_failure(
    const operation_meta& meta, error_code code, cause what, std::string_view why) {
    failure_data data;
    data.operation = operation_name(meta);
    data.verb = meta.verb;
    data.path = meta.path;
    data.detail = why;
    data.cause = what;
    return failure{code, std::move(data)};
}

} // namespace highlevel::detail

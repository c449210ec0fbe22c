// SPDX-License-Identifier: BSL-1.0
//
// Fills operations by reflection: every member gets a value of its type, and where the description
// asks for more than the type says (a format, a range, an object where any JSON would do), the
// committed table samples.tsv has one.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/operation.hpp>

#include <map>
#include <string>
#include <string_view>

namespace conformance {

/// Thread safety: distinct objects: safe; shared objects: safe to read.
class sampler {
public:
    /// Reads the table. Throws std::runtime_error naming the line that cannot be read.
    explicit sampler(const std::string& path);

    /// Gives every member of the operation at `op` a value.
    void fill(const highlevel::operation_meta& meta, void* op) const;

private:
    void fill(const highlevel::json::type& type, void* self, std::string& at) const;
    [[nodiscard]] const highlevel::json::value* find(const std::string& at) const;

    /// By "version family operation place/member/...", where * stands for any element.
    std::map<std::string, highlevel::json::value, std::less<>> table_;
};

} // namespace conformance

// SPDX-License-Identifier: BSL-1.0
#include <highlevel/file_part.hpp>
#include <highlevel/json/decode.hpp>

#include <boost/json/parse.hpp>

#include <conformance/sampler.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace conformance {

namespace json = highlevel::json;

namespace {

/// Appends a step for as long as it lives.
class step {
public:
    step(std::string& at, std::string_view name) : at_(at), size_(at.size()) {
        at_ += '/';
        at_ += name;
    }
    ~step() { at_.resize(size_); }
    step(const step&) = delete;
    step& operator=(const step&) = delete;

private:
    std::string& at_;
    std::size_t size_;
};

} // namespace

sampler::sampler(const std::string& path) {
    std::ifstream file{path};
    if (!file) throw std::runtime_error{path + ": cannot be read"};
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        if (line.empty() || line.front() == '#') continue;
        // Four cells say where; then the value, and a reason where a member is left out.
        std::size_t where = 0;
        for (int cells = 0; cells < 4 && where != std::string::npos; ++cells)
            where = line.find('\t', where == 0 ? 0 : where + 1);
        boost::system::error_code ec;
        json::value made;
        std::string reason;
        if (where != std::string::npos) {
            auto const end = line.find('\t', where + 1);
            made = boost::json::parse(line.substr(where + 1, end - where - 1), ec);
            if (end != std::string::npos) reason = line.substr(end + 1);
        }
        if (where == std::string::npos || ec || made.is_null() == reason.empty() ||
            !table_.emplace(line.substr(0, where), made).second)
            throw std::runtime_error{path + ", line " + std::to_string(number) + ": not a sample"};
    }
}

const json::value* sampler::find(const std::string& at) const {
    auto const found = table_.find(at);
    return found == table_.end() ? nullptr : &found->second;
}

void sampler::fill(const json::type& type, void* self, std::string& at) const {
    if (auto const* const given = find(at)) {
        // null: the type cannot say what the description wants, so the member is left out.
        if (given->is_null()) return;
        json::decode_options strict;
        strict.strict = true;
        json::diagnostics notes;
        if (auto const made = json::decode(*given, type, self, strict, notes); !made)
            throw std::runtime_error{at + ": " + made.text};
        return;
    }
    switch (type.what) {
    case json::kind::boolean: *static_cast<bool*>(self) = true; return;
    case json::kind::integer: *static_cast<std::int64_t*>(self) = 1; return;
    case json::kind::number: *static_cast<double*>(self) = 1; return;
    case json::kind::string: *static_cast<std::string*>(self) = "sample"; return;
    case json::kind::value: *static_cast<json::value*>(self) = "sample"; return;
    case json::kind::object: *static_cast<json::object*>(self) = {{"sample", "sample"}}; return;
    case json::kind::optional:
    case json::kind::nullable: {
        fill(*type.inner, type.emplace(self), at);
        return;
    }
    case json::kind::list: {
        step const here{at, "*"};
        if (auto const* const given = find(at); given != nullptr && given->is_null()) return;
        fill(*type.inner, type.emplace(self), at);
        return;
    }
    case json::kind::map: {
        step const here{at, "*"};
        fill(*type.inner, type.insert(self, "sample"), at);
        return;
    }
    case json::kind::structure:
        for (auto const& f : type.fields()) {
            step const here{at, f.name};
            fill(*f.of, static_cast<char*>(self) + f.offset, at);
        }
        return;
    case json::kind::enumeration: type.set_text(self, type.names().front()); return;
    case json::kind::variant: fill(*type.alternatives[0], type.select(self, 0), at); return;
    }
}

void sampler::fill(const highlevel::operation_meta& meta, void* op) const {
    auto* const base = static_cast<char*>(op);
    std::string at{to_string(meta.version_of_description)};
    for (auto const part : {meta.family, meta.name}) {
        at += '\t';
        at += part;
    }
    at += '\t';
    auto const size = at.size();
    for (auto const& p : meta.parameters) {
        at += p.in == highlevel::place::path ? "path/" : "query/";
        at += p.name;
        fill(*p.type, base + p.offset, at);
        at.resize(size);
    }
    if (meta.body_type != nullptr) {
        at += "body";
        fill(*meta.body_type, base + meta.body_offset, at);
    }
    if (meta.files_offset != highlevel::operation_meta::npos) {
        auto file = highlevel::file_part::of_data("sample.txt", "sample");
        if (meta.file_field.empty()) file.name = "sample";
        auto* const files = base + meta.files_offset;
        reinterpret_cast<std::vector<highlevel::file_part>*>(files)->push_back(std::move(file));
    }
}

} // namespace conformance

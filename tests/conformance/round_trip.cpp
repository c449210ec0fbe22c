// SPDX-License-Identifier: BSL-1.0
//
// Decodes JSON as the body or the response of an operation and encodes it again. Reads lines of
// version, family, operationId, `body` or `response`, and JSON, separated by tabs; answers each
// with `json` and the JSON made of it, or with `failed` and why.
#include <highlevel/json/decode.hpp>
#include <highlevel/json/encode.hpp>

#include <conformance/operations.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace {

namespace json = highlevel::json;

using key = std::tuple<std::string_view, std::string_view, std::string_view>;

std::map<key, const conformance::entry*> by_id() {
    std::map<key, const conformance::entry*> made;
    for (auto const& f : conformance::families())
        for (auto const& e : f.operations)
            made.emplace(key{f.version, e.meta->family, e.meta->id}, &e);
    return made;
}

std::string again(const json::type& type, void* target, std::string_view text) {
    json::decode_options how;
    json::diagnostics notes;
    if (auto const read = json::decode(text, type, target, how, notes); !read)
        return "failed\t" + read.text;
    std::string made{"json\t"};
    json::encode_options lax;
    lax.check_required = false;
    if (auto const written = json::encode(type, target, made, lax); !written)
        return "failed\t" + written.pointer + ": " + written.text;
    return made;
}

std::string answer(const std::map<key, const conformance::entry*>& known, std::string_view line) {
    std::array<std::string_view, 5> cells;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        auto const end = i + 1 < cells.size() ? line.find('\t') : std::string_view::npos;
        cells[i] = line.substr(0, end);
        line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    }
    auto const found = known.find(key{cells[0], cells[1], cells[2]});
    if (found == known.end()) return "failed\tthere is no such operation";
    auto const& e = *found->second;
    if (cells[3] == "response") {
        if (e.meta->gives == highlevel::reply::raw) return "failed\tthe response is not read";
        auto const response = e.make_response();
        return again(*e.response, response.get(), cells[4]);
    }
    if (e.meta->body_type == nullptr) return "failed\tthere is no body";
    auto const op = e.make();
    auto* const body = static_cast<char*>(op.get()) + e.meta->body_offset;
    return again(*e.meta->body_type, body, cells[4]);
}

} // namespace

int main() {
    try {
        auto const known = by_id();
        std::string line;
        while (std::getline(std::cin, line))
            std::cout << answer(known, line) << '\n';
        std::cout.flush();
        return std::cout ? 0 : 1;
    } catch (const std::exception& e) {
        std::cerr << "round_trip: " << e.what() << '\n';
        return 1;
    }
}

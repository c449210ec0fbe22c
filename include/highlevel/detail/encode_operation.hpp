// SPDX-License-Identifier: BSL-1.0
//
// Turns an operation into an HTTP request by its facts: path, query and body from the members, the
// account's id where the caller left it out. One function for all operations.
#pragma once

#include <highlevel/detail/core.hpp>
#include <highlevel/detail/disk_file.hpp>
#include <highlevel/error.hpp>
#include <highlevel/file_part.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/http/multipart.hpp>
#include <highlevel/http/uri.hpp>
#include <highlevel/json/encode.hpp>
#include <highlevel/operation.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::detail {

/// What kept an operation from being encoded; no error when nothing did.
class encode_problem {
public:
    encode_problem() = default;
    encode_problem(errc e, std::string why) : error(make_error_code(e)), detail(std::move(why)) {}
    encode_problem(error_code e, std::string why) : error(e), detail(std::move(why)) {}

    error_code error;
    /// Names the parameter or member.
    std::string detail;
};

class operation_encoder {
public:
    operation_encoder(const operation_meta& meta, const void* op, const account_ref& account)
        : meta_(meta),
          op_(static_cast<const char*>(op)),
          account_(account),
          own_(account.kind == auth::resource_kind::location ? meta.location : meta.company) {}

    encode_problem encode(http::request& request) {
        request.verb = meta_.verb;
        request.target.clear();
        if (auto problem = path(request.target); problem.error) return problem;
        if (auto problem = query(request.target); problem.error) return problem;
        return body(request);
    }

private:
    static encode_problem missing(std::string_view name) {
        return {errc::missing_parameter, std::string{name} + " is required and empty"};
    }

    /// Whether the account's id belongs into this parameter.
    [[nodiscard]] bool is_own(place in, std::string_view name) const noexcept {
        return own_.in == in && own_.name == name;
    }

    [[nodiscard]] const parameter* find_path(std::string_view name) const noexcept {
        for (auto const& p : meta_.parameters)
            if (p.in == place::path && p.name == name) return &p;
        return nullptr;
    }

    encode_problem path(std::string& target) {
        auto rest = meta_.path;
        while (!rest.empty()) {
            auto const open = rest.find('{');
            target += rest.substr(0, open);
            if (open == std::string_view::npos) break;
            auto const close = rest.find('}', open);
            auto const name = rest.substr(open + 1, close - open - 1);
            rest.remove_prefix(close + 1);
            text_.clear();
            if (auto const* const p = find_path(name))
                (void)json::scalar_text(*p->type, op_ + p->offset, text_);
            if (text_.empty() && is_own(place::path, name)) text_ = account_.id;
            if (text_.empty()) return missing(name);
            if (!http::is_path_segment(text_))
                return {errc::invalid_argument, std::string{name} + " cannot be a path segment"};
            http::append_path_segment(target, text_);
        }
        return {};
    }

    encode_problem query(std::string& target) {
        for (auto const& p : meta_.parameters) {
            if (p.in != place::query) continue;
            if (auto problem = query_parameter(p, target); problem.error) return problem;
        }
        auto const& extra = *reinterpret_cast<const query_pairs*>(op_ + meta_.extra_query_offset);
        for (auto const& [name, value] : extra)
            http::append_query(target, name, value);
        return {};
    }

    encode_problem query_parameter(const parameter& p, std::string& target) {
        text_.clear();
        switch (json::scalar_text(*p.type, op_ + p.offset, text_)) {
        case json::scalar_form::text: http::append_query(target, p.name, text_); return {};
        case json::scalar_form::explicit_null: http::append_query(target, p.name, {}); return {};
        case json::scalar_form::invalid:
            return {errc::invalid_argument, std::string{p.name} + " is not a finite number"};
        case json::scalar_form::list: return query_list(p, target);
        case json::scalar_form::structured:
            if (auto const made = json::encode(*p.type, op_ + p.offset, text_); !made)
                return {made.code, std::string{p.name} + made.pointer + ": " + made.text};
            http::append_query(target, p.name, text_);
            return {};
        case json::scalar_form::absent: break;
        }
        if (is_own(place::query, p.name)) {
            http::append_query(target, p.name, account_.id);
            return {};
        }
        if (own_.in == place::query && own_.with_alt_type && p.name == "altType") {
            http::append_query(target, p.name, "location");
            return {};
        }
        return p.required ? missing(p.name) : encode_problem{};
    }

    encode_problem query_list(const parameter& p, std::string& target) {
        auto const list = json::view{*p.type, op_ + p.offset}.held();
        auto const size = list.of->size(list.self);
        if (size == 0) return p.required ? missing(p.name) : encode_problem{};
        std::string joined;
        for (std::size_t i = 0; i < size; ++i) {
            auto const item = list.element(i);
            text_.clear();
            auto const form = json::scalar_text(*item.of, item.self, text_);
            if (form != json::scalar_form::text && form != json::scalar_form::absent)
                return {errc::invalid_argument, std::string{p.name} + " holds what is no scalar"};
            if (p.style == list_style::repeat) {
                http::append_query(target, p.name, text_);
            } else {
                if (i != 0) joined += ',';
                joined += text_;
            }
        }
        if (p.style == list_style::comma) http::append_query(target, p.name, joined);
        return {};
    }

    encode_problem body(http::request& request) {
        auto const& extra = *reinterpret_cast<const json::object*>(op_ + meta_.extra_body_offset);
        if (meta_.sends == content::none) return undescribed(extra, request);
        std::array<json::fill, 2> fills;
        std::size_t count = 0;
        if (own_.in == place::body) {
            fills[count++] = json::fill{own_.name, account_.id};
            if (own_.with_alt_type) fills[count++] = json::fill{"altType", "location"};
        }
        json::encode_options options;
        options.fills = std::span{fills.data(), count};
        if (!extra.empty()) options.extra = &extra;

        if (meta_.sends == content::json) {
            if (meta_.body_type == nullptr) return undescribed(extra, request);
            if (extra.empty() && is_missing()) return missing("body");
            if (auto const made =
                    json::encode(*meta_.body_type, op_ + meta_.body_offset, request.body, options);
                !made) {
                return named(made);
            }
            if (!request.body.empty()) request.fields.add("Content-Type", "application/json");
            return {};
        }

        json::text_pairs pairs;
        auto const made = meta_.body_type != nullptr
            ? json::form_pairs(*meta_.body_type, op_ + meta_.body_offset, pairs, options)
            : json::form_pairs(json::type_of<json::object>, &extra, pairs);
        if (!made) return named(made);
        if (meta_.sends == content::form) {
            request.fields.add("Content-Type", "application/x-www-form-urlencoded");
            for (auto const& [name, value] : pairs) {
                if (!request.body.empty()) request.body += '&';
                http::append_percent_encoded(request.body, name);
                request.body += '=';
                http::append_percent_encoded(request.body, value);
            }
            return {};
        }
        return multipart(request, pairs);
    }

    /// The body of an operation that describes none: nothing but the caller's own members.
    encode_problem undescribed(const json::object& extra, http::request& request) const {
        if (extra.empty()) return {};
        // RFC 9110 section 9.3.1: content in a GET has no meaning, and proxies drop it.
        if (meta_.verb == method::get || meta_.verb == method::head)
            return {errc::invalid_argument, "extra_body: a GET carries no body"};
        if (auto const made = json::encode(extra, request.body); !made) return named(made);
        request.fields.add("Content-Type", "application/json");
        return {};
    }

    /// Whether the body is required and nothing of it is set. A struct names its empty members
    /// itself, and an object or map without members is a body, too.
    [[nodiscard]] bool is_missing() const {
        if (!meta_.body_required) return false;
        json::view const body = json::view{*meta_.body_type, op_ + meta_.body_offset}.held();
        if (body.self == nullptr) return true;
        auto const what = body.of->what;
        return what != json::kind::object && what != json::kind::map && body.is_absent();
    }

    /// What is wrong with a file's size, before a byte of it is sent: the API takes the whole
    /// upload in before it refuses it. Empty when nothing is.
    [[nodiscard]] std::string size_problem(const file_part& file) const {
        if (meta_.max_file_bytes == 0) return {};
        std::uint64_t size = file.data.size();
        if (!file.path.empty()) {
            auto const found = disk_file::size_of(file.path);
            if (!found) return {}; // reading it says more
            size = *found;
        }
        auto const most = meta_.max_video_bytes != 0 && is_video(file)
            ? std::max(meta_.max_file_bytes, meta_.max_video_bytes)
            : meta_.max_file_bytes;
        if (size <= most) return {};
        auto const& name = file.filename.empty() ? file.path : file.filename;
        return (name.empty() ? "the file" : name) + " has " + std::to_string(size) +
            " bytes; the API takes " + std::to_string(most);
    }

    /// Whether the API will take the file for a video, by its media type or the end of its name.
    [[nodiscard]] static bool is_video(const file_part& file) {
        if (file.content_type.starts_with("video/")) return true;
        std::string_view const name = file.filename.empty() ? file.path : file.filename;
        auto const dot = name.rfind('.');
        if (dot == std::string_view::npos) return false;
        std::string end{name.substr(dot + 1)};
        for (char& c : end)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        for (auto const known : {"mp4", "mov", "m4v", "avi", "mkv", "webm", "mpeg", "mpg", "wmv"})
            if (end == known) return true;
        return false;
    }

    encode_problem multipart(http::request& request, const json::text_pairs& pairs) {
        http::multipart_writer parts;
        for (auto const& [name, value] : pairs)
            parts.add(name, value);
        if (meta_.files_offset != operation_meta::npos) {
            auto const& files =
                *reinterpret_cast<const std::vector<file_part>*>(op_ + meta_.files_offset);
            for (auto const& file : files) {
                auto const name =
                    file.name.empty() ? meta_.file_field : std::string_view{file.name};
                if (name.empty()) return missing("files[].name");
                if (auto const why = size_problem(file); !why.empty())
                    return {errc::invalid_argument, why};
                if (auto const why = parts.add(name, file); !why.empty())
                    return {errc::invalid_argument, why};
            }
        }
        std::move(parts).finish(request);
        return {};
    }

    static encode_problem named(const json::encode_result& made) {
        return {made.code, "body" + made.pointer + ": " + made.text};
    }

    const operation_meta& meta_;
    const char* op_;
    const account_ref& account_;
    const locator& own_;
    std::string text_;
};

/// Encodes the operation at `op`, which `meta` describes, for an account.
[[nodiscard]] inline encode_problem encode_operation(
    const operation_meta& meta,
    const void* op,
    const account_ref& account,
    http::request& request) {
    return operation_encoder{meta, op, account}.encode(request);
}

} // namespace highlevel::detail

// SPDX-License-Identifier: BSL-1.0
//
// How the OAuth endpoints spell what they take and give: forms out, JSON in, and what a refusal
// means for the token. Pure functions, so that each row is a test.
#pragma once

#include <highlevel/auth/detail/wiping_resource.hpp>
#include <highlevel/auth/installation.hpp>
#include <highlevel/auth/refresh_machine.hpp>
#include <highlevel/auth/token.hpp>
#include <highlevel/auth/token_json.hpp>
#include <highlevel/detail/classify.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/http/transport.hpp>
#include <highlevel/http/uri.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::auth::detail {

[[nodiscard]] constexpr std::string_view user_type_name(resource_kind kind) noexcept {
    return kind == resource_kind::company ? "Company" : "Location";
}

/// "grant_type" as "grantType"; what is camelCase already stays.
[[nodiscard]] inline std::string camel_case(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        bool const bent = name[i] == '_' && i + 1 < name.size();
        if (!bent) {
            out += name[i];
            continue;
        }
        char const c = name[++i];
        out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return out;
}

/// A form in the making; what it holds is overwritten when it goes.
class wire_form {
public:
    explicit wire_form(generation spelling) : spelling_(spelling) {
        // Room for all, so that growing leaves no copy of a secret behind.
        constexpr std::size_t usual = 8192;
        text_.reserve(usual);
    }
    wire_form(wire_form&& other) noexcept
        : spelling_(other.spelling_),
          text_(std::exchange(other.text_, {})) {}
    wire_form& operator=(wire_form&&) = delete;
    ~wire_form() { secret::wipe(text_.data(), text_.size()); }

    /// `name` in snake_case.
    void add(std::string_view name, std::string_view value) {
        if (!text_.empty()) text_ += '&';
        text_ += spelling_ == generation::v3 ? camel_case(name) : std::string{name};
        text_ += '=';
        http::append_percent_encoded(text_, value);
    }

    void app(std::string_view client_id, const secret& client_secret) {
        add("client_id", client_id);
        add("client_secret", client_secret.reveal());
    }

    /// Moves the form into the request.
    void into(http::request& r) && {
        r.fields.set("Content-Type", "application/x-www-form-urlencoded");
        r.body = std::exchange(text_, {});
    }

private:
    generation spelling_;
    std::string text_;
};

/// A member by either of its spellings; null when there is none.
[[nodiscard]] inline const boost::json::value* either(
    const boost::json::object& from, std::string_view snake) {
    auto const* const found = from.if_contains(snake);
    return found != nullptr ? found : from.if_contains(camel_case(snake));
}

[[nodiscard]] inline std::string_view text_of(const boost::json::value* v) noexcept {
    if (v == nullptr || !v->is_string()) return {};
    return {v->get_string().data(), v->get_string().size()};
}

[[nodiscard]] inline bool is_true(const boost::json::value* v) noexcept {
    return v != nullptr && v->is_bool() && v->get_bool();
}

/// What the token endpoints answer.
class token_answer {
public:
    token_answer() = default;

    token value;
    installation info;
};

/// Reads a token answer of either spelling; nothing when it has no access token.
[[nodiscard]] inline std::optional<token_answer> read_token_answer(
    std::string_view body, timestamp now) {
    wiping_resource memory;
    boost::system::error_code ec;
    auto const root = read_secret_object(body, memory);
    if (!root) return std::nullopt;
    auto const& in = *root;
    auto const text = [&](std::string_view snake) { return text_of(either(in, snake)); };
    token_answer out;
    auto& value = out.value;
    value.access = secret{text("access_token")};
    if (value.access.empty()) return std::nullopt;
    value.refresh = secret{text("refresh_token")};
    value.issued_at = now;
    std::int64_t seconds = 0;
    if (auto const* const life = either(in, "expires_in"); life != nullptr) {
        if (life->is_number()) {
            seconds = life->to_number<std::int64_t>(ec);
        } else {
            auto const digits = text_of(life);
            std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
        }
    }
    // An end beyond this is no end; adding it to the time of day could overflow.
    constexpr std::int64_t ten_years = 10LL * 365 * 24 * 3600;
    if (seconds > 0) value.expires_at = now + std::chrono::seconds{std::min(seconds, ten_years)};
    value.location_id = text("location_id");
    value.company_id = text("company_id");
    value.user_id = text("user_id");
    auto const type = text("user_type");
    bool const location = type.empty() ? !value.location_id.empty() : type != "Company";
    value.kind = location ? resource_kind::location : resource_kind::company;
    if (!location) value.location_id.clear();
    auto scopes = text("scope");
    while (!scopes.empty()) {
        auto const end = std::min(scopes.find(' '), scopes.size());
        if (end > 0) value.scopes.emplace_back(scopes.substr(0, end));
        scopes.remove_prefix(std::min(end + 1, scopes.size()));
    }
    auto& info = out.info;
    info.what = value.resource();
    info.company_id = value.company_id;
    info.user_id = value.user_id;
    info.scopes = value.scopes;
    info.plan_id = text("plan_id");
    info.bulk = is_true(either(in, "is_bulk_installation"));
    info.all_locations = is_true(either(in, "approve_all_locations"));
    info.future_locations = is_true(either(in, "install_to_future_locations"));
    if (auto const* const ids = either(in, "approved_locations"); ids != nullptr && ids->is_array())
        for (auto const& id : ids->get_array())
            if (id.is_string()) info.approved_locations.emplace_back(id.get_string());
    return out;
}

/// How an attempt to get a token was refused.
class wire_refusal {
public:
    wire_refusal() = default;
    wire_refusal(refusal h, token_problem p) : how(h), problem(std::move(p)) {}

    refusal how = refusal::transient;
    token_problem problem;
    std::chrono::milliseconds retry_after{0};
    /// The bearer token of the request was refused as invalid: another one may do.
    bool token_refused = false;
    /// HighLevel's id of the answer; may be empty.
    std::string trace_id;
};

/// For how long a `Retry-After` (RFC 9110 section 10.2.3) asks to be left alone: seconds or a date;
/// nothing for what cannot be read, and never more than an hour, whatever a server writes.
[[nodiscard]] inline std::chrono::milliseconds retry_after_of(
    std::string_view field, timestamp now) {
    constexpr std::chrono::seconds longest{std::chrono::hours{1}};
    constexpr std::chrono::seconds none{0};
    std::int64_t seconds = 0;
    auto const* const end = field.data() + field.size();
    if (auto const read = std::from_chars(field.data(), end, seconds); read.ptr != field.data()) {
        if (read.ec != std::errc{}) return longest;
        return std::clamp(std::chrono::seconds{seconds}, none, longest);
    }
    // "Sun, 06 Nov 1994 08:49:37 GMT"
    constexpr std::size_t fixed = 29;
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (field.size() != fixed || !field.ends_with(" GMT")) return none;
    auto const number = [&](std::size_t at, std::size_t digits) {
        int value = -1;
        std::from_chars(field.data() + at, field.data() + at + digits, value);
        return value;
    };
    auto const month = months.find(field.substr(8, 3));
    auto const day = number(5, 2);
    if (month == months.npos || month % 3 != 0 || day < 1) return none;
    std::chrono::year_month_day const date{
        std::chrono::year{number(12, 4)}, std::chrono::month{static_cast<unsigned>(month / 3 + 1)},
        std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return none;
    auto const then = std::chrono::sys_days{date} + std::chrono::hours{number(17, 2)} +
        std::chrono::minutes{number(20, 2)} + std::chrono::seconds{number(23, 2)};
    return std::clamp<std::chrono::milliseconds>(then - now, none, longest);
}

/// Reads what kept a token away. `bearer`: the token that the request carried, so that a 401 is
/// about that and not about a refresh token; empty for none. `now`: what a `Retry-After` with a
/// date counts from.
///
/// Source: messages of the live API as HighLevel documents them for v3, and as integrators report
/// them.
[[nodiscard]] inline wire_refusal judge_refusal(
    const http::exchange_result& answered,
    std::string_view what,
    std::string_view bearer,
    timestamp now) {
    wire_refusal out;
    auto& problem = out.problem;
    problem.detail = what;
    if (!answered.ok()) {
        problem.code = answered.error;
        problem.cause = answered.error == boost::asio::error::operation_aborted ? cause::cancelled
                                                                                : cause::network;
        if (!answered.detail.empty()) problem.detail += ": " + answered.detail;
        out.how = answered.may_have_been_processed ? refusal::lost : refusal::transient;
        return out;
    }
    auto const& reply = answered.reply;
    if (reply.status >= 200 && reply.status < 300) {
        problem.code = make_error_code(errc::unexpected_content);
        problem.cause = cause::bad_response;
        problem.status = reply.status;
        problem.detail += ": the answer holds no token";
        out.how = refusal::lost;
        return out;
    }
    problem.code = make_status_code(reply.status);
    auto const body = highlevel::detail::read_error_body(reply.body);
    problem.detail += ": HTTP status " + std::to_string(reply.status);
    for (auto const& message : body.messages)
        problem.detail += "; server: " + message;
    auto const read = highlevel::detail::read_refusal(reply, body, {}, bearer);
    problem.cause = read.cause;
    problem.hint = read.hint;
    problem.status = reply.status;
    problem.messages = body.messages;
    out.trace_id = body.trace_id;
    if (auto const field = reply.fields.find("retry-after"))
        out.retry_after = retry_after_of(*field, now);
    if (reply.status == 429 || highlevel::detail::looks_like_html(reply.body)) {
        // A gateway's page is not the word of the token endpoint.
        out.how = reply.status >= 500 ? refusal::lost : refusal::transient;
    } else if (reply.status >= 500 || body.says("command timed out")) {
        out.how = refusal::lost;
    } else if (body.says("is not active")) {
        out.how = refusal::lasting;
    } else if (!bearer.empty()) {
        out.token_refused = read.cause == cause::invalid_token;
        out.how = refusal::final;
        // The company's token is good, but not for this: leave it for a while.
        out.retry_after =
            std::max<std::chrono::milliseconds>(out.retry_after, std::chrono::seconds{30});
    } else if (
        body.says("invalid grant") || body.says("invalid_grant") ||
        (body.says("refresh token") && body.says("invalid"))) {
        out.how = refusal::final;
    } else {
        // A wrong client secret, a mistyped parameter: nothing that ends the refresh token.
        out.how = refusal::lasting;
    }
    return out;
}

/// What a failure of an app's function tells of a problem.
[[nodiscard]] inline highlevel::detail::failure_data describe_problem(
    std::string_view name, const token_problem& problem) {
    highlevel::detail::failure_data data;
    data.operation = "oauth.";
    data.operation += name;
    data.detail = problem.detail;
    tell_refusal(data, problem);
    return data;
}

/// Throws the refusal of an API function, the last of so many attempts.
[[noreturn]] inline void throw_refusal(
    std::string_view name,
    method verb,
    std::string_view target,
    const http::exchange_result& answered,
    wire_refusal refused,
    int attempts) {
    auto data = describe_problem(name, refused.problem);
    data.verb = verb;
    data.path = target.substr(0, target.find('?'));
    data.attempts = attempts;
    data.may_have_been_processed = answered.may_have_been_processed;
    data.trace_id = std::move(refused.trace_id);
    if (answered.ok() && answered.reply.status >= 300) {
        // The messages say it.
        data.detail.clear();
        data.body = answered.reply.body;
    }
    throw error{failure{refused.problem.code, std::move(data)}};
}

/// How many installed locations are asked for at a time; the most that v3 describes.
inline constexpr std::size_t installed_page = 100;

[[nodiscard]] inline std::string installed_target(
    generation spelling,
    std::string_view company_id,
    std::string_view app_id,
    std::size_t skip,
    std::string_view page_token) {
    bool const v3 = spelling == generation::v3;
    std::string target{v3 ? "/oauth/installed-locations" : "/oauth/installedLocations"};
    http::append_query(target, "companyId", company_id);
    http::append_query(target, "appId", app_id);
    http::append_query(target, "isInstalled", "true");
    http::append_query(target, v3 ? "pageSize" : "limit", std::to_string(installed_page));
    if (!v3) http::append_query(target, "skip", std::to_string(skip));
    if (!page_token.empty()) http::append_query(target, "pageToken", page_token);
    return target;
}

class installed_answer {
public:
    installed_answer() = default;

    std::vector<installed_location> locations;
    std::string next;
    /// How many there are on all pages, where the server tells it (v2). The API describes it as
    /// "Total location count under the company", which may count those without the app, too.
    std::optional<std::size_t> count;
};

/// Reads a page of installed locations; nothing when it is none. A page without a list is one only
/// where it counts to 0.
[[nodiscard]] inline std::optional<installed_answer> read_installed(std::string_view body) {
    installed_answer out;
    boost::system::error_code ec;
    auto const root = boost::json::parse(boost::json::string_view{body.data(), body.size()}, ec);
    if (ec || !root.is_object()) return std::nullopt;
    auto const& in = root.get_object();
    auto const* list = in.if_contains("locations");
    if (list == nullptr) list = in.if_contains("items");
    bool const listed = list != nullptr && list->is_array();
    if (listed)
        for (auto const& item : list->get_array()) {
            if (!item.is_object()) continue;
            auto const& o = item.get_object();
            installed_location one;
            one.id = text_of(o.if_contains("_id"));
            if (one.id.empty()) one.id = text_of(o.if_contains("id"));
            one.name = text_of(o.if_contains("name"));
            one.address = text_of(o.if_contains("address"));
            auto const* const installed = o.if_contains("isInstalled");
            one.installed = installed == nullptr || is_true(installed);
            if (!one.id.empty()) out.locations.push_back(std::move(one));
        }
    if (auto const* const count = in.if_contains("count"); count != nullptr && count->is_number()) {
        auto const value = count->to_number<std::size_t>(ec);
        if (!ec) out.count = value;
    }
    if (!listed && out.count != 0U) return std::nullopt;
    if (auto const* const page = in.if_contains("pagination"); page != nullptr && page->is_object())
        out.next = text_of(page->get_object().if_contains("nextPageToken"));
    return out;
}

[[nodiscard]] inline std::string uninstall_body(const resource& what, std::string_view company_id) {
    boost::json::object body;
    if (!company_id.empty()) body["companyId"] = company_id;
    if (what.kind == resource_kind::location) body["locationId"] = what.id;
    return boost::json::serialize(body);
}

} // namespace highlevel::auth::detail

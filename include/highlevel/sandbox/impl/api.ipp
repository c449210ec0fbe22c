// SPDX-License-Identifier: BSL-1.0
//
// What every request of the sandbox goes through before and around its endpoint: token, route,
// location, quota, version, scope, parameters, in the order in which the live gateway refuses.
#pragma once

#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/detail/faults.hpp>
#include <highlevel/sandbox/detail/json_writer.hpp>
#include <highlevel/sandbox/detail/version_header.hpp>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>

namespace highlevel::sandbox::detail {

/// Where a request says which location it is about.
enum class location_source { none, path, query, body, contact };

/// One method and path.
class api::endpoint {
public:
    std::string_view method;
    std::string_view path; ///< template with {names}
    std::string_view scope;
    location_source where;
    handler run;
    std::array<std::string_view, 12> query{};
};

/// One request on its way.
class api::context {
public:
    context(const request_view& r, reply& o, timestamp d) : request(r), out(o), date(d) {}

    const request_view& request;
    reply& out;
    timestamp date;
    std::shared_ptr<const token_grant> grant;
    const endpoint* target = nullptr;
    std::array<std::string_view, 8> segments{};
    std::size_t segment_count = 0;
    std::vector<std::pair<std::string, std::string>> query;
    boost::json::value body;
    bool body_malformed = false;
    std::string location_id; ///< as the request names it; may be unknown
    std::shared_ptr<location> place;
    std::optional<std::uint32_t> contact_ordinal;

    /// The value of a query parameter; an empty one counts as absent.
    [[nodiscard]] const std::string* parameter(std::string_view name) const {
        for (auto const& [n, v] : query)
            if (n == name && !v.empty()) return &v;
        return nullptr;
    }
    /// A text member of the body; empty when there is none.
    [[nodiscard]] std::string_view body_text(std::string_view name) const {
        auto const* object = body.if_object();
        auto const* value = object ? object->if_contains(name) : nullptr;
        return value && value->is_string() ? std::string_view(value->get_string()) : "";
    }
};

/// Decodes %XX and, in queries, the plus.
[[nodiscard]] inline std::string percent_decode(std::string_view text) {
    auto const digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 &&
            digit(text[i + 2]) >= 0) {
            out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
            i += 2;
        } else {
            out += text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

[[nodiscard]] inline std::vector<std::pair<std::string, std::string>> parse_query(
    std::string_view query) {
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!query.empty()) {
        auto const end = std::min(query.find('&'), query.size());
        auto const item = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (item.empty()) continue;
        auto const equals = std::min(item.find('='), item.size());
        pairs.emplace_back(
            percent_decode(item.substr(0, equals)),
            percent_decode(item.substr(std::min(equals + 1, item.size()))));
    }
    return pairs;
}

[[nodiscard]] inline std::string_view reason_phrase(unsigned status) noexcept {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 302: return "Found";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 409: return "Conflict";
    case 413: return "Payload Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Unknown";
    }
}

inline api::api(const options& settings, duration wall)
    : options_(settings),
      wall_(wall),
      store_(settings.seed, settings.search_lag),
      oauth_(
          settings.seed,
          {[this](token_grant grant) { add_token(std::move(grant)); },
           [this](std::string_view text) { remove_token(text); },
           [this](std::string_view id) {
               auto const place = store_.find_location(id);
               return place ? place->company_id() : std::string();
           },
           store_.company_id(), settings.on_install,
           [this] {
               std::vector<std::string> ids;
               for (auto const& place : store_.locations())
                   ids.push_back(place->id());
               return ids;
           },
           [this] { return next_trace(); }}),
      max_(settings.max),
      interval_(settings.interval) {
    options_.hook = nullptr; // the server's business
    for (std::size_t i = 0; i < settings.locations; ++i)
        store_.add_location(
            {}, [&](location& made) { made.populate(settings.contacts_per_location); });
}

inline std::span<const api::endpoint> api::endpoints() {
    using enum location_source;
    // Literal paths come before the templates that they fit.
    static constexpr std::array table{
        endpoint{"POST", "/contacts/", "contacts.write", body, &api::create_contact},
        endpoint{
            "GET",
            "/contacts/",
            "contacts.readonly",
            query,
            &api::list_contacts,
            {"locationId", "limit", "query", "startAfter", "startAfterId"}},
        endpoint{"POST", "/contacts/search", "contacts.readonly", body, &api::search_contacts},
        endpoint{"POST", "/contacts/upsert", "contacts.write", body, &api::upsert_contact},
        endpoint{
            "GET",
            "/contacts/search/duplicate",
            "contacts.readonly",
            query,
            &api::find_duplicate,
            {"locationId", "number", "email"}},
        endpoint{"GET", "/contacts/{contactId}", "contacts.readonly", contact, &api::get_contact},
        endpoint{"PUT", "/contacts/{contactId}", "contacts.write", contact, &api::update_contact},
        endpoint{
            "DELETE", "/contacts/{contactId}", "contacts.write", contact, &api::delete_contact},
        endpoint{"POST", "/contacts/{contactId}/tags", "contacts.write", contact, &api::add_tags},
        endpoint{
            "DELETE", "/contacts/{contactId}/tags", "contacts.write", contact, &api::remove_tags},
        endpoint{
            "GET",
            "/locations/search",
            "locations.readonly",
            none,
            &api::search_locations,
            {"companyId", "skip", "limit", "order", "email"}},
        endpoint{"GET", "/locations/{locationId}", "locations.readonly", path, &api::get_location},
        endpoint{
            "GET", "/locations/{locationId}/tags", "locations/tags.readonly", path,
            &api::list_tags},
        endpoint{
            "POST", "/locations/{locationId}/tags", "locations/tags.write", path, &api::create_tag},
        endpoint{
            "GET",
            "/locations/{locationId}/customFields",
            "locations/customFields.readonly",
            path,
            &api::list_custom_fields,
            {"model"}},
        endpoint{
            "GET", "/locations/{locationId}/customValues", "locations/customValues.readonly", path,
            &api::list_custom_values},
        endpoint{
            "POST", "/locations/{locationId}/customValues", "locations/customValues.write", path,
            &api::create_custom_value},
        endpoint{
            "GET", "/locations/{locationId}/customValues/{id}", "locations/customValues.readonly",
            path, &api::custom_value},
        endpoint{
            "PUT", "/locations/{locationId}/customValues/{id}", "locations/customValues.write",
            path, &api::custom_value},
        endpoint{
            "DELETE", "/locations/{locationId}/customValues/{id}", "locations/customValues.write",
            path, &api::custom_value},
        endpoint{
            "GET",
            "/users/search",
            "users.readonly",
            none,
            &api::search_users,
            {"companyId", "query", "skip", "limit", "locationId", "type", "role", "ids", "sort",
             "sortDirection", "enabled2waySync"}},
        endpoint{
            "POST", "/objects/{schemaKey}/records", "objects/record.write", body,
            &api::create_record},
    };
    return table;
}

// ---- shared state ------------------------------------------------------------------------------

inline void api::add_token(token_grant grant) {
    auto made = std::make_shared<const token_grant>(std::move(grant));
    std::unique_lock const lock(tokens_mutex_);
    tokens_.insert_or_assign(made->text, made);
    token_ends_.erase(made->text);
}

inline void api::remove_token(std::string_view text) {
    std::unique_lock const lock(tokens_mutex_);
    auto const found = tokens_.find(text);
    if (found != tokens_.end()) tokens_.erase(found);
}

inline std::shared_ptr<const token_grant> api::find_token(std::string_view text) const {
    std::shared_lock const lock(tokens_mutex_);
    auto const found = tokens_.find(text);
    return found == tokens_.end() ? nullptr : found->second;
}

inline bool api::has_expired(const token_grant& grant, duration now) {
    auto const longest = options_.faults.token_lifetime;
    if (longest.count() == 0 || grant.all_locations) return false;
    {
        std::shared_lock const lock(tokens_mutex_);
        auto const found = token_ends_.find(grant.text);
        if (found != token_ends_.end()) return now >= found->second;
    }
    std::unique_lock const lock(tokens_mutex_);
    token_ends_.emplace(grant.text, now + token_life(longest, options_.seed, grant.text));
    return false;
}

inline meter& api::bucket(const std::string& owner, std::string_view resource) {
    auto& mine = meters_[owner];
    auto const found = mine.find(resource);
    if (found != mine.end()) return found->second;
    return mine
        .emplace(
            std::piecewise_construct, std::forward_as_tuple(resource),
            std::forward_as_tuple(
                options_.limiter, max_, interval_, wall_, options_.daily_limit,
                options_.daily_interval))
        .first->second;
}

inline quota_reading api::charge_bucket(
    const token_grant& grant, std::string_view resource, duration now, bool answered_anyway) {
    quota_reading reading;
    {
        std::lock_guard const lock(meters_mutex_);
        reading = bucket(grant.quota_owner(), resource).charge(now, answered_anyway);
    }
    if (reading.accepted) {
        ++accepted_;
    } else if (!answered_anyway) {
        ++refused_;
        if (reading.daily) ++refused_daily_;
    }
    return reading;
}

inline quota_reading api::default_quota() const {
    std::lock_guard const lock(meters_mutex_);
    quota_reading reading;
    reading.max = reading.remaining = max_;
    reading.interval = interval_;
    reading.daily_limit = reading.daily_remaining = options_.daily_limit;
    reading.daily_reset = options_.daily_interval;
    return reading;
}

inline void api::set_limits(std::uint32_t max, std::chrono::milliseconds interval) {
    std::lock_guard const lock(meters_mutex_);
    max_ = max;
    interval_ = interval;
    for (auto& [owner, mine] : meters_)
        for (auto& [resource, m] : mine)
            m.reconfigure(max, interval);
}

inline void api::collect(statistics& into) const {
    {
        std::lock_guard const lock(meters_mutex_);
        for (auto const& [owner, mine] : meters_)
            for (auto const& [resource, m] : mine) {
                auto& s = into.buckets.emplace_back(m.stats());
                s.app = owner;
                s.resource = resource;
            }
    }
    std::lock_guard const lock(counts_mutex_);
    into.requests.insert(counts_.begin(), counts_.end());
    into.processed.insert(processed_.begin(), processed_.end());
}

inline void api::reset_stats() {
    {
        std::lock_guard const lock(meters_mutex_);
        for (auto& [owner, mine] : meters_)
            for (auto& [resource, m] : mine)
                m.reset_stats();
    }
    std::lock_guard const lock(counts_mutex_);
    counts_.clear();
    processed_.clear();
    accepted_ = refused_ = refused_daily_ = expired_ = 0;
}

// ---- the way of a request ----------------------------------------------------------------------

inline void api::handle(
    const request_view& request, duration now, timestamp date, reply& out, bool process) {
    context c(request, out, date);
    route(c);
    {
        std::string name(request.method);
        name += ' ';
        name += c.target ? c.target->path : "*";
        std::lock_guard const lock(counts_mutex_);
        ++counts_[name];
    }
    c.grant = find_token(request.token);
    bool const ended = c.grant && c.grant->ends && now >= *c.grant->ends;
    if (ended || (c.grant && has_expired(*c.grant, now))) {
        ++expired_;
        c.grant.reset();
    }
    if (process && oauth_.answer(request, c.grant.get(), now, out)) {
        out.quota = default_quota();
        return;
    }
    if (!c.grant) {
        out.quota = default_quota();
        fail(
            c, 401,
            request.token.starts_with("pit-") ? "Invalid Private Integration token"
                                              : "Invalid JWT");
        return;
    }
    c.query = parse_query(request.query);
    parse_body(c);
    locate(c);
    if (!admit(c, now) || !process || !check_version(c) || !check_route(c) || !check_access(c) ||
        !check_query(c))
        return;
    if (c.body_malformed) {
        fail(c, 400, "Unexpected end of JSON input");
        return;
    }
    if (request.method == "POST" && !options_.post_id_member.empty()) {
        if (auto const id = c.body_text(options_.post_id_member); !id.empty()) {
            std::lock_guard const lock(counts_mutex_);
            ++processed_[std::string(id)];
        }
    }
    std::unique_lock<std::mutex> lock;
    if (c.place) lock = std::unique_lock(c.place->mutex);
    (this->*c.target->run)(c);
}

inline void api::charge(const request_view& request, duration now, reply& out) {
    context c(request, out, {});
    route(c);
    c.grant = find_token(request.token);
    if (!c.grant) return;
    c.query = parse_query(request.query);
    parse_body(c);
    locate(c);
    out.quota = charge_bucket(*c.grant, resource_of(c), now, true);
}

inline void api::route(context& c) const {
    auto path = c.request.path;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (bool more = true; more;) {
        if (c.segment_count == c.segments.size()) {
            c.segment_count = 0; // deeper than any endpoint
            return;
        }
        auto const slash = path.find('/');
        more = slash != std::string_view::npos;
        c.segments[c.segment_count++] = path.substr(0, slash);
        if (more) path.remove_prefix(slash + 1);
    }
    auto const fits = [&](std::string_view pattern) {
        pattern.remove_prefix(1);
        for (std::size_t i = 0; i < c.segment_count; ++i) {
            auto const slash = pattern.find('/');
            auto const last = slash == std::string_view::npos;
            if (last != (i + 1 == c.segment_count)) return false;
            auto const part = pattern.substr(0, slash);
            auto const given = c.segments[i];
            if (part.starts_with('{')) {
                if (given.empty()) return false;
            } else if (part != given) {
                return false;
            }
            if (!last) pattern.remove_prefix(slash + 1);
        }
        return true;
    };
    for (auto const& e : endpoints())
        if (e.method == c.request.method && fits(e.path)) {
            c.target = &e;
            return;
        }
}

inline void api::parse_body(context& c) const {
    if (c.request.body.empty()) return;
    auto const type = c.request.header("content-type");
    if (!type || lower_case(*type).find("json") == std::string::npos) return;
    boost::system::error_code ec;
    c.body = boost::json::parse(c.request.body, ec);
    c.body_malformed = bool(ec);
}

inline void api::locate(context& c) const {
    if (!c.target) return;
    switch (c.target->where) {
    case location_source::none: return;
    case location_source::path: c.location_id = c.segments[1]; break;
    case location_source::query:
        if (auto const* id = c.parameter("locationId")) c.location_id = *id;
        break;
    case location_source::body: c.location_id = c.body_text("locationId"); break;
    case location_source::contact:
        if (auto const owner = store_.find_contact(c.segments[1])) {
            c.place = owner->first;
            c.location_id = c.place->id();
            c.contact_ordinal = owner->second;
        }
        return;
    }
    c.place = store_.find_location(c.location_id);
}

inline std::string_view api::resource_of(const context& c) const {
    if (c.place && c.grant->may_use_location(c.place->id())) return c.place->id();
    if (c.grant->locations.size() == 1) return c.grant->locations.front();
    if (!c.grant->companies.empty()) return c.grant->companies.front();
    return c.grant->locations.empty() ? std::string_view() : c.grant->locations.front();
}

inline bool api::admit(context& c, duration now) {
    c.out.quota = charge_bucket(*c.grant, resource_of(c), now, false);
    if (c.out.quota->accepted) return true;
    c.out.status = 429;
    c.out.body = R"({"statusCode":429,"message":"Too Many Requests"})";
    c.out.retry_after = options_.retry_after;
    return false;
}

inline bool api::check_version(context& c) const {
    auto const refused = refuse_version(c.request.header("version"));
    if (refused) fail(c, refused->status, refused->message);
    return !refused;
}

inline bool api::check_route(context& c) const {
    if (c.target) return true;
    // A wrong path, a wrong method or a wrong letter: the gateway knows no rule for it.
    fail(
        c, 401,
        "This route is not yet supported by the IAM Service. Please update your IAM config.");
    return false;
}

inline bool api::check_access(context& c) const {
    auto const& grant = *c.grant;
    auto const located = c.target->where != location_source::none;
    // An agency token may look at locations as such, but not at what is in them.
    auto const for_locations = located && !c.target->scope.starts_with("locations.");
    if (grant.agency_class() && grant.oauth && for_locations) {
        fail(c, 401, "This authClass type is not allowed to access this scope.");
        return false;
    }
    if (grant.agency_class() && !grant.oauth && c.target->scope.starts_with("users.")) {
        fail(c, 401, "Token's user type mismatch!");
        return false;
    }
    if (!grant.has_scope(c.target->scope) || (grant.agency_class() && for_locations)) {
        fail(c, 401, "The token is not authorized for this scope.");
        return false;
    }
    if (!located || c.target->where == location_source::body) {
        if (!located || c.location_id.empty()) return true; // the endpoint's own business
    } else if (c.target->where == location_source::contact && !c.place) {
        return true;
    }
    auto const allowed = grant.may_use_location(c.location_id) ||
        (grant.agency_class() && c.place && grant.may_use_company(c.place->company_id()));
    if (!c.place || !allowed) {
        fail(c, 403, "The token does not have access to this location.");
        return false;
    }
    return true;
}

inline bool api::check_query(context& c) const {
    // Pagination parameters of other endpoints are ignored without a word; everything else that an
    // endpoint does not know is refused.
    constexpr std::array<std::string_view, 11> ignored{
        "page",   "pageLimit", "pageSize",    "pageToken",  "skip",        "offset",
        "cursor", "limit",     "searchAfter", "startAfter", "startAfterId"};
    std::vector<std::string> messages;
    for (auto const& [name, value] : c.query) {
        if (std::ranges::find(c.target->query, name) != c.target->query.end()) continue;
        if (std::ranges::find(ignored, name) != ignored.end()) continue;
        messages.push_back("property " + name + " should not exist");
    }
    if (messages.empty()) return true;
    fail(c, 422, messages);
    return false;
}

/// Reads `skip` and `limit`, which stay as they are where they are not given; refuses other texts
/// than numbers.
inline bool api::read_page(context& c, std::size_t& skip, std::size_t& limit) const {
    for (auto [name, target] : {std::pair{"skip", &skip}, std::pair{"limit", &limit}}) {
        auto const* text = c.parameter(name);
        if (!text) continue;
        auto const [end, ec] = std::from_chars(text->data(), text->data() + text->size(), *target);
        if (ec == std::errc() && end == text->data() + text->size()) continue;
        unprocessable(c, std::string(name) + " must be a number string");
        return false;
    }
    return true;
}

inline bool api::check_body(context& c, std::span<const std::string_view> known) const {
    auto const* object = c.body.if_object();
    std::vector<std::string> messages;
    if (object)
        for (auto const& member : *object)
            if (std::ranges::find(known, std::string_view(member.key())) == known.end())
                messages.push_back("property " + std::string(member.key()) + " should not exist");
    if (messages.empty()) return true;
    fail(c, 422, messages);
    return false;
}

// ---- answers -----------------------------------------------------------------------------------

inline std::string api::next_trace() const {
    constexpr std::string_view digits = "0123456789abcdef";
    auto const number = traces_++;
    std::string id(36, '-');
    dice d(scatter(options_.seed ^ 0x7ace) ^ scatter(number));
    for (std::size_t i = 0; i < id.size(); ++i)
        if (i != 8 && i != 13 && i != 18 && i != 23) id[i] = digits[d.below(16)];
    id[14] = '4'; // a version 4 UUID to the eye
    return id;
}

inline void api::write_trace(context&, json_writer& out) const {
    out.member("traceId", next_trace());
}

inline void api::fail(context& c, unsigned status, std::string_view message) const {
    c.out.status = status;
    c.out.body.clear();
    json_writer out(c.out.body);
    out.begin_object().member("statusCode", status).member("message", message);
    if (status == 400 || status == 404 || status == 422) out.member("error", reason_phrase(status));
    write_trace(c, out);
    out.end_object();
}

inline void api::fail(context& c, unsigned status, std::span<const std::string> messages) const {
    c.out.status = status;
    c.out.body.clear();
    json_writer out(c.out.body);
    out.begin_object().member("statusCode", status).strings("message", messages);
    out.member("error", reason_phrase(status));
    write_trace(c, out);
    out.end_object();
}

inline void api::unprocessable(context& c, std::string message) const {
    fail(c, 422, std::array{std::move(message)});
}

} // namespace highlevel::sandbox::detail

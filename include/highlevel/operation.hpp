// SPDX-License-Identifier: BSL-1.0
//
// What an endpoint is: facts as constant data beside a plain struct. The generated families hold
// nothing else, so they compile without any network header and cost no code per operation.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/method.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel {

/// The generation of the API that describes an operation; both are served by the same host, and
/// the `Version` header selects the behaviour.
enum class generation : std::uint8_t { v2, v3 };

[[nodiscard]] constexpr std::string_view to_string(generation g) noexcept {
    return g == generation::v2 ? "v2" : "v3";
}

/// Kinds of bearer tokens; a set of them is their union.
///
/// A location token reaches one sub-account, an agency token its company. Either comes from OAuth
/// or is a Private Integration token.
enum class token_kinds : std::uint8_t {
    none = 0,
    location_oauth = 1,
    location_private = 2,
    agency_oauth = 4,
    agency_private = 8,
    location = location_oauth | location_private,
    agency = agency_oauth | agency_private,
    any = location | agency,
};

[[nodiscard]] constexpr token_kinds operator|(token_kinds a, token_kinds b) noexcept {
    return static_cast<token_kinds>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
[[nodiscard]] constexpr token_kinds operator&(token_kinds a, token_kinds b) noexcept {
    return static_cast<token_kinds>(static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(b));
}

/// Where a request carries a value.
enum class place : std::uint8_t { none, path, query, body };

/// How a list stands in a query.
enum class list_style : std::uint8_t {
    /// One pair per element: `id=1&id=2`.
    repeat,
    /// One pair, elements separated by commas: `id=1,2`.
    comma,
};

/// What the content of a request is.
enum class content : std::uint8_t { none, json, form, multipart };

/// What the content of a successful response is.
enum class reply : std::uint8_t {
    /// JSON, or empty.
    json,
    /// Text or bytes, kept as they come; the type is then std::string.
    raw,
};

/// What sending an operation twice does (RFC 9110 section 9.2).
enum class idempotency : std::uint8_t {
    /// It only reads: GET, and the searches that are a POST because their filters need a body.
    safe,
    /// It writes, but the second time changes nothing more: DELETE.
    idempotent,
    /// It may act twice: POST, PATCH, and PUT, with which HighLevel starts workflows and sends
    /// messages.
    neither,
};

[[nodiscard]] constexpr std::string_view to_string(idempotency i) noexcept {
    switch (i) {
    case idempotency::safe: return "safe";
    case idempotency::idempotent: return "idempotent";
    case idempotency::neither: break;
    }
    return "neither";
}

/// A path or query parameter of an operation.
class parameter {
public:
    /// The name on the wire.
    std::string_view name;
    place in = place::query;
    /// Where the member lies in the operation.
    std::size_t offset = 0;
    /// The member's type.
    const json::type* type = nullptr;
    bool required = false;
    list_style style = list_style::repeat;
};

/// Where an operation names the location or company that it works on.
class locator {
public:
    place in = place::none;
    /// The field's name on the wire: `locationId`, `location_id`, `companyId`, or `altId`.
    std::string_view name{};
    /// Whether an `altType` stands beside it and must say "location".
    bool with_alt_type = false;
};

/// How the next page of a list is asked for.
enum class paging_style : std::uint8_t {
    none,
    skip_limit,
    offset_limit,
    page_limit,
    page_page_size,
    page_only,
    page_page_length,
    page_limit_search_after,
    start_after_pair,
    start_after_item_id,
    start_after_date,
    last_item_id,
    cursor,
    page_token,
};

/// Where a list operation carries its position, and where its response says what comes next.
class paging {
public:
    paging_style style = paging_style::none;
    /// JSON pointer to the array of items in the response; empty when the root is the array, or
    /// when `items_known` is false.
    std::string_view items{};
    /// The request field with the position: `skip`, `page`, `cursor`, ...
    std::string_view position{};
    /// A second request field of the position (`startAfterId`), or empty.
    std::string_view position_id{};
    /// The request field with the page size, or empty.
    std::string_view size{};
    /// Whether these fields stand in the query or in the body.
    place in = place::query;
    /// JSON pointer to the next position in the response; empty when it is worked out.
    std::string_view next{};
    /// JSON pointer to the total number of items, or empty.
    std::string_view total{};
    /// JSON pointer to the second part of the next position, or empty; goes into `position_id`.
    std::string_view next_id{};
    /// Whether `next` is relative to the last item of the page instead of the response.
    bool next_in_last_item = false;
    /// JSON pointer to a boolean that says whether more follows, or empty.
    std::string_view has_more{};
    /// The number of the first page, for styles that count pages.
    int first_page = 1;
    /// False when nothing tells where the items are; then they are the response's only array.
    bool items_known = true;
};

/// The facts of one operation.
class operation_meta {
public:
    generation version_of_description = generation::v2;
    /// The API family, for example "contacts".
    std::string_view family{};
    /// The C++ name, for example "get_contact".
    std::string_view name{};
    /// The description's operationId, for example "get-contact".
    std::string_view id{};
    method verb = method::get;
    /// The path template, for example "/contacts/{contactId}"; a trailing slash counts.
    std::string_view path{};
    /// The value of the `Version` header.
    std::string_view version{};
    /// Whether the description declares no Version, so that the value is this library's choice.
    bool version_assumed = false;
    /// OAuth scopes that the token needs; empty when none are described.
    std::span<const std::string_view> scopes{};
    /// The tokens that the operation accepts; `none` means that no token is sent.
    token_kinds tokens = token_kinds::location;
    bool deprecated = false;
    /// Whether a call whose fate is unknown may be sent again.
    highlevel::idempotency idempotent = highlevel::idempotency::neither;
    content sends = content::none;
    reply gives = reply::json;
    /// In template order for the path, then in the description's order.
    std::span<const parameter> parameters{};
    /// Where the body member lies; `body_type` is null when there is no body.
    std::size_t body_offset = 0;
    const json::type* body_type = nullptr;
    bool body_required = false;
    /// Where `extra_query` and `extra_body` lie.
    std::size_t extra_query_offset = 0;
    std::size_t extra_body_offset = 0;
    locator location{};
    locator company{};
    /// Null when the operation lists nothing.
    const highlevel::paging* pages = nullptr;
    /// Where the `std::vector<file_part> files` of a multipart operation lies, or npos.
    std::size_t files_offset = npos;
    /// The part name of a file that gives none itself; empty: every file has to give one.
    std::string_view file_field{};
    /// The largest file that the API takes, in bytes; 0: none is described.
    std::uint64_t max_file_bytes = 0;
    /// The same for videos, where these may be larger; 0: as for other files.
    std::uint64_t max_video_bytes = 0;

    static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

/// Query pairs that the description does not know; sent after the described ones.
using query_pairs = std::vector<std::pair<std::string, std::string>>;

/// A type that can be called: it has facts, a response type, and the two bags for unknown fields.
template <class T>
concept operation = requires(const T& op) {
    { T::meta } -> std::convertible_to<const operation_meta&>;
    typename T::response_type;
    { op.extra_query } -> std::convertible_to<const query_pairs&>;
    { op.extra_body } -> std::convertible_to<const json::object&>;
}
&&std::default_initializable<T> && !std::is_aggregate_v<T>;

/// Operations as one type, for code that goes over all of a version:
/// `highlevel::v2::operations` of <highlevel/v2/all.hpp>.
template <class... Ops>
struct operation_list {
    static constexpr std::size_t size = sizeof...(Ops);

    /// Calls `f.template operator()<Op>()` for each operation in order.
    template <class F>
    static constexpr void for_each(F&& f) {
        // Not a fold: compilers bound how deep those nest.
        [[maybe_unused]] const bool done[] = {(f.template operator()<Ops>(), true)...};
    }
};

} // namespace highlevel

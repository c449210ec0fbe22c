// SPDX-License-Identifier: BSL-1.0
//
// Reading a page of 100 contacts into structs: the library's codec against Boost.JSON's DOM, a DOM
// that is then converted, and a handler for this one struct that a careful person wrote. All run in
// turn, so that a slow moment of the machine meets all of them.

#include "../examples/support/command_line.hpp"
#include "support/measure.hpp"
#include "support/page.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#if defined(HIGHLEVEL_BENCHMARK_SIMDJSON)
#    include <simdjson.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace json = highlevel::json;
using command_line::usage_error;
using steady = std::chrono::steady_clock;

namespace decode {

struct custom_field {
    custom_field() = default;
    std::optional<std::string> id;
    std::optional<std::string> value;
    json::lazy_object unknown_fields;
};
inline constexpr json::field custom_field_fields[] = {
    {"id", offsetof(custom_field, id), &json::type_of<std::optional<std::string>>},
    {"value", offsetof(custom_field, value), &json::type_of<std::optional<std::string>>},
};
constexpr std::span<const json::field> json_fields(const custom_field*) noexcept {
    return custom_field_fields;
}

struct attribution {
    attribution() = default;
    std::optional<std::string> page_url;
    std::optional<std::string> session_source;
    std::optional<bool> is_first;
    std::optional<std::string> medium;
    json::lazy_object unknown_fields;
};
inline constexpr json::field attribution_fields[] = {
    {"pageUrl", offsetof(attribution, page_url), &json::type_of<std::optional<std::string>>},
    {"utmSessionSource", offsetof(attribution, session_source),
     &json::type_of<std::optional<std::string>>},
    {"isFirst", offsetof(attribution, is_first), &json::type_of<std::optional<bool>>},
    {"medium", offsetof(attribution, medium), &json::type_of<std::optional<std::string>>},
};
constexpr std::span<const json::field> json_fields(const attribution*) noexcept {
    return attribution_fields;
}

/// Every member of the record, so that nothing is left for unknown_fields and all rivals do the
/// same work.
struct contact {
    contact() = default;
    std::optional<std::string> id;
    std::optional<std::string> location_id;
    std::optional<std::string> contact_name;
    std::optional<std::string> first_name;
    std::optional<std::string> last_name;
    std::optional<std::string> first_name_raw;
    std::optional<std::string> last_name_raw;
    std::optional<std::string> email;
    std::optional<std::string> phone;
    std::optional<std::string> company_name;
    std::optional<std::string> type;
    std::optional<std::string> source;
    std::optional<std::string> assigned_to;
    std::optional<std::string> address1;
    std::optional<std::string> city;
    std::optional<std::string> state;
    std::optional<std::string> postal_code;
    std::optional<std::string> country;
    std::optional<std::string> website;
    std::optional<std::string> timezone;
    std::optional<bool> dnd;
    std::vector<std::string> tags;
    std::optional<std::string> date_added;
    std::optional<std::string> date_updated;
    std::optional<std::string> date_of_birth;
    std::optional<std::string> business_id;
    std::vector<std::string> followers;
    std::vector<custom_field> custom_fields;
    std::vector<attribution> attributions;
    json::lazy_object unknown_fields;
};

/// The members that are texts, for the library's table and for the handler by hand.
class text_member {
public:
    std::string_view name;
    std::optional<std::string> contact::*where;
    std::size_t offset;
};

#define HIGHLEVEL_TEXT(wire, member) \
    { wire, &contact::member, offsetof(contact, member) }
inline constexpr text_member texts[] = {
    HIGHLEVEL_TEXT("id", id),
    HIGHLEVEL_TEXT("locationId", location_id),
    HIGHLEVEL_TEXT("contactName", contact_name),
    HIGHLEVEL_TEXT("firstName", first_name),
    HIGHLEVEL_TEXT("lastName", last_name),
    HIGHLEVEL_TEXT("firstNameRaw", first_name_raw),
    HIGHLEVEL_TEXT("lastNameRaw", last_name_raw),
    HIGHLEVEL_TEXT("email", email),
    HIGHLEVEL_TEXT("phone", phone),
    HIGHLEVEL_TEXT("companyName", company_name),
    HIGHLEVEL_TEXT("type", type),
    HIGHLEVEL_TEXT("source", source),
    HIGHLEVEL_TEXT("assignedTo", assigned_to),
    HIGHLEVEL_TEXT("address1", address1),
    HIGHLEVEL_TEXT("city", city),
    HIGHLEVEL_TEXT("state", state),
    HIGHLEVEL_TEXT("postalCode", postal_code),
    HIGHLEVEL_TEXT("country", country),
    HIGHLEVEL_TEXT("website", website),
    HIGHLEVEL_TEXT("timezone", timezone),
    HIGHLEVEL_TEXT("dateAdded", date_added),
    HIGHLEVEL_TEXT("dateUpdated", date_updated),
    HIGHLEVEL_TEXT("dateOfBirth", date_of_birth),
    HIGHLEVEL_TEXT("businessId", business_id),
};
#undef HIGHLEVEL_TEXT

inline constexpr std::size_t text_count = std::size(texts);
constexpr auto make_contact_fields() {
    std::array<json::field, text_count + 5> all{};
    for (std::size_t i = 0; i < text_count; ++i)
        all[i] = {texts[i].name, texts[i].offset, &json::type_of<std::optional<std::string>>};
    all[text_count] = {"dnd", offsetof(contact, dnd), &json::type_of<std::optional<bool>>};
    all[text_count + 1] = {
        "tags", offsetof(contact, tags), &json::type_of<std::vector<std::string>>};
    all[text_count + 2] = {
        "followers", offsetof(contact, followers), &json::type_of<std::vector<std::string>>};
    all[text_count + 3] = {
        "customFields", offsetof(contact, custom_fields),
        &json::type_of<std::vector<custom_field>>};
    all[text_count + 4] = {
        "attributions", offsetof(contact, attributions), &json::type_of<std::vector<attribution>>};
    return all;
}
inline constexpr auto contact_fields = make_contact_fields();
constexpr std::span<const json::field> json_fields(const contact*) noexcept {
    return contact_fields;
}

struct contact_page {
    contact_page() = default;
    std::vector<contact> contacts;
    json::value meta;
    std::optional<std::string> trace_id;
    json::lazy_object unknown_fields;
};
inline constexpr json::field contact_page_fields[] = {
    {"contacts", offsetof(contact_page, contacts), &json::type_of<std::vector<contact>>},
    {"meta", offsetof(contact_page, meta), &json::type_of<json::value>},
    {"traceId", offsetof(contact_page, trace_id), &json::type_of<std::optional<std::string>>},
};
constexpr std::span<const json::field> json_fields(const contact_page*) noexcept {
    return contact_page_fields;
}

} // namespace decode

namespace {

using decode::contact_page;

constexpr std::string_view usage = R"(Reads a page of 100 contacts in several ways.

  decode [--rounds N] [--only NAME] [--json] [--quick]

  --rounds N    rounds of all of them in turn (default: 400)
  --only NAME   this one alone, as for callgrind
  --json        lines of JSON instead of a table
  --quick       three rounds
)";

struct arguments {
    std::size_t rounds = 400;
    std::string only;
    bool json = false;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--rounds"))
        a.rounds = at.number<std::size_t>(1, 1'000'000);
    else if (at.is("--only"))
        a.only = at.value();
    else if (at.is("--json"))
        a.json = true;
    else if (at.is("--quick"))
        a.rounds = 3;
    else
        return false;
    return true;
}

const decode::text_member* find_text(std::string_view key) {
    auto const* const end = std::end(decode::texts);
    auto const* const found =
        std::find_if(std::begin(decode::texts), end, [&](auto const& t) { return t.name == key; });
    return found == end ? nullptr : found;
}

/// Boost.JSON's push parser with a handler for contact_page and nothing else.
class page_handler {
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    using error_code = boost::json::error_code;
    using text = boost::json::string_view;

    contact_page out;

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        ++depth_;
        if (depth_ == 3 && list_ == list::contacts)
            out.contacts.emplace_back();
        else if (depth_ == 4 && list_ == list::contacts && inner_ == inner::custom_fields)
            current().custom_fields.emplace_back();
        else if (depth_ == 4 && list_ == list::contacts && inner_ == inner::attributions)
            current().attributions.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, error_code&) {
        --depth_;
        return true;
    }
    bool on_array_begin(error_code&) {
        if (depth_ == 1 && key_ == "contacts") {
            list_ = list::contacts;
            depth_ = 2;
        } else if (depth_ == 3 && list_ == list::contacts) {
            inner_ = key_ == "tags"      ? inner::tags
                : key_ == "followers"    ? inner::followers
                : key_ == "customFields" ? inner::custom_fields
                : key_ == "attributions" ? inner::attributions
                                         : inner::none;
        }
        return true;
    }
    bool on_array_end(std::size_t, error_code&) {
        if (depth_ == 2) {
            list_ = list::none;
            depth_ = 1;
        } else if (depth_ == 3) {
            inner_ = inner::none;
        }
        return true;
    }
    bool on_key_part(text part, std::size_t, error_code&) {
        key_part_.append(part.data(), part.size());
        return true;
    }
    bool on_key(text part, std::size_t, error_code&) {
        if (key_part_.empty()) {
            key_.assign(part.data(), part.size());
        } else {
            key_part_.append(part.data(), part.size());
            key_.swap(key_part_);
            key_part_.clear();
        }
        return true;
    }
    bool on_string_part(text part, std::size_t, error_code&) {
        value_part_.append(part.data(), part.size());
        return true;
    }
    bool on_string(text part, std::size_t, error_code&) {
        std::string whole = std::move(value_part_);
        value_part_.clear();
        whole.append(part.data(), part.size());
        if (list_ == list::contacts && depth_ == 3) {
            if (inner_ == inner::tags)
                current().tags.push_back(std::move(whole));
            else if (inner_ == inner::followers)
                current().followers.push_back(std::move(whole));
            else if (auto const* t = find_text(key_))
                current().*(t->where) = std::move(whole);
        } else if (list_ == list::contacts && depth_ == 4 && inner_ == inner::custom_fields) {
            auto& f = current().custom_fields.back();
            (key_ == "id" ? f.id : f.value) = std::move(whole);
        } else if (list_ == list::contacts && depth_ == 4) {
            auto& a = current().attributions.back();
            (key_ == "pageUrl"      ? a.page_url
                 : key_ == "medium" ? a.medium
                                    : a.session_source) = std::move(whole);
        } else if (depth_ == 1 && key_ == "traceId") {
            out.trace_id = std::move(whole);
        }
        return true;
    }
    bool on_number_part(text, error_code&) { return true; }
    bool on_int64(std::int64_t, text, error_code&) { return true; }
    bool on_uint64(std::uint64_t, text, error_code&) { return true; }
    bool on_double(double, text, error_code&) { return true; }
    bool on_bool(bool b, error_code&) {
        if (list_ != list::contacts) return true;
        if (depth_ == 3 && key_ == "dnd") current().dnd = b;
        if (depth_ == 4 && inner_ == inner::attributions)
            current().attributions.back().is_first = b;
        return true;
    }
    bool on_null(error_code&) { return true; }
    bool on_comment_part(text, error_code&) { return true; }
    bool on_comment(text, error_code&) { return true; }

private:
    enum class list : std::uint8_t { none, contacts };
    enum class inner : std::uint8_t { none, tags, followers, custom_fields, attributions };

    decode::contact& current() { return out.contacts.back(); }

    int depth_ = 0;
    list list_ = list::none;
    inner inner_ = inner::none;
    std::string key_;
    std::string key_part_;
    std::string value_part_;
};

contact_page by_handler(const std::string& text) {
    boost::json::basic_parser<page_handler> parser{boost::json::parse_options{}};
    boost::json::error_code ec;
    parser.write_some(false, text.data(), text.size(), ec);
    if (ec) throw std::runtime_error{ec.message()};
    return std::move(parser.handler().out);
}

/// The DOM in one arena, then copied into the struct.
contact_page by_dom(const std::string& text) {
    unsigned char room[65536];
    boost::json::monotonic_resource memory{room, sizeof room};
    auto const root = boost::json::parse(text, &memory);
    auto const take = [](const boost::json::object& from, std::string_view name) {
        auto const* const v = from.if_contains({name.data(), name.size()});
        return v != nullptr && v->is_string()
            ? std::optional<std::string>{std::string{
                  v->get_string().c_str(), v->get_string().size()}}
            : std::nullopt;
    };
    auto const take_texts = [](const boost::json::object& from, const char* name) {
        std::vector<std::string> all;
        if (auto const* const v = from.if_contains(name))
            for (auto const& item : v->as_array())
                all.emplace_back(item.get_string().c_str(), item.get_string().size());
        return all;
    };
    contact_page page;
    page.trace_id = take(root.get_object(), "traceId");
    for (auto const& item : root.at("contacts").as_array()) {
        auto const& from = item.get_object();
        auto& to = page.contacts.emplace_back();
        for (auto const& t : decode::texts)
            to.*(t.where) = take(from, t.name);
        if (auto const* const dnd = from.if_contains("dnd")) to.dnd = dnd->get_bool();
        to.tags = take_texts(from, "tags");
        to.followers = take_texts(from, "followers");
        for (auto const& f : from.at("customFields").as_array()) {
            auto& field = to.custom_fields.emplace_back();
            field.id = take(f.get_object(), "id");
            field.value = take(f.get_object(), "value");
        }
        for (auto const& a : from.at("attributions").as_array()) {
            auto& made = to.attributions.emplace_back();
            made.page_url = take(a.get_object(), "pageUrl");
            made.session_source = take(a.get_object(), "utmSessionSource");
            made.medium = take(a.get_object(), "medium");
            made.is_first = a.get_object().at("isFirst").get_bool();
        }
    }
    return page;
}

contact_page by_library(const std::string& text) {
    contact_page page;
    auto const made = json::decode(text, page);
    if (!made) throw std::runtime_error{made.text};
    return page;
}

#if defined(HIGHLEVEL_BENCHMARK_SIMDJSON)
/// simdjson's on-demand parser into the same struct.
contact_page by_simdjson(simdjson::ondemand::parser& parser, const std::string& text) {
    contact_page page;
    auto const take = [](simdjson::ondemand::value v, std::optional<std::string>& to) {
        std::string_view s;
        if (v.get_string().get(s) == simdjson::SUCCESS) to.emplace(s);
    };
    auto const take_texts = [](simdjson::ondemand::value v, std::vector<std::string>& to) {
        for (std::string_view s : v.get_array())
            to.emplace_back(s);
    };
    auto document = parser.iterate(text.data(), text.size(), text.capacity());
    for (auto member : document.get_object()) {
        std::string_view const key = member.unescaped_key();
        if (key == "traceId") take(member.value(), page.trace_id);
        if (key != "contacts") continue;
        for (simdjson::ondemand::object from : member.value().get_array()) {
            auto& to = page.contacts.emplace_back();
            for (auto field : from) {
                std::string_view const name = field.unescaped_key();
                if (auto const* t = find_text(name)) {
                    take(field.value(), to.*(t->where));
                } else if (name == "dnd") {
                    to.dnd = static_cast<bool>(field.value().get_bool());
                } else if (name == "tags") {
                    take_texts(field.value(), to.tags);
                } else if (name == "followers") {
                    take_texts(field.value(), to.followers);
                } else if (name == "customFields") {
                    for (simdjson::ondemand::object f : field.value().get_array()) {
                        auto& made = to.custom_fields.emplace_back();
                        for (auto part : f)
                            take(
                                part.value(),
                                std::string_view{part.unescaped_key()} == "id" ? made.id
                                                                               : made.value);
                    }
                } else if (name == "attributions") {
                    for (simdjson::ondemand::object a : field.value().get_array()) {
                        auto& made = to.attributions.emplace_back();
                        for (auto part : a) {
                            std::string_view const what = part.unescaped_key();
                            if (what == "isFirst")
                                made.is_first = static_cast<bool>(part.value().get_bool());
                            else
                                take(
                                    part.value(),
                                    what == "pageUrl"      ? made.page_url
                                        : what == "medium" ? made.medium
                                                           : made.session_source);
                        }
                    }
                }
            }
        }
    }
    return page;
}
#endif

/// One way to read the page, and how long it took in each round.
class rival {
public:
    rival(std::string_view name_, std::function<std::size_t(const std::string&)> read_)
        : name(name_),
          read(std::move(read_)) {}

    std::string_view name;
    std::function<std::size_t(const std::string&)> read;
    std::vector<double> microseconds;
};

double median(std::vector<double> all) {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

std::vector<rival> make_rivals() {
    std::vector<rival> all;
    all.emplace_back("handler", [](auto const& t) { return by_handler(t).contacts.size(); });
    all.emplace_back("highlevel", [](auto const& t) { return by_library(t).contacts.size(); });
    all.emplace_back("highlevel_generated", [](auto const& t) {
        highlevel::v2::contacts::types::contacts_search_successful_response page;
        if (!json::decode(t, page)) throw std::runtime_error{"the generated types refuse the page"};
        return page.contacts.size();
    });
    all.emplace_back("dom_mono_struct", [](auto const& t) { return by_dom(t).contacts.size(); });
    all.emplace_back("dom_mono", [](auto const& t) {
        unsigned char room[65536];
        boost::json::monotonic_resource memory{room, sizeof room};
        return boost::json::parse(t, &memory).at("contacts").as_array().size();
    });
    all.emplace_back("dom", [](auto const& t) {
        return boost::json::parse(t).at("contacts").as_array().size();
    });
#if defined(HIGHLEVEL_BENCHMARK_SIMDJSON)
    auto const parser = std::make_shared<simdjson::ondemand::parser>();
    all.emplace_back(
        "simdjson", [parser](auto const& t) { return by_simdjson(*parser, t).contacts.size(); });
#endif
    return all;
}

int run(const arguments& args) {
    auto text = page::contacts(100);
    text.reserve(text.size() + 64); // simdjson reads that far beyond the end
    auto rivals = make_rivals();
    if (!args.only.empty())
        std::erase_if(rivals, [&](auto const& r) { return r.name != args.only; });
    if (rivals.empty()) throw usage_error{"--only: no such way"};
    for (std::size_t round = 0; round < args.rounds; ++round)
        for (auto& r : rivals) {
            auto const begun = steady::now();
            auto const count = r.read(text);
            r.microseconds.push_back(
                std::chrono::duration<double, std::micro>(steady::now() - begun).count());
            if (count != 100) throw std::runtime_error{std::string{r.name} + ": not 100 contacts"};
        }
    auto const reference = median(rivals.front().microseconds);
    if (!args.json)
        std::printf("a page of 100 contacts, %zu bytes, %zu rounds\n", text.size(), args.rounds);
    for (auto const& r : rivals) {
        auto const us = median(r.microseconds);
        if (args.json)
            measure::record{}
                .add("program", std::string_view{"decode"})
                .add("mode", r.name)
                .add("microseconds", us)
                .add("bytes", std::uint64_t{text.size()})
                .print();
        else
            std::printf(
                "%-20.*s %8.1f us  %7.0f MB/s  %5.2f of %.*s\n", static_cast<int>(r.name.size()),
                r.name.data(), us, static_cast<double>(text.size()) / us, us / reference,
                static_cast<int>(rivals.front().name.size()), rivals.front().name.data());
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("decode", usage, argc, argv, take, run);
}

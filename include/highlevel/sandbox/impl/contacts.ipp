// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's endpoints of contacts: create, read, update, delete, upsert, tags, list and search.
#pragma once

#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/detail/contact_json.hpp>
#include <highlevel/sandbox/detail/contact_search.hpp>
#include <highlevel/sandbox/impl/api.ipp>

#include <boost/json/serialize.hpp>

#include <charconv>
#include <limits>
#include <tuple>

namespace highlevel::sandbox::detail {

inline constexpr std::array<std::string_view, 23> created_contact_members{
    "firstName", "lastName",    "name",        "email",      "locationId",        "gender",
    "phone",     "address1",    "city",        "state",      "postalCode",        "website",
    "timezone",  "dnd",         "dndSettings", "tags",       "customFields",      "source",
    "country",   "dateOfBirth", "companyName", "assignedTo", "inboundDndSettings"};

inline constexpr std::array<std::string_view, 20> updated_contact_members{
    "firstName",  "lastName",    "name",       "email",        "phone",
    "address1",   "city",        "state",      "website",      "timezone",
    "postalCode", "dnd",         "tags",       "source",       "dateOfBirth",
    "country",    "dndSettings", "assignedTo", "customFields", "inboundDndSettings"};

/// Text members of a contact as they are written.
inline constexpr std::array written_contact_members{
    contact_field{"firstName", &contact::first_name},
    contact_field{"lastName", &contact::last_name},
    contact_field{"email", &contact::email},
    contact_field{"phone", &contact::phone},
    contact_field{"gender", &contact::gender},
    contact_field{"address1", &contact::address1},
    contact_field{"city", &contact::city},
    contact_field{"state", &contact::state},
    contact_field{"postalCode", &contact::postal_code},
    contact_field{"country", &contact::country},
    contact_field{"website", &contact::website},
    contact_field{"timezone", &contact::timezone},
    contact_field{"source", &contact::source},
    contact_field{"dateOfBirth", &contact::date_of_birth},
    contact_field{"companyName", &contact::company_name},
    contact_field{"assignedTo", &contact::assigned_to},
};

/// With a country code; ten digits without one are taken as North American.
[[nodiscard]] inline std::string international_phone(std::string_view text) {
    auto phone = normal_phone(text);
    if (phone.size() == 10 && !phone.starts_with('+')) phone.insert(0, "+1");
    return phone;
}

/// The texts of an array, or nothing if it is not one of texts.
[[nodiscard]] inline std::optional<std::vector<std::string>> text_array(
    const boost::json::value& value) {
    auto const* array = value.if_array();
    if (!array) return std::nullopt;
    std::vector<std::string> texts;
    for (auto const& item : *array) {
        if (!item.is_string()) return std::nullopt;
        // A tag given twice is there once.
        std::string text(item.get_string());
        if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
    }
    return texts;
}

// Copies what the body says into the contact; answers 422 and returns false if it makes no sense.
inline bool api::apply_fields(context& c, contact& target) const {
    auto const* object = c.body.if_object();
    if (!object) return true;
    std::vector<std::string> messages;
    for (auto const& [key, value] : *object) {
        std::string_view const name(key);
        auto const field = std::ranges::find(written_contact_members, name, &contact_field::name);
        if (field != written_contact_members.end()) {
            if (value.is_null()) {
                (target.*(field->member)).clear();
            } else if (!value.is_string()) {
                messages.push_back(std::string(name) + " must be a string");
            } else {
                target.*(field->member) = value.get_string();
            }
        } else if (name == "name" && value.is_string()) {
            std::string_view const full(value.get_string());
            auto const space = std::min(full.find(' '), full.size());
            target.first_name = full.substr(0, space);
            target.last_name = full.substr(std::min(space + 1, full.size()));
        } else if (name == "dnd") {
            if (value.is_bool()) {
                target.dnd = value.get_bool();
            } else {
                messages.emplace_back("dnd must be a boolean value");
            }
        } else if (name == "tags") {
            if (auto tags = text_array(value)) {
                target.tags = std::move(*tags);
            } else {
                messages.emplace_back("each value in tags must be a string");
            }
        } else if (name == "dndSettings" && value.is_object()) {
            target.dnd_settings = boost::json::serialize(value);
        } else if (name == "inboundDndSettings" && value.is_object()) {
            target.inbound_dnd_settings = boost::json::serialize(value);
        } else if (name == "customFields") {
            auto const* array = value.if_array();
            if (!array) {
                messages.emplace_back("customFields must be an array");
                continue;
            }
            for (auto const& item : *array) {
                auto const* custom = item.if_object();
                auto const text = [&](const char* member) -> std::string {
                    auto const* v = custom ? custom->if_contains(member) : nullptr;
                    return v && v->is_string() ? std::string(v->get_string()) : std::string();
                };
                auto id = text("id");
                for (std::size_t i = 0; id.empty() && i < custom_field_kinds.size(); ++i) {
                    auto const wanted = text("key");
                    auto const known = custom_field_kinds[i].key;
                    if (wanted == known || "contact." + wanted == known)
                        id = custom_field_id(c.place->seed(), c.place->ordinal(), i);
                }
                auto const* written = custom ? custom->if_contains("field_value") : nullptr;
                if (!written && custom) written = custom->if_contains("value");
                if (id.empty()) {
                    messages.emplace_back("each value in customFields must have an id or a key");
                    continue;
                }
                std::erase_if(target.custom_fields, [&](auto const& f) { return f.id == id; });
                if (written && !written->is_null())
                    target.custom_fields.emplace_back(id, boost::json::serialize(*written));
            }
        }
    }
    target.phone = international_phone(target.phone);
    if (!target.email.empty()) {
        auto const at = target.email.find('@');
        if (at == 0 || at == std::string::npos || target.email.find('.', at) == std::string::npos)
            messages.emplace_back("email must be an email");
    }
    if (messages.empty()) return true;
    fail(c, 422, messages);
    return false;
}

// Whether another contact has the candidate's address or number already; answers 400 if so.
inline bool api::find_conflict(
    context& c, const contact& candidate, std::optional<std::uint32_t> self) const {
    if (!candidate.email.empty()) {
        auto const other = c.place->find_email(candidate.email);
        if (other && other != self) {
            duplicate(c, *other, "email");
            return true;
        }
    }
    if (!candidate.phone.empty()) {
        auto const other = c.place->find_phone(candidate.phone);
        if (other && other != self) {
            duplicate(c, *other, "phone");
            return true;
        }
    }
    return false;
}

inline void api::duplicate(context& c, std::uint32_t ordinal, std::string_view field) const {
    contact scratch;
    auto const& existing = c.place->load(*c.place->find(ordinal), scratch);
    c.out.status = 400;
    json_writer out(c.out.body);
    out.begin_object();
    out.member("statusCode", 400);
    out.member("message", "This location does not allow duplicated contacts.");
    out.key("meta").begin_object();
    out.member("contactName", existing.full_name());
    out.member("contactId", existing.id);
    out.member("matchingField", field);
    out.end_object();
    write_trace(c, out);
    out.end_object();
}

// `flag` is the boolean beside the contact; none when empty.
inline void api::answer_contact(
    context& c, unsigned status, const contact& record, std::string_view flag, bool set) const {
    c.out.status = status;
    json_writer out(c.out.body);
    out.begin_object();
    if (!flag.empty()) out.member(flag, set);
    out.key("contact");
    write_contact(out, record);
    write_trace(c, out);
    out.end_object();
}

inline void api::create_contact(context& c) {
    if (c.location_id.empty()) {
        // The live API contradicts itself here: the body says 422, the status line 400.
        unprocessable(c, "locationId should not be empty");
        c.out.status = 400;
        return;
    }
    if (!check_body(c, created_contact_members)) return;
    contact candidate;
    if (!apply_fields(c, candidate) || find_conflict(c, candidate, std::nullopt)) return;
    auto const& added = c.place->add(std::move(candidate), c.date);
    tell("ContactCreate", *added.own);
    answer_contact(c, 201, *added.own, {}, false);
}

inline void api::upsert_contact(context& c) {
    if (c.location_id.empty()) return unprocessable(c, "locationId should not be empty");
    constexpr auto known = [] {
        std::array<std::string_view, created_contact_members.size() + 1> names{};
        std::ranges::copy(created_contact_members, names.begin());
        names.back() = "createNewIfDuplicateAllowed";
        return names;
    }();
    if (!check_body(c, known)) return;
    contact candidate;
    if (!apply_fields(c, candidate)) return;
    std::optional<std::uint32_t> found;
    if (!candidate.email.empty()) found = c.place->find_email(candidate.email);
    if (!found && !candidate.phone.empty()) found = c.place->find_phone(candidate.phone);
    if (!found) {
        auto const& added = c.place->add(std::move(candidate), c.date);
        tell("ContactCreate", *added.own);
        return answer_contact(c, 201, *added.own, "new", true);
    }
    contact scratch;
    auto merged = c.place->load(*c.place->find(*found), scratch);
    if (!apply_fields(c, merged) || find_conflict(c, merged, found)) return;
    auto const& record =
        c.place->update(*found, c.date, [&](contact& kept) { kept = std::move(merged); });
    tell("ContactUpdate", record);
    answer_contact(c, 200, record, "new", false);
}

inline void api::get_contact(context& c) {
    auto const* found = c.place ? c.place->find(*c.contact_ordinal) : nullptr;
    if (!found) return fail(c, 400, "Contact not found for id:" + std::string(c.segments[1]));
    contact scratch;
    answer_contact(c, 200, c.place->load(*found, scratch), {}, false);
}

inline void api::update_contact(context& c) {
    auto const* found = c.place ? c.place->find(*c.contact_ordinal) : nullptr;
    if (!found) return fail(c, 400, "Contact not found for id:" + std::string(c.segments[1]));
    if (!check_body(c, updated_contact_members)) return;
    contact scratch;
    auto merged = c.place->load(*found, scratch);
    if (!apply_fields(c, merged) || find_conflict(c, merged, c.contact_ordinal)) return;
    auto const& record = c.place->update(
        *c.contact_ordinal, c.date, [&](contact& kept) { kept = std::move(merged); });
    tell("ContactUpdate", record);
    answer_contact(c, 200, record, "succeded", true);
}

inline void api::delete_contact(context& c) {
    auto const* found = c.place ? c.place->find(*c.contact_ordinal) : nullptr;
    if (!found) return fail(c, 400, "Contact not found for id:" + std::string(c.segments[1]));
    if (options_.on_change) {
        contact scratch;
        tell("ContactDelete", c.place->load(*found, scratch));
    }
    c.place->erase(*c.contact_ordinal, c.date);
    json_writer out(c.out.body);
    out.begin_object().member("succeded", true);
    write_trace(c, out);
    out.end_object();
}

inline void api::add_tags(context& c) {
    constexpr std::array<std::string_view, 1> known{"tags"};
    auto const* found = c.place ? c.place->find(*c.contact_ordinal) : nullptr;
    if (!found) return fail(c, 400, "Contact not found for id:" + std::string(c.segments[1]));
    if (!check_body(c, known)) return;
    auto const* object = c.body.if_object();
    auto const* given = object ? object->if_contains("tags") : nullptr;
    auto const tags = given ? text_array(*given) : std::nullopt;
    if (!tags) return unprocessable(c, "each value in tags must be a string");
    std::vector<std::string> added;
    auto const& record = c.place->update(*c.contact_ordinal, c.date, [&](contact& kept) {
        for (auto const& tag : *tags) {
            if (std::ranges::find(kept.tags, tag) != kept.tags.end()) continue;
            kept.tags.push_back(tag);
            added.push_back(tag);
        }
    });
    if (!added.empty()) tell("ContactTagUpdate", record);
    c.out.status = 201;
    json_writer out(c.out.body);
    out.begin_object().strings("tags", record.tags).strings("tagsAdded", added);
    write_trace(c, out);
    out.end_object();
}

inline void api::remove_tags(context& c) {
    constexpr std::array<std::string_view, 1> known{"tags"};
    auto const* found = c.place ? c.place->find(*c.contact_ordinal) : nullptr;
    if (!found) return fail(c, 400, "Contact not found for id:" + std::string(c.segments[1]));
    if (!check_body(c, known)) return;
    auto const* object = c.body.if_object();
    auto const* given = object ? object->if_contains("tags") : nullptr;
    auto const tags = given ? text_array(*given) : std::nullopt;
    if (!tags) return unprocessable(c, "each value in tags must be a string");
    std::vector<std::string> removed;
    auto const& record = c.place->update(*c.contact_ordinal, c.date, [&](contact& kept) {
        for (auto const& tag : *tags)
            if (std::erase(kept.tags, tag) > 0) removed.push_back(tag);
    });
    if (!removed.empty()) tell("ContactTagUpdate", record);
    json_writer out(c.out.body);
    out.begin_object().strings("tags", record.tags).strings("tagsRemoved", removed);
    write_trace(c, out);
    out.end_object();
}

inline void api::find_duplicate(context& c) {
    auto const* email = c.parameter("email");
    auto const* number = c.parameter("number");
    std::optional<std::uint32_t> found;
    if (email) found = c.place->find_email(*email);
    if (!found && number) found = c.place->find_phone(international_phone(*number));
    json_writer out(c.out.body);
    out.begin_object().key("contact");
    if (found) {
        contact scratch;
        write_contact(out, c.place->load(*c.place->find(*found), scratch));
    } else {
        out.null();
    }
    write_trace(c, out);
    out.end_object();
}

inline void api::list_contacts(context& c) {
    constexpr std::uint64_t most = 100;
    std::uint64_t limit = 20;
    auto const number = [](const std::string& text) -> std::optional<std::uint64_t> {
        std::uint64_t n = 0;
        auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
        if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
        return n;
    };
    if (auto const* text = c.parameter("limit")) {
        auto const given = number(*text);
        if (!given || *given == 0) return unprocessable(c, "limit must be a positive number");
        if (*given > most)
            return fail(c, 400, std::array{std::string("limit must not be greater than 100")});
        limit = *given;
    }
    auto before = std::numeric_limits<std::uint32_t>::max();
    auto const* after = c.parameter("startAfter");
    auto const* after_id = c.parameter("startAfterId");
    // One without the other repeats the first page, as the live API does.
    if (after && after_id) {
        auto const key = store_.find_contact(*after_id);
        if (!number(*after) || !key || key->first != c.place)
            return fail(c, 400, "startAfter or startAfterId is invalid");
        before = key->second;
    }
    auto const* query = c.parameter("query");
    auto const wanted = query ? lower_case(*query) : std::string();

    json_writer out(c.out.body);
    out.begin_object().key("contacts").begin_array();
    std::uint64_t count = 0;
    std::uint64_t passed = 0;
    std::string last_id;
    timestamp last_added;
    std::uint64_t total = query ? 0 : c.place->indexed_count(c.date);
    auto const all = std::numeric_limits<std::uint32_t>::max();
    // With a query the total has to be counted, so the walk ends at the oldest; else after the
    // page.
    c.place->visit_indexed(all, c.date, [&](std::uint32_t ordinal, timestamp added, auto load) {
        if (query) {
            if (!matches_query(load(), wanted)) return true;
            ++total;
        }
        if (ordinal >= before) {
            ++passed;
            return true;
        }
        if (count == limit) return true;
        auto const& record = load();
        write_listed_contact(out, record);
        ++count;
        last_id = record.id;
        last_added = added;
        return query != nullptr || count < limit;
    });
    out.end_array();
    out.key("meta").begin_object();
    out.member("total", total);
    if (count > 0) {
        auto const ms = std::to_string(milliseconds_of(last_added));
        // The cursor is there on the last page too; a short page is the end.
        out.key("nextPageUrl");
        if (count == limit) {
            out.value(
                "https://services.leadconnectorhq.com/contacts/?locationId=" + c.place->id() +
                "&limit=" + std::to_string(limit) + "&startAfter=" + ms +
                "&startAfterId=" + last_id);
        } else {
            out.null();
        }
        out.member("startAfterId", last_id);
        out.key("startAfter").raw(ms);
    } else {
        out.key("nextPageUrl").null();
    }
    auto const page = passed / limit + 1;
    out.member("currentPage", page);
    for (auto [name, there, number_of] :
         {std::tuple{"nextPage", count == limit, page + 1}, {"prevPage", page > 1, page - 1}}) {
        out.key(name);
        there ? out.value(number_of) : out.null();
    }
    out.end_object();
    out.member("count", total);
    write_trace(c, out);
    out.end_object();
}

inline void api::search_contacts(context& c) {
    constexpr std::array<std::string_view, 7> known{
        "locationId", "page", "pageLimit", "searchAfter", "filters", "query", "sort"};
    constexpr std::uint64_t deepest = 10'000;
    constexpr std::uint64_t largest_page = 500;
    auto const* body = c.body.if_object();
    std::vector<std::string> messages;
    auto const member = [&](const char* name) -> const boost::json::value* {
        auto const* value = body ? body->if_contains(name) : nullptr;
        return value && !value->is_null() ? value : nullptr;
    };
    auto const number = [&](const char* name) -> std::optional<std::uint64_t> {
        auto const* value = member(name);
        if (!value) return std::nullopt;
        boost::system::error_code ec;
        auto const n = value->to_number<std::uint64_t>(ec);
        if (ec || n == 0) {
            messages.push_back(std::string(name) + " must be a positive number");
            return std::nullopt;
        }
        return n;
    };
    if (c.location_id.empty()) messages.emplace_back("locationId must be a string");
    auto const limit = number("pageLimit");
    if (!member("pageLimit")) messages.emplace_back("pageLimit must be a number");
    auto const page = number("page").value_or(1);
    std::vector<contact_filter> conditions;
    if (auto const* filters = member("filters")) {
        std::string problem;
        auto const* array = filters->if_array();
        if (!array) messages.emplace_back("filters must be an array");
        for (std::size_t i = 0; array && i < array->size(); ++i) {
            auto parsed = contact_filter::parse((*array)[i], problem);
            if (parsed) {
                conditions.push_back(std::move(*parsed));
            } else {
                messages.push_back(problem);
            }
        }
    }
    std::string order = "dateAdded";
    bool ascending = false;
    if (auto const* sort = member("sort")) {
        auto const* array = sort->if_array();
        auto const* first = array && !array->empty() ? (*array)[0].if_object() : nullptr;
        auto const* field = first ? first->if_contains("field") : nullptr;
        auto const* direction = first ? first->if_contains("direction") : nullptr;
        if (array && array->empty()) {
            // No order is the usual order.
        } else if (!field || !field->is_string() || !field_values(contact(), field->get_string())) {
            messages.emplace_back("Invalid sort field");
        } else {
            order = field->get_string();
            ascending = direction && direction->is_string() && direction->get_string() == "asc";
        }
    }
    auto const* after = member("searchAfter");
    auto const* cursor = after ? after->if_array() : nullptr;
    if (after && !cursor) messages.emplace_back("searchAfter must be an array");
    if (!check_body(c, known)) return;
    if (!messages.empty()) return fail(c, 422, messages);
    if (*limit > largest_page)
        return fail(c, 400, std::array{std::string("pageLimit must not be greater than 500")});
    auto const continued = cursor && !cursor->empty();
    if (!continued && (page > deepest || page * *limit > deepest))
        return fail(c, 400, "Only the first 10000 records can be paged to; use searchAfter");

    std::optional<std::uint32_t> cursor_ordinal;
    if (continued) {
        auto const* id = cursor->size() == 2 ? (*cursor)[1].if_string() : nullptr;
        auto const key = id ? store_.find_contact(*id) : std::nullopt;
        if (!key || key->first != c.place) return fail(c, 400, "searchAfter is invalid");
        cursor_ordinal = key->second;
    }
    auto const* query_value = member("query");
    auto const query = query_value && query_value->is_string()
        ? lower_case(query_value->get_string())
        : std::string();
    auto const filter = contact_filter::all_of(std::move(conditions));
    auto const filtered = !query.empty() ||
        (member("filters") && body->at("filters").is_array() &&
         !body->at("filters").get_array().empty());
    auto const fits = [&](const contact& record) {
        return (query.empty() || matches_query(record, query)) && filter.matches(record);
    };
    auto const skip = continued ? 0 : (page - 1) * *limit;
    auto const all = std::numeric_limits<std::uint32_t>::max();
    std::uint64_t total = filtered ? 0 : c.place->indexed_count(c.date);
    std::uint64_t count = 0;

    json_writer out(c.out.body);
    out.begin_object().key("contacts").begin_array();
    if (order == "dateAdded" && !ascending) {
        // Newest first is the order of the store, so a page is a walk over its neighbours.
        auto const before = cursor_ordinal.value_or(all);
        std::uint64_t passed = 0;
        c.place->visit_indexed(
            filtered ? all : before, c.date,
            [&](std::uint32_t ordinal, timestamp added, auto load) {
                if (filtered) {
                    if (!fits(load())) return true;
                    ++total;
                }
                if (ordinal >= before || passed++ < skip) return true;
                if (count == *limit) return filtered;
                auto const& record = load();
                write_found_contact(
                    out, record,
                    "[" + std::to_string(milliseconds_of(added)) + ",\"" + record.id + "\"]");
                ++count;
                return filtered || count < *limit;
            });
    } else {
        // Any other order: collect the keys, sort them, then load the page.
        using row = std::tuple<std::string, std::uint32_t, contact>;
        std::vector<row> rows;
        auto const numeric = is_date_field(order);
        auto const sort_key = [&](const contact& record) {
            auto const values = *field_values(record, order);
            auto key = values.empty() ? std::string() : values.front();
            if (numeric && key.size() < 20) key.insert(0, 20 - key.size(), '0');
            return key;
        };
        std::optional<std::string> cursor_key;
        c.place->visit_indexed(all, c.date, [&](std::uint32_t ordinal, timestamp, auto load) {
            auto const& record = load();
            if (!fits(record)) return true;
            if (filtered) ++total;
            rows.emplace_back(sort_key(record), ordinal, record);
            return true;
        });
        if (continued) {
            auto key = scalar_text((*cursor)[0]).value_or("");
            if (numeric && key.size() < 20) key.insert(0, 20 - key.size(), '0');
            cursor_key = std::move(key);
        }
        auto const less = [&](const auto& a, const auto& b) {
            if (std::get<0>(a) != std::get<0>(b))
                return ascending ? std::get<0>(a) < std::get<0>(b)
                                 : std::get<0>(a) > std::get<0>(b);
            return std::get<1>(a) > std::get<1>(b);
        };
        std::ranges::sort(rows, less);
        auto position = rows.begin();
        if (continued)
            position = std::upper_bound(
                rows.begin(), rows.end(), row(*cursor_key, *cursor_ordinal, contact()), less);
        position += static_cast<std::ptrdiff_t>(
            std::min<std::uint64_t>(skip, static_cast<std::uint64_t>(rows.end() - position)));
        for (; position != rows.end() && count < *limit; ++position, ++count) {
            auto const& [key, ordinal, record] = *position;
            std::string value;
            json_writer writer(value);
            writer.begin_array();
            auto const digits = key.find_first_not_of('0');
            if (numeric) {
                writer.raw(digits == std::string::npos ? "0" : key.substr(digits));
            } else {
                writer.value(key);
            }
            writer.value(record.id).end_array();
            write_found_contact(out, record, value);
        }
    }
    out.end_array();
    out.member("total", total);
    write_trace(c, out);
    out.end_object();
}

} // namespace highlevel::sandbox::detail

// SPDX-License-Identifier: BSL-1.0
//
// Made-up data: ids, people and places computed from a seed and two ordinals. An untouched contact
// needs no memory, since it can be made again, and its id tells where it belongs without an index.
#pragma once

#include <highlevel/sandbox/contact.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::sandbox::detail {

/// Finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection that scatters well.
[[nodiscard]] constexpr std::uint64_t scatter(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/// A number that follows from a text and, unlike std::hash, does so with every standard library
/// (64-bit FNV-1a).
[[nodiscard]] constexpr std::uint64_t text_seed(std::string_view text) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (auto c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    return hash;
}

/// A small deterministic source of numbers.
class dice {
public:
    explicit constexpr dice(std::uint64_t seed) noexcept : state_(seed) {}

    constexpr std::uint64_t next() noexcept { return scatter(state_++); }
    /// Evenly from 0 to bound - 1.
    constexpr std::size_t below(std::size_t bound) noexcept {
        return static_cast<std::size_t>(next() % bound);
    }
    template <class Range>
    constexpr const auto& pick(const Range& range) noexcept {
        return range[below(std::size(range))];
    }

private:
    std::uint64_t state_;
};

inline constexpr std::string_view id_alphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Twenty letters and digits that look like an id of the API and stand for nothing.
[[nodiscard]] inline std::string made_up_id(std::uint64_t seed) {
    dice d(scatter(seed));
    std::string id(20, ' ');
    for (auto& c : id)
        c = d.pick(id_alphabet);
    return id;
}

/// A token that looks like a Private Integration token.
[[nodiscard]] inline std::string made_up_token(std::uint64_t seed) {
    constexpr std::string_view digits = "0123456789abcdef";
    dice d(seed);
    std::string token = "pit-xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
    for (auto& c : token)
        if (c == 'x') c = d.pick(digits);
    return token;
}

/// Where a contact belongs: the ordinal of its location, and its own within the location.
class contact_key {
public:
    constexpr contact_key() noexcept = default;
    constexpr contact_key(std::uint32_t l, std::uint32_t o) noexcept : location(l), ordinal(o) {}

    std::uint32_t location = 0;
    std::uint32_t ordinal = 0;
};

/// Turns contact keys into ids of twenty letters and digits and back: 64 bits through an invertible
/// Feistel network, written in base 62, then a checksum that tells ids of this seed from others.
class id_codec {
public:
    explicit constexpr id_codec(std::uint64_t seed) noexcept : seed_(scatter(seed)) {}

    [[nodiscard]] std::string encode(contact_key key) const {
        auto left = key.location;
        auto right = key.ordinal;
        for (std::uint32_t round = 0; round < rounds; ++round) {
            auto const next = left ^ mix(right, round);
            left = right;
            right = next;
        }
        auto const code = (std::uint64_t{left} << 32) | right;
        std::string id(20, '0');
        put(id, 0, code_length, code);
        put(id, code_length, 20 - code_length, checksum(code));
        return id;
    }

    [[nodiscard]] std::optional<contact_key> decode(std::string_view id) const {
        if (id.size() != 20) return std::nullopt;
        std::uint64_t code = 0;
        for (auto c : id.substr(0, code_length)) {
            auto const digit = id_alphabet.find(c);
            if (digit == std::string_view::npos) return std::nullopt;
            code = code * 62 + digit;
        }
        auto left = static_cast<std::uint32_t>(code >> 32);
        auto right = static_cast<std::uint32_t>(code);
        for (auto round = rounds; round-- > 0;) {
            auto const previous = right ^ mix(left, round);
            right = left;
            left = previous;
        }
        contact_key const key(left, right);
        if (encode(key) != id) return std::nullopt;
        return key;
    }

private:
    static constexpr std::uint32_t rounds = 4;
    static constexpr std::size_t code_length = 11; // 62^11 > 2^64

    [[nodiscard]] constexpr std::uint32_t mix(
        std::uint32_t half, std::uint32_t round) const noexcept {
        return static_cast<std::uint32_t>(scatter(seed_ ^ (std::uint64_t{round} << 32) ^ half));
    }
    [[nodiscard]] constexpr std::uint64_t checksum(std::uint64_t code) const noexcept {
        return scatter(code ^ ~seed_) >> 12; // below 62^9
    }
    static void put(std::string& id, std::size_t at, std::size_t width, std::uint64_t number) {
        for (auto i = width; i-- > 0; number /= 62)
            id[at + i] = id_alphabet[number % 62];
    }

    std::uint64_t seed_;
};

/// A town with what goes with it.
class town {
public:
    std::string_view city;
    std::string_view state;
    std::string_view postal_code;
    std::string_view timezone;
};

inline constexpr std::array towns{
    town{"Birmingham", "AL", "35203", "America/Chicago"},
    town{"Phoenix", "AZ", "85004", "America/Phoenix"},
    town{"Sacramento", "CA", "95814", "America/Los_Angeles"},
    town{"Denver", "CO", "80202", "America/Denver"},
    town{"Hartford", "CT", "06103", "America/New_York"},
    town{"Tampa", "FL", "33602", "America/New_York"},
    town{"Savannah", "GA", "31401", "America/New_York"},
    town{"Boise", "ID", "83702", "America/Boise"},
    town{"Peoria", "IL", "61602", "America/Chicago"},
    town{"Louisville", "KY", "40202", "America/Kentucky/Louisville"},
    town{"Boston", "MA", "02108", "America/New_York"},
    town{"Duluth", "MN", "55802", "America/Chicago"},
    town{"Santa Fe", "NM", "87501", "America/Denver"},
    town{"Ithaca", "NY", "14850", "America/New_York"},
    town{"Portland", "OR", "97204", "America/Los_Angeles"},
    town{"Austin", "TX", "78701", "America/Chicago"},
};

inline constexpr std::array<std::string_view, 48> first_names{
    "Ada",    "Alan",   "Amara",  "Anders",  "Barbara",  "Bjarne", "Carla",  "Chidi",
    "Claude", "Dana",   "Dennis", "Donald",  "Edsger",   "Elena",  "Farid",  "Frances",
    "Grace",  "Hana",   "Hedy",   "Ibrahim", "Ingrid",   "Jaime",  "Joan",   "Kai",
    "Karen",  "Leslie", "Lin",    "Lucía",   "Margaret", "Mateo",  "Maya",   "Niklaus",
    "Noor",   "Olga",   "Omar",   "Priya",   "Radia",    "Rosa",   "Sanjay", "Shafi",
    "Sofia",  "Tariq",  "Tim",    "Ulla",    "Vera",     "Wei",    "Yusuf",  "Zoë"};

inline constexpr std::array<std::string_view, 48> last_names{
    "Abara",    "Allen",    "Bartik",  "Berg",     "Castillo", "Chen",     "Dahl",     "Diaz",
    "Dijkstra", "Eze",      "Fischer", "Franklin", "Garcia",   "Goldberg", "Hamilton", "Haddad",
    "Hopper",   "Iyer",     "Jensen",  "Johnson",  "Kaur",     "Keller",   "Lamarr",   "Lamport",
    "Liskov",   "Lovelace", "Meyer",   "Moreau",   "Nakamura", "Nguyen",   "Novak",    "Okafor",
    "Olsen",    "Patel",    "Perlman", "Quist",    "Ramos",    "Ritchie",  "Rossi",    "Sato",
    "Silva",    "Turing",   "Ueda",    "Vargas",   "Weber",    "Wirth",    "Yilmaz",   "Zhang"};

inline constexpr std::array<std::string_view, 12> tag_names{
    "customer", "newsletter", "vip",      "trial",   "webinar",   "no show",
    "referral", "cold lead",  "hot lead", "partner", "follow up", "newsletter-2024"};

inline constexpr std::array<std::string_view, 8> source_names{
    "public api", "website form", "facebook lead", "csv import",
    "calendar",   "chat widget",  "phone call",    "survey"};

inline constexpr std::array<std::string_view, 12> trade_names{
    "Dental Studio", "Roofing",      "Yoga Loft", "Auto Repair", "Law Group", "Bakery",
    "Landscaping",   "Chiropractic", "Realty",    "Fitness",     "Med Spa",   "Plumbing"};

/// A custom field that every location has.
class custom_field_kind {
public:
    std::string_view name;
    std::string_view key;
    std::string_view data_type;
    std::string_view options; ///< as a JSON array, empty for none
};

inline constexpr std::array custom_field_kinds{
    custom_field_kind{"Favourite colour", "contact.favourite_colour", "TEXT", ""},
    custom_field_kind{"Lifetime value", "contact.lifetime_value", "MONETORY", ""},
    custom_field_kind{"Plan", "contact.plan", "SINGLE_OPTIONS", R"(["Basic","Plus","Premium"])"},
    custom_field_kind{
        "Interests", "contact.interests", "MULTIPLE_OPTIONS",
        R"(["Email","Calendars","Payments","Websites"])"},
};

/// The id of a location's custom field.
[[nodiscard]] inline std::string custom_field_id(
    std::uint64_t seed, std::uint32_t location, std::size_t field) {
    return made_up_id(scatter(seed ^ 0xcf) ^ scatter(location) ^ field);
}

/// When the contact of that ordinal, one of so many, was added: spread over two years and a half of
/// the past, never earlier than a smaller ordinal.
[[nodiscard]] inline timestamp synthetic_date_added(
    std::uint64_t seed, contact_key key, std::size_t of) noexcept {
    using namespace std::chrono;
    constexpr timestamp first = sys_days(year(2023) / January / 9);
    constexpr timestamp last = sys_days(year(2025) / June / 30);
    auto const step = (last - first).count() / static_cast<std::int64_t>(of + 1);
    auto const width = step < 1 ? 1 : step;
    dice d(scatter(seed) ^ scatter((std::uint64_t{key.location} << 32) | key.ordinal));
    return first +
        milliseconds(
               step * key.ordinal +
               static_cast<std::int64_t>(d.below(static_cast<std::size_t>(width))));
}

/// Lower-case ASCII of a made-up name, for e-mail addresses.
[[nodiscard]] inline std::string plain_ascii(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        auto const c = static_cast<unsigned char>(name[i]);
        if (c == 0xc3 && i + 1 < name.size()) { // é í ö ë and their like
            auto const second = static_cast<unsigned char>(name[++i]);
            out += second >= 0xac && second <= 0xaf ? 'i' : second >= 0xb2 ? 'o' : 'e';
        } else if (c >= 'A' && c <= 'Z') {
            out += static_cast<char>(c - 'A' + 'a');
        } else if (c != ' ' && c < 0x80) {
            out += static_cast<char>(c);
        }
    }
    return out;
}

/// Makes up one contact: always the same for the same seed and key. `added` is its date.
[[nodiscard]] inline contact synthetic_contact(
    std::uint64_t seed,
    const id_codec& codec,
    contact_key key,
    std::string_view location_id,
    timestamp added) {
    dice d(scatter(seed ^ 0x70) ^ scatter((std::uint64_t{key.location} << 32) | key.ordinal));
    auto const number = std::to_string(key.ordinal);
    contact c;
    c.id = codec.encode(key);
    c.location_id = location_id;
    c.first_name = d.pick(first_names);
    c.last_name = d.pick(last_names);
    // The ordinal makes address and number unique within the location.
    c.email = plain_ascii(c.first_name) + '.' + plain_ascii(c.last_name) + number + "@example.com";
    auto const digits = std::to_string((std::uint64_t{key.ordinal} * 7919 + 1234567) % 10'000'000);
    c.phone = "+1555" + std::string(7 - digits.size(), '0') + digits;
    auto const& place = d.pick(towns);
    c.address1 =
        std::to_string(d.below(9800) + 100) + ' ' + std::string(d.pick(last_names)) + " St";
    c.city = place.city;
    c.state = place.state;
    c.country = "US";
    c.postal_code = place.postal_code;
    c.timezone = place.timezone;
    c.source = d.pick(source_names);
    if (d.below(4) == 0)
        c.company_name = std::string(d.pick(last_names)) + ' ' + std::string(d.pick(trade_names));
    if (d.below(3) == 0) {
        auto const two = [](std::size_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
        c.date_of_birth = std::to_string(1950 + d.below(55)) + '-' + two(1 + d.below(12)) + '-' +
            two(1 + d.below(28));
    }
    if (d.below(5) == 0) c.type = "customer";
    c.dnd = d.below(20) == 0;
    auto const tags = d.below(4);
    for (std::size_t i = 0, tag = d.below(tag_names.size()); i < tags; ++i, tag += 5)
        c.tags.emplace_back(tag_names[tag % tag_names.size()]);
    if (d.below(2) == 0)
        c.custom_fields.emplace_back(custom_field_id(seed, key.location, 0), R"("teal")");
    if (d.below(2) == 0)
        c.custom_fields.emplace_back(
            custom_field_id(seed, key.location, 1), std::to_string(d.below(90'000)));
    if (d.below(3) == 0)
        c.custom_fields.emplace_back(
            custom_field_id(seed, key.location, 3), R"(["Email","Payments"])");
    c.date_added = added;
    c.date_updated = added + std::chrono::minutes(d.below(60 * 24 * 90));
    return c;
}

} // namespace highlevel::sandbox::detail

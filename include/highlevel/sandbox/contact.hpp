// SPDX-License-Identifier: BSL-1.0
//
// A contact as the sandbox stores it; tests fill a location with these and look at them afterwards.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// Milliseconds since 1970-01-01T00:00:00Z.
using timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// The value of one custom field of a contact.
class custom_field_value {
public:
    custom_field_value() = default;
    custom_field_value(std::string i, std::string j) : id(std::move(i)), json(std::move(j)) {}

    std::string id;
    /// The value as JSON text, for example "\"red\"" or "[1,2]".
    std::string json;
};

/// A contact. Empty text means that the contact does not have that field.
class contact {
public:
    contact() = default;

    std::string id;          ///< 20 letters and digits
    std::string location_id; ///< set by the store
    std::string first_name;
    std::string last_name;
    std::string email;
    std::string phone; ///< with country code, "+15550000001"
    std::string company_name;
    std::string address1;
    std::string city;
    std::string state;
    std::string country;
    std::string postal_code;
    std::string website;
    std::string timezone;
    std::string source;
    std::string type = "lead";
    std::string gender;
    std::string date_of_birth; ///< YYYY-MM-DD
    std::string assigned_to;
    std::string business_id;
    bool dnd = false;
    std::string dnd_settings;         ///< as JSON text
    std::string inbound_dnd_settings; ///< as JSON text
    std::vector<std::string> tags;
    std::vector<std::string> followers;
    std::vector<custom_field_value> custom_fields;
    std::optional<timestamp> date_added;
    std::optional<timestamp> date_updated;

    /// First and last name with a space between.
    [[nodiscard]] std::string full_name() const {
        if (first_name.empty()) return last_name;
        if (last_name.empty()) return first_name;
        return first_name + ' ' + last_name;
    }
};

} // namespace highlevel::sandbox

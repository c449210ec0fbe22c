// SPDX-License-Identifier: BSL-1.0
//
// A page of contacts as the list endpoint answers it, made up and about as long as a live one.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace page {

/// One contact record with 26 members.
inline std::string contact(std::size_t n) {
    static constexpr std::array first{"Ada", "Grace", "Edsger", "Barbara", "Donald"};
    static constexpr std::array last{"Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth"};
    auto const number = std::to_string(n);
    std::string const name = first[n % 5];
    std::string const family = last[n / 5 % 5];
    return R"({"id":"ocQHyuzHvysMo5N5V)" + std::to_string(100 + n) +
        R"(","locationId":"ve9EPM428h8vShlRW1KT","contactName":")" + name + ' ' + family +
        R"(","firstName":")" + name + R"(","lastName":")" + family + R"(","firstNameRaw":")" +
        name + R"(","lastNameRaw":")" + family + R"(","email":"contact)" + number +
        R"(@example.com","phone":"+155501)" + std::to_string(10000 + n) +
        R"(","companyName":"Analytical Engines Ltd","type":"lead","source":"public api",)"
        R"("assignedTo":"Wx3BvT0Jk2ZP7yQhL5dn","address1":"12 St James's Square, London",)"
        R"("city":"London","state":"England","postalCode":"SW1Y 4JH","country":"GB",)"
        R"("website":"https://example.com/people/)" +
        number +
        R"(","timezone":"Europe/London","dnd":false,"tags":["vip","imported","newsletter"],)"
        R"("dateAdded":"2025-06-15T15:10:00.000Z","dateUpdated":"2026-01-09T08:22:41.512Z",)"
        R"("dateOfBirth":"1815-12-10T00:00:00.000Z","businessId":"641c094001436dbc2081e642",)"
        R"("followers":["Wx3BvT0Jk2ZP7yQhL5dn"],"customFields":[)"
        R"({"id":"dWQgY1vT4pJmXa8Zq0Rs","value":"a text of the length that people write"},)"
        R"({"id":"hT2LkP9sVb6NcYe1Ga7u","value":"42"},)"
        R"({"id":"zR5xMw3FdJ8oUi4QnK6t","value":"second option"}],)"
        R"("attributions":[{"pageUrl":"https://example.com/landing/spring","utmSessionSource":)"
        R"("Direct traffic","isFirst":true,"medium":"form"}]})";
}

/// A page of `count` contacts.
inline std::string contacts(std::size_t count) {
    std::string text = R"({"contacts":[)";
    for (std::size_t i = 0; i < count; ++i)
        text.append(i == 0 ? "" : ",").append(contact(i));
    return text +
        R"(],"meta":{"total":4711,"nextPageUrl":"https://services.leadconnectorhq.com/contacts/)"
        R"(?locationId=ve9EPM428h8vShlRW1KT&limit=100&startAfter=1750000200000","startAfterId":)"
        R"("ocQHyuzHvysMo5N5V199","startAfter":1750000200000,"currentPage":1,"nextPage":2,)"
        R"("prevPage":null},"traceId":"3f0c5a52-7c6a-4b3e-9a62-0c7a3f1f6d11"})";
}

} // namespace page

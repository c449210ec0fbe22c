// SPDX-License-Identifier: BSL-1.0
//
// Writing the body of create_contact with 20 members: the library's codec against Boost.JSON with
// an object made by hand, as the same service would otherwise do it.

#include "../examples/support/command_line.hpp"
#include "support/measure.hpp"

#include <highlevel/json/encode.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace contacts = highlevel::v2::contacts;
namespace json = highlevel::json;
using steady = std::chrono::steady_clock;

namespace {

constexpr std::string_view usage = R"(Writes a create_contact body in two ways.

  encode [--rounds N] [--only highlevel|serialize] [--json] [--quick]

  --rounds N   rounds of 100 of each in turn (default: 2000)
  --only NAME  this one alone, as for callgrind
  --json       lines of JSON instead of a table
  --quick      ten rounds
)";

class arguments {
public:
    std::size_t rounds = 2000;
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
        a.rounds = 10;
    else
        return false;
    return true;
}

/// The body; a new one each time, as each call has its own.
std::string by_library() {
    contacts::types::create_contact_dto c;
    c.first_name = "Ada";
    c.last_name = "Lovelace";
    c.name = "Ada Lovelace";
    c.email = "ada@example.com";
    c.location_id = "ve9EPM428h8vShlRW1KT";
    c.gender = "female";
    c.phone = "+15550100";
    c.address1 = "12 St James's Square";
    c.city = "London";
    c.state = "England";
    c.postal_code = "SW1Y 4JH";
    c.website = "https://example.com";
    c.timezone = "Europe/London";
    c.dnd = false;
    c.tags = {"vip", "new"};
    c.source = "public api";
    c.date_of_birth = "1815-12-10";
    c.country = "GB";
    c.company_name = "Analytical Engines Ltd";
    c.assigned_to = "Wx3BvT0Jk2ZP7yQhL5dn";
    std::string out;
    if (!json::encode(c, out)) throw std::runtime_error{"it cannot be encoded"};
    return out;
}

std::string by_serialize() {
    boost::json::object c;
    c["firstName"] = "Ada";
    c["lastName"] = "Lovelace";
    c["name"] = "Ada Lovelace";
    c["email"] = "ada@example.com";
    c["locationId"] = "ve9EPM428h8vShlRW1KT";
    c["gender"] = "female";
    c["phone"] = "+15550100";
    c["address1"] = "12 St James's Square";
    c["city"] = "London";
    c["state"] = "England";
    c["postalCode"] = "SW1Y 4JH";
    c["website"] = "https://example.com";
    c["timezone"] = "Europe/London";
    c["dnd"] = false;
    c["tags"] = {"vip", "new"};
    c["source"] = "public api";
    c["dateOfBirth"] = "1815-12-10";
    c["country"] = "GB";
    c["companyName"] = "Analytical Engines Ltd";
    c["assignedTo"] = "Wx3BvT0Jk2ZP7yQhL5dn";
    return boost::json::serialize(c);
}

double median(std::vector<double> all) {
    std::sort(all.begin(), all.end());
    return all[all.size() / 2];
}

/// Nanoseconds of one of a hundred.
double time_of(std::string (*write)(), std::size_t expected) {
    constexpr int batch = 100;
    std::size_t size = 0;
    auto const begun = steady::now();
    for (int i = 0; i < batch; ++i)
        size += write().size();
    auto const took = std::chrono::duration<double, std::nano>(steady::now() - begun).count();
    if (size != batch * expected) throw std::runtime_error{"the two bodies differ in length"};
    return took / batch;
}

int run(const arguments& args) {
    if (!args.only.empty() && args.only != "highlevel" && args.only != "serialize")
        throw command_line::usage_error{"--only: highlevel or serialize"};
    auto const size = by_library().size();
    std::vector<double> library;
    std::vector<double> serialize;
    for (std::size_t i = 0; i < args.rounds; ++i) {
        if (args.only != "serialize") library.push_back(time_of(by_library, size));
        if (args.only != "highlevel") serialize.push_back(time_of(by_serialize, size));
    }
    auto const print = [&](std::string_view name, const std::vector<double>& all) {
        if (all.empty()) return;
        if (args.json)
            measure::record{}
                .add("program", std::string_view{"encode"})
                .add("mode", name)
                .add("nanoseconds", median(all))
                .add("bytes", std::uint64_t{size})
                .print();
        else
            std::printf(
                "%-10.*s %6.0f ns for %zu bytes\n", static_cast<int>(name.size()), name.data(),
                median(all), size);
    };
    print("highlevel", library);
    print("serialize", serialize);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("encode", usage, argc, argv, take, run);
}

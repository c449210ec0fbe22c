// SPDX-License-Identifier: BSL-1.0
//
// The text of the metrics, read by a strict parser of our own and, where it is installed, by
// Prometheus' promtool; and that the counts are right and bounded.

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/error.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/metrics.hpp>

#include <chrono>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace metrics_tests {

using highlevel::call_info;
using highlevel::errc;
using highlevel::metrics;
using namespace std::chrono_literals;

namespace {

class family {
public:
    std::string type;
    std::string unit;
    std::string help;
};

/// What a text of metrics says. Throws std::runtime_error where it breaks a rule of its format.
class exposition {
public:
    exposition(const std::string& text, bool open) : open_(open) {
        if (text.empty() || text.back() != '\n') fail("the last line does not end");
        std::istringstream in{text};
        for (std::string line; std::getline(in, line);) {
            line_ = line;
            if (ended_) fail("there is something behind the end");
            if (line.starts_with("# "))
                read_comment(std::string_view{line}.substr(2));
            else
                read_sample(line);
        }
        if (open_ && !ended_) fail("# EOF is missing");
        check_histograms();
    }

    /// The value of a sample, by its whole text before the value.
    [[nodiscard]] double at(const std::string& sample) const {
        auto const found = samples_.find(sample);
        if (found == samples_.end()) throw std::runtime_error{"no sample " + sample};
        return found->second;
    }
    [[nodiscard]] bool has(const std::string& sample) const { return samples_.contains(sample); }
    [[nodiscard]] const std::map<std::string, double>& samples() const { return samples_; }
    [[nodiscard]] const std::map<std::string, family>& families() const { return families_; }

private:
    [[noreturn]] void fail(std::string_view why) const {
        throw std::runtime_error{std::string{why} + ": " + line_};
    }

    static std::string word(std::string_view& text) {
        auto const end = std::min(text.find(' '), text.size());
        std::string out{text.substr(0, end)};
        text.remove_prefix(std::min(end + 1, text.size()));
        return out;
    }

    [[nodiscard]] static bool is_name(std::string_view text) {
        auto const letter = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        };
        if (text.empty() || !letter(text.front())) return false;
        for (char const c : text)
            if (!letter(c) && (c < '0' || c > '9')) return false;
        return true;
    }

    void read_comment(std::string_view text) {
        auto const what = word(text);
        if (what == "EOF") {
            if (!open_ || !text.empty()) fail("no end of this format");
            ended_ = true;
            return;
        }
        auto const name = word(text);
        if (!is_name(name)) fail("not a name");
        if (what == "HELP") {
            if (families_.contains(name)) fail("the family comes twice");
            current_ = name;
            families_[name].help = text;
            if (text.empty()) fail("no help");
            return;
        }
        if (name != current_) fail("of another family");
        if (what == "TYPE") {
            if (text != "counter" && text != "gauge" && text != "histogram") fail("no type");
            families_[name].type = text;
            bool const total = name.ends_with("_total");
            if (text == "counter" && total == open_) fail("_total in the wrong place");
        } else if (what == "UNIT") {
            if (!open_ || !name.ends_with("_" + std::string{text})) fail("not its unit");
            families_[name].unit = text;
        } else {
            fail("no comment of the format");
        }
    }

    void read_sample(std::string_view text) {
        auto const end = text.find_first_of("{ ");
        if (end == text.npos) fail("no value");
        auto const name = std::string{text.substr(0, end)};
        auto const rest = read_labels(text, end);
        if (rest >= text.size() || text[rest] != ' ') fail("no blank before the value");
        auto const& f = families_.at(current_);
        auto suffix = name.starts_with(current_) ? name.substr(current_.size()) : "wrong";
        bool const fits = f.type == "histogram"
            ? suffix == "_bucket" || suffix == "_sum" || suffix == "_count"
            : suffix == (f.type == "counter" && open_ ? "_total" : "");
        if (!fits) fail("not a sample of " + current_);
        std::string const number{text.substr(rest + 1)};
        std::size_t used = 0;
        double const value = std::stod(number, &used);
        if (used != number.size()) fail("not a number");
        if (f.type != "gauge" && value < 0) fail("negative");
        if (!samples_.emplace(std::string{text.substr(0, rest)}, value).second)
            fail("the sample comes twice");
        if (suffix == "_bucket" || suffix == "_count") note_bucket(suffix, value);
    }

    /// Reads labels into `labels_`; gives where the blank before the value should be.
    std::size_t read_labels(std::string_view text, std::size_t at) {
        labels_.clear();
        if (text[at] != '{') return at;
        ++at;
        while (true) {
            auto const equals = text.find("=\"", at);
            if (equals == text.npos || !is_name(text.substr(at, equals - at))) fail("no label");
            std::string name{text.substr(at, equals - at)};
            std::string value;
            for (at = equals + 2; at < text.size() && text[at] != '"'; ++at) {
                if (text[at] == '\\' && std::string_view{"\\\"n"}.find(text[++at]) == text.npos)
                    fail("no escape");
                value += text[at];
            }
            if (at >= text.size()) fail("a label does not end");
            if (!labels_.emplace(std::move(name), std::move(value)).second)
                fail("the label comes twice");
            ++at;
            if (at < text.size() && text[at] == '}') return at + 1;
            if (at >= text.size() || text[at] != ',') fail("no comma between labels");
            ++at;
        }
    }

    class buckets {
    public:
        std::vector<std::pair<double, double>> counts;
        std::optional<double> total;
    };

    void note_bucket(const std::string& suffix, double value) {
        std::string bound;
        if (auto const le = labels_.find("le"); le != labels_.end()) {
            bound = le->second;
            labels_.erase(le);
        }
        std::string key = current_;
        for (auto const& [name, text] : labels_)
            key += '|' + name + '=' + text;
        auto& into = histograms_[key];
        if (suffix == "_count") {
            into.total = value;
            return;
        }
        if (bound != "+Inf" && bound.find_first_of(".e") == std::string::npos)
            fail("a bound that is no float");
        into.counts.emplace_back(
            bound == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(bound), value);
    }

    void check_histograms() {
        for (auto const& [key, h] : histograms_) {
            line_ = key;
            for (std::size_t i = 1; i < h.counts.size(); ++i)
                if (h.counts[i].first <= h.counts[i - 1].first ||
                    h.counts[i].second < h.counts[i - 1].second)
                    fail("buckets that do not ascend");
            if (h.counts.empty() ||
                h.counts.back().first != std::numeric_limits<double>::infinity())
                fail("no bucket without an end");
            if (h.total != h.counts.back().second) fail("the count is not that of the last bucket");
        }
    }

    bool open_;
    bool ended_ = false;
    std::string line_;
    std::string current_;
    std::map<std::string, family> families_;
    std::map<std::string, double> samples_;
    std::map<std::string, std::string> labels_;
    std::map<std::string, buckets> histograms_;
};

call_info call_of(std::string_view operation, std::string_view resource = "location:l1") {
    call_info call;
    call.operation = operation;
    call.resource = resource;
    return call;
}

/// One call that succeeds at its second attempt.
void tell_call(metrics& to, const call_info& call) {
    to.on_call_start(call);
    to.on_throttled(call);
    highlevel::permit_event permit;
    permit.queued = true;
    permit.waited = 2s;
    to.on_permit(call, permit);
    highlevel::permit_settled_event settled;
    settled.status = 500;
    to.on_permit_settled(call, settled);
    highlevel::attempt_event attempt;
    attempt.status = 500;
    attempt.took = 40ms;
    to.on_attempt(call, attempt);
    highlevel::retry_event again;
    to.on_retry(call, again);
    to.on_permit(call, {});
    settled.status = 200;
    to.on_permit_settled(call, settled);
    attempt.status = 200;
    to.on_attempt(call, attempt);
    highlevel::call_end_event end;
    end.status = 200;
    end.took = 2100ms;
    to.on_call_end(call, end);
}

void tell_everything(metrics& to) {
    tell_call(to, call_of("contacts.get_contact"));
    tell_call(to, call_of("", "company:c"));
    highlevel::json::diagnostics bent;
    bent.count();
    bent.count();
    to.on_diagnostics(call_of("contacts.get_contact"), bent);
    highlevel::auth::token_refresh_event renewed;
    renewed.resource = "company:c";
    renewed.took = 90ms;
    to.on_token_refresh(renewed);
    renewed.how = highlevel::auth::renewal_kind::mint;
    renewed.resource = "location:l1";
    renewed.error = make_error_code(errc::reinstall_required);
    to.on_token_refresh(renewed);
    highlevel::http::connection_open_event opened;
    opened.secure = true;
    opened.took = 30ms;
    to.on_connection_open(opened);
    opened.resumed = true;
    to.on_connection_open(opened);
    opened.error = make_error_code(errc::connect_failed);
    to.on_connection_open(opened);
    highlevel::http::connection_close_event closed;
    closed.reason = highlevel::http::close_reason::stale;
    closed.requests = 12;
    to.on_connection_close(closed);
}

} // namespace

TEST_CASE("metrics_count_what_is_told", "[client][metrics]") {
    metrics m;
    tell_everything(m);
    exposition const got{m.prometheus(), false};
    constexpr auto* of = R"({operation="contacts.get_contact",resource_class="location")";
    auto const with = [&](std::string name, const std::string& more = "}") {
        return name + of + more;
    };
    CHECK(got.at(with("highlevel_calls_total", R"(,outcome="success"})")) == 1);
    CHECK(got.at(with("highlevel_call_duration_seconds_bucket", R"(,le="1.0"})")) == 0);
    CHECK(got.at(with("highlevel_call_duration_seconds_bucket", R"(,le="2.5"})")) == 1);
    CHECK(got.at(with("highlevel_call_duration_seconds_sum")) == Approx(2.1));
    CHECK(got.at(with("highlevel_decode_diagnostics_total")) == 2);
    CHECK(
        got.at(
            R"(highlevel_calls_total{operation="raw",resource_class="company",outcome="success"})") ==
        1);
    auto const location = [](std::string name, const std::string& more = "") {
        return name + R"({resource_class="location")" + more + "}";
    };
    CHECK(got.at(location("highlevel_calls_in_progress")) == 0);
    CHECK(got.at(location("highlevel_calls_waiting", R"(,lane="interactive")")) == 0);
    CHECK(got.at(location("highlevel_permits_total", R"(,outcome="granted")")) == 2);
    CHECK(got.at(location("highlevel_permits_settled_total", R"(,outcome="settled")")) == 2);
    CHECK(got.at(location("highlevel_permit_wait_seconds_sum", R"(,lane="interactive")")) == 2);
    CHECK(got.at(location("highlevel_permit_wait_seconds_count", R"(,lane="bulk")")) == 0);
    CHECK(got.at(location("highlevel_attempts_total", R"(,status="500")")) == 1);
    CHECK(got.at(location("highlevel_attempts_total", R"(,status="200")")) == 1);
    CHECK(got.at(location("highlevel_attempt_duration_seconds_count")) == 2);
    CHECK(got.at(location("highlevel_retries_total", R"(,reason="transient")")) == 1);
    CHECK(
        got.at(location("highlevel_token_refreshes_total", R"(,kind="mint",outcome="failure")")) ==
        1);
    CHECK(got.at(R"(highlevel_token_refresh_duration_seconds_count{kind="refresh"})") == 1);
    CHECK(got.at("highlevel_connections_open") == 1);
    CHECK(got.at(R"(highlevel_connections_opened_total{tls="resumed"})") == 1);
    CHECK(got.at("highlevel_connection_failures_total") == 1);
    CHECK(got.at(R"(highlevel_connections_closed_total{reason="stale"})") == 1);
    CHECK(got.at("highlevel_closed_connection_requests_total") == 12);
}

TEST_CASE("calls_under_way_are_gauges", "[client][metrics]") {
    metrics m;
    auto call = call_of("contacts.get_contact");
    call.lane = highlevel::quota::lane::bulk;
    m.on_call_start(call);
    m.on_throttled(call);
    exposition const during{m.prometheus(), false};
    CHECK(during.at(R"(highlevel_calls_in_progress{resource_class="location"})") == 1);
    CHECK(during.at(R"(highlevel_calls_waiting{resource_class="location",lane="bulk"})") == 1);
    highlevel::permit_event denied;
    denied.queued = true;
    denied.error = make_error_code(errc::permit_timeout);
    m.on_permit(call, denied);
    highlevel::call_end_event end;
    end.error = denied.error;
    end.cause = highlevel::cause::burst_limit;
    m.on_call_end(call, end);
    exposition const after{m.prometheus(), false};
    CHECK(after.at(R"(highlevel_calls_in_progress{resource_class="location"})") == 0);
    CHECK(after.at(R"(highlevel_calls_waiting{resource_class="location",lane="bulk"})") == 0);
    CHECK(after.at(R"(highlevel_permits_total{resource_class="location",outcome="denied"})") == 1);
    CHECK(
        after.at(R"(highlevel_calls_total{operation="contacts.get_contact",)"
                 R"(resource_class="location",outcome="burst_limit"})") == 1);
}

TEST_CASE("both_formats_say_the_same", "[client][metrics]") {
    metrics m;
    tell_everything(m);
    exposition const plain{m.prometheus(), false};
    exposition const open{m.open_metrics(), true};
    CHECK(plain.samples() == open.samples());
    CHECK(plain.families().size() == open.families().size());
    CHECK(open.families().at("highlevel_call_duration_seconds").unit == "seconds");
    CHECK(open.families().at("highlevel_calls").type == "counter");
    // Nothing told is a text all the same.
    exposition const nothing{metrics{}.open_metrics(), true};
    CHECK(nothing.at("highlevel_connections_open") == 0);
}

TEST_CASE("the_number_of_series_is_bounded", "[client][metrics]") {
    highlevel::metrics_options options;
    options.max_operations = 3;
    metrics m{options};
    std::set<std::size_t> sizes;
    for (int i = 0; i < 100; ++i) {
        tell_call(m, call_of("f.op" + std::to_string(i), "location:l" + std::to_string(i)));
        if (i > 3) sizes.insert(exposition{m.prometheus(), false}.samples().size());
    }
    CHECK(sizes.size() == 1);
    exposition const got{m.prometheus(), false};
    CHECK(
        got.at(
            R"(highlevel_calls_total{operation="other",resource_class="location",outcome="success"})") ==
        97);
    highlevel::attempt_event odd;
    for (unsigned status = 600; status < 1000; ++status) {
        odd.status = status;
        m.on_attempt(call_of("f.op1"), odd);
    }
    exposition const after{m.prometheus(), false};
    CHECK(after.samples().size() == got.samples().size() + 1);
    CHECK(after.at(R"(highlevel_attempts_total{resource_class="location",status="other"})") == 400);
}

TEST_CASE("names_are_escaped", "[client][metrics]") {
    metrics m;
    m.on_call_end(call_of("a\"b\\c\nd"), {});
    exposition const got{m.prometheus(), false};
    CHECK(
        got.at(R"(highlevel_calls_total{operation="a\"b\\c\nd",)"
               R"(resource_class="location",outcome="success"})") == 1);
}

TEST_CASE("a_prefix_and_buckets_of_ones_own", "[client][metrics]") {
    highlevel::metrics_options options;
    options.prefix = "crm";
    options.buckets = {0.5, 2};
    metrics m{options};
    tell_call(m, call_of("contacts.get_contact"));
    exposition const got{m.prometheus(), false};
    for (auto const& [name, unused] : got.families())
        CHECK(name.starts_with("crm_"));
    CHECK(got.has(R"(crm_call_duration_seconds_bucket{operation="contacts.get_contact",)"
                  R"(resource_class="location",le="2.0"})"));
    options.prefix = "9";
    CHECK_THROWS_WITH(metrics(options), test::contains("prefix"));
    options.prefix = "crm";
    options.buckets = {1, 1};
    CHECK_THROWS_WITH(metrics(options), test::contains("buckets"));
}

TEST_CASE("many_threads_count_into_one", "[client][metrics]") {
    metrics m;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 250; ++i)
                tell_call(m, call_of("contacts.get_contact"));
        });
    for (auto& t : threads)
        t.join();
    exposition const got{m.prometheus(), false};
    CHECK(
        got.at(R"(highlevel_calls_total{operation="contacts.get_contact",)"
               R"(resource_class="location",outcome="success"})") == 1000);
}

TEST_CASE("promtool_takes_the_text", "[client][metrics]") {
    if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
        WARN("skipped: there is no promtool (Debian package prometheus)");
        return;
    }
    metrics m;
    tell_everything(m);
    highlevel::test::temporary_folder const folder;
    auto const file = folder.write("metrics", m.prometheus());
    // It reads Prometheus' own format only.
    CHECK(std::system(("promtool check metrics < '" + file + "'").c_str()) == 0);
}

} // namespace metrics_tests

// SPDX-License-Identifier: BSL-1.0
//
// The usual way: the same requests with libcurl's multi interface, HTTP/1.1 over verified TLS.

#include "support/throughput.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view usage = R"(Requests over TLS with libcurl's multi interface.

  throughput_curl --port P --ca FILE [options]

  --mode none  read the body (default)
  --mode mono  and parse it into a json::value in a monotonic_resource
)";

std::size_t append(char* bytes, std::size_t size, std::size_t count, void* body) {
    static_cast<std::string*>(body)->append(bytes, size * count);
    return size * count;
}

std::size_t ignore(char*, std::size_t size, std::size_t count, void*) {
    return size * count;
}

/// One transfer, used again and again.
class transfer {
public:
    transfer() = default;
    transfer(const transfer&) = delete;
    transfer& operator=(const transfer&) = delete;
    ~transfer() { ::curl_easy_cleanup(easy); }

    CURL* easy = ::curl_easy_init();
    std::string body;
};

void check(CURLMcode code) {
    if (code != CURLM_OK) throw std::runtime_error{::curl_multi_strerror(code)};
}

/// Sends until the turns are over.
std::uint64_t drive(
    CURLM* multi, std::deque<transfer>& all, throughput::turns& turns, const std::string& mode) {
    std::uint64_t bytes = 0;
    std::size_t under_way = 0;
    for (auto& t : all) {
        if (!turns.take()) break;
        t.body.clear();
        check(::curl_multi_add_handle(multi, t.easy));
        ++under_way;
    }
    while (under_way != 0) {
        int running = 0;
        check(::curl_multi_perform(multi, &running));
        int left = 0;
        while (auto* const message = ::curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            auto* const easy = message->easy_handle;
            if (message->data.result != CURLE_OK)
                throw std::runtime_error{::curl_easy_strerror(message->data.result)};
            transfer* t = nullptr;
            long status = 0;
            ::curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
            ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (status != 200) throw std::runtime_error{"not answered with 200"};
            bytes += t->body.size();
            if (mode == "mono") {
                unsigned char room[65536];
                boost::json::monotonic_resource memory{room, sizeof room};
                if (boost::json::parse(t->body, &memory).get_object().empty())
                    throw std::runtime_error{"no members"};
            }
            check(::curl_multi_remove_handle(multi, easy));
            --under_way;
            if (!turns.take()) continue;
            t->body.clear();
            check(::curl_multi_add_handle(multi, easy));
            ++under_way;
            running = 1;
        }
        if (under_way != 0) check(::curl_multi_poll(multi, nullptr, 0, 1000, nullptr));
    }
    return bytes;
}

int run(const throughput::arguments& args) {
    ::curl_global_init(CURL_GLOBAL_DEFAULT);
    auto* const multi = ::curl_multi_init();
    ::curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(args.in_flight));
    ::curl_slist* fields = nullptr;
    for (auto const* field :
         {"Accept: application/json", "Authorization: Bearer pit-throughput", "Version: 2021-07-28",
          "User-Agent: highlevel-cpp/0.1"})
        fields = ::curl_slist_append(fields, field);
    auto const url = args.url() + args.target();
    std::deque<transfer> all;
    for (std::size_t i = 0; i < args.in_flight; ++i) {
        auto& t = all.emplace_back();
        ::curl_easy_setopt(t.easy, CURLOPT_URL, url.c_str());
        ::curl_easy_setopt(t.easy, CURLOPT_CAINFO, args.ca_file.c_str());
        ::curl_easy_setopt(t.easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        ::curl_easy_setopt(t.easy, CURLOPT_HTTPHEADER, fields);
        ::curl_easy_setopt(t.easy, CURLOPT_NOSIGNAL, 1L);
        ::curl_easy_setopt(t.easy, CURLOPT_WRITEFUNCTION, append);
        ::curl_easy_setopt(t.easy, CURLOPT_WRITEDATA, &t.body);
        ::curl_easy_setopt(t.easy, CURLOPT_HEADERFUNCTION, ignore);
        ::curl_easy_setopt(t.easy, CURLOPT_PRIVATE, &t);
    }
    throughput::turns turns{args};
    drive(multi, all, turns, args.mode);
    turns.begin();
    measure::stopwatch const watch;
    auto const bytes = drive(multi, all, turns, args.mode);
    throughput::report("curl", args, watch, bytes);
    all.clear();
    ::curl_multi_cleanup(multi);
    ::curl_slist_free_all(fields);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return throughput::main(argc, argv, "throughput_curl", usage, "none", run);
}

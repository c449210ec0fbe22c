// SPDX-License-Identifier: BSL-1.0
//
// What every benchmark measures of its own process: CPU time, resident memory, and one line of JSON
// that benchmarks/run reads.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>

namespace measure {

/// CPU seconds of this process so far, of all its threads, user and system.
inline double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto const seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// The most memory that was resident so far, in KB.
inline std::uint64_t peak_kb() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return static_cast<std::uint64_t>(used.ru_maxrss);
}

/// Resident memory now, in KB; 0 where the system does not tell.
inline std::uint64_t resident_kb() {
    std::ifstream in{"/proc/self/statm"};
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    in >> all >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

/// Wall and CPU time from construction on.
class stopwatch {
public:
    [[nodiscard]] double wall() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    }
    [[nodiscard]] double cpu() const { return cpu_seconds() - cpu_; }

private:
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    double cpu_ = cpu_seconds();
};

/// One flat JSON object, printed as a line.
class record {
public:
    record& add(std::string_view name, double value) {
        char text[40];
        std::snprintf(text, sizeof text, "%.9g", value);
        return put(name, text);
    }
    record& add(std::string_view name, std::uint64_t value) {
        return put(name, std::to_string(value));
    }
    record& add(std::string_view name, std::string_view text) {
        return put(name, '"' + std::string{text} + '"');
    }

    void print() const { std::printf("{%s}\n", members_.c_str()); }

private:
    record& put(std::string_view name, std::string_view value) {
        if (!members_.empty()) members_ += ',';
        members_.append("\"").append(name).append("\":").append(value);
        return *this;
    }

    std::string members_;
};

} // namespace measure

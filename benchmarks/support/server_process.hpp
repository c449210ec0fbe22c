// SPDX-License-Identifier: BSL-1.0
//
// A server in a process of its own, so that its memory and CPU time are not counted as the
// client's.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

namespace measure {

/// Runs a function in a forked process, with a pipe each way. To be made before any thread.
class server_process {
public:
    /// `serve` tells on `out` where it is to be found, serves until `stop` ends, and may then
    /// report. What it throws is printed, and ends the process.
    explicit server_process(
        const std::function<void(std::istream& stop, std::ostream& out)>& serve) {
        std::array<int, 2> to{};
        std::array<int, 2> from{};
        if (::pipe(to.data()) != 0 || ::pipe(from.data()) != 0)
            throw std::runtime_error{"no pipe can be had"};
        child_ = ::fork();
        if (child_ < 0) throw std::runtime_error{"no process can be had"};
        if (child_ == 0) {
            ::close(to[1]);
            ::close(from[0]);
            int status = 0;
            try {
                std::ifstream stop{descriptor(to[0])};
                std::ofstream out{descriptor(from[1])};
                serve(stop, out);
            } catch (const std::exception& e) {
                std::cerr << "the server: " << e.what() << '\n';
                status = 1;
            }
            // The parent's buffers and objects are not ours to flush or destroy.
            ::_exit(status);
        }
        stop_ = to[1];
        told_.open(descriptor(from[0]));
        for (int const other : {to[0], from[0], from[1]})
            ::close(other);
    }
    server_process(const server_process&) = delete;
    server_process& operator=(const server_process&) = delete;
    ~server_process() {
        stop();
        (void)::waitpid(child_, nullptr, 0);
    }

    /// What the server tells.
    [[nodiscard]] std::istream& told() noexcept { return told_; }

    /// Has it stop and report.
    void stop() noexcept {
        if (stop_ >= 0) ::close(std::exchange(stop_, -1));
    }

    /// For `serve`: comes back when the parent wants the end, or is gone.
    static void wait_for_the_end(std::istream& stop) {
        std::string line;
        while (std::getline(stop, line)) {
        }
    }

private:
    static std::string descriptor(int number) { return "/dev/fd/" + std::to_string(number); }

    pid_t child_ = -1;
    int stop_ = -1;
    std::ifstream told_;
};

} // namespace measure

// SPDX-License-Identifier: BSL-1.0
//
// A forked process that runs a function and reports numbers through a pipe. To be used while the
// test has no threads.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>

namespace test {

class child_process {
public:
    using report = std::function<void(std::uint64_t)>;

    /// `work` is told how to report; its exceptions end the child with status 1.
    explicit child_process(const std::function<void(const report&)>& work) {
        int ends[2];
        if (::pipe(ends) != 0) throw std::runtime_error("pipe");
        id_ = ::fork();
        if (id_ < 0) throw std::runtime_error("fork");
        if (id_ == 0) {
            ::close(ends[0]);
            int status = 1;
            try {
                work([&](std::uint64_t number) {
                    if (::write(ends[1], &number, sizeof number) != sizeof number) ::_exit(2);
                });
                status = 0;
            } catch (...) {
                status = 1;
            }
            ::_exit(status);
        }
        ::close(ends[1]);
        read_end_ = ends[0];
    }
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process() {
        kill();
        (void)status();
        ::close(read_end_);
    }

    /// The next number; nothing when the child has ended and all were read.
    [[nodiscard]] std::optional<std::uint64_t> next() {
        std::uint64_t number = 0;
        if (::read(read_end_, &number, sizeof number) != sizeof number) return std::nullopt;
        return number;
    }

    /// Ends the child as kill -9 does.
    void kill() noexcept {
        if (!status_) ::kill(id_, SIGKILL);
    }

    /// Waits for the end; the exit status, or minus the signal.
    int status() {
        if (!status_) {
            int ended = 0;
            while (::waitpid(id_, &ended, 0) < 0) {
            }
            status_ = WIFEXITED(ended) ? WEXITSTATUS(ended) : -WTERMSIG(ended);
        }
        return *status_;
    }

private:
    pid_t id_ = -1;
    int read_end_ = -1;
    std::optional<int> status_;
};

} // namespace test

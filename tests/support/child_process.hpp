// SPDX-License-Identifier: BSL-1.0
//
// A forked process that runs a function, takes numbers and reports numbers. To be used while the
// test has no threads.
#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>

namespace test {

class child_process {
public:
    using report = std::function<void(std::uint64_t)>;

    /// Waits for the next number from the parent; nothing when there will be none.
    using receive = std::function<std::optional<std::uint64_t>()>;

    /// `work` is told how to report; its exceptions are told on standard error, and end
    /// the child with status 1.
    explicit child_process(const std::function<void(const report&)>& work)
        : child_process([&](const report& tell, const receive&) { work(tell); }) {}
    explicit child_process(const std::function<void(const report&, const receive&)>& work) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
            throw std::runtime_error("socketpair");
        id_ = ::fork();
        if (id_ < 0) throw std::runtime_error("fork");
        if (id_ == 0) {
            ::close(ends[0]);
            int status = 1;
            try {
                work(
                    [&](std::uint64_t number) {
                        if (::write(ends[1], &number, sizeof number) != sizeof number) ::_exit(2);
                    },
                    [&] { return read(ends[1]); });
                status = 0;
            } catch (const std::exception& e) {
                std::fprintf(stderr, "child process: %s\n", e.what());
            } catch (...) {
                std::fputs("child process: an exception of unknown type\n", stderr);
            }
            ::_exit(status);
        }
        ::close(ends[1]);
        end_ = ends[0];
    }
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process() {
        kill();
        (void)status();
        ::close(end_);
    }

    /// The next number; nothing when the child has ended and all were read.
    [[nodiscard]] std::optional<std::uint64_t> next() { return read(end_); }

    /// Gives the child a number; one that has ended gets nothing.
    void send(std::uint64_t number) const {
        (void)::send(end_, &number, sizeof number, MSG_NOSIGNAL);
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
    static std::optional<std::uint64_t> read(int from) {
        std::uint64_t number = 0;
        if (::read(from, &number, sizeof number) != sizeof number) return std::nullopt;
        return number;
    }

    pid_t id_ = -1;
    int end_ = -1;
    std::optional<int> status_;
};

} // namespace test

// SPDX-License-Identifier: BSL-1.0
//
// Command lines of the examples and benchmarks: values that follow their option, numbers within
// bounds, errors that say what to change, and the one way in which programs end.
#pragma once

#include <charconv>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace command_line {

/// The command line cannot be used; programs print it and exit with 2.
class usage_error : public std::runtime_error {
public:
    using runtime_error::runtime_error;
};

/// The arguments one after the other.
class cursor {
public:
    cursor(int count, char** values) : count_(count), values_(values) {}

    /// Moves to the next option; false at the end.
    bool next() {
        if (at_ + 1 >= count_) return false;
        option_ = values_[++at_];
        return true;
    }

    [[nodiscard]] std::string_view option() const noexcept { return option_; }
    [[nodiscard]] bool is(std::string_view name) const noexcept { return option_ == name; }

    /// The text after the option.
    std::string_view value() {
        if (at_ + 1 >= count_) throw usage_error{std::string{option_} + ": a value must follow"};
        return values_[++at_];
    }

    /// The number after the option.
    template <class Number>
    Number number(Number least, Number most) {
        return parse_number(value(), least, most);
    }

    template <class Number>
    [[nodiscard]] Number parse_number(std::string_view text, Number least, Number most) const {
        Number made{};
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), made);
        if (error != std::errc{} || end != text.data() + text.size() || made < least || made > most)
            throw usage_error{
                std::string{option_} + ": '" + std::string{text} + "' is not a number from " +
                std::to_string(least) + " to " + std::to_string(most)};
        return made;
    }

private:
    int count_;
    char** values_;
    int at_ = 0;
    std::string_view option_;
};

/// The whole of main(): `take(arguments, cursor)` is called on each option, and says whether it is
/// one that the program knows; `run(arguments)` gives the exit status. `--help` and `-h` print the
/// usage. The exit status is 2 for a command line that cannot be used, which `run` may find too,
/// and 1 for any other exception; both say on standard error why.
template <class Arguments, class Take, class Run>
int main_of(
    std::string_view name,
    std::string_view usage,
    int argc,
    char** argv,
    Take take,
    Run run) noexcept {
    try {
        Arguments args;
        cursor at{argc, argv};
        while (at.next()) {
            if (at.is("--help") || at.is("-h")) {
                std::cout << usage;
                return 0;
            }
            if (!take(args, at))
                throw usage_error{"unknown option " + std::string{at.option()} + "; see --help"};
        }
        return run(std::move(args));
    } catch (const usage_error& e) {
        std::cerr << name << ": " << e.what() << '\n';
        return 2;
    } catch (const std::exception& e) {
        std::cerr << name << ": " << e.what() << '\n';
        return 1;
    }
}

} // namespace command_line

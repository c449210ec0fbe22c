// SPDX-License-Identifier: BSL-1.0
//
// Plants secrets, lets calls succeed and fail in every way, and looks for the secrets in everything
// that the library says; and afterwards in the whole memory of the process.

#include "support/catch.hpp"
#include "support/sanitizers.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/auth/token_store_conformance.hpp>
#include <highlevel/auth/user_context.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/log_observer.hpp>
#include <highlevel/metrics.hpp>
#include <highlevel/observers.hpp>
#include <highlevel/v2/contacts.hpp>

#ifdef HIGHLEVEL_TEST_SQLITE
#    include <highlevel/auth/sqlite_token_store.hpp>
#endif

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace auth_secret_leaks_tests {

namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;
using conformance = auth::token_store_conformance;

namespace {

template <class T>
concept streamable = requires(std::ostream& out, const T& value) {
    out << value;
};
static_assert(!streamable<auth::secret> && !std::convertible_to<auth::secret, std::string>);
static_assert(!streamable<auth::token> && !streamable<auth::private_integration>);

/// A secret that can be looked for without being in memory: its characters are computed.
class planted {
public:
    static constexpr std::size_t length = 40;

    explicit planted(std::uint64_t seed) : seed_(seed) {}

    [[nodiscard]] char at(std::size_t i) const noexcept {
        auto z = seed_ + (i + 1) * 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
        return static_cast<char>('a' + (z >> 33U) % 26);
    }

    [[nodiscard]] auth::secret make(std::string_view prefix = {}) const {
        std::string text;
        text.reserve(prefix.size() + length);
        text += prefix;
        for (std::size_t i = 0; i < length; ++i)
            text.push_back(at(i));
        return auth::secret{std::move(text)};
    }

    /// How often it occurs.
    [[nodiscard]] std::size_t count(std::string_view in) const noexcept {
        std::size_t found = 0;
        for (std::size_t start = 0; start + length <= in.size(); ++start) {
            std::size_t i = 0;
            while (i < length && in[start + i] == at(i))
                ++i;
            if (i == length) ++found;
        }
        return found;
    }

private:
    std::uint64_t seed_;
};

/// A network that answers from a list and keeps nothing of what it is sent.
class forgetful_transport final : public http::transport {
public:
    explicit forgetful_transport(std::vector<http::exchange_result> answers)
        : answers_(std::move(answers)) {}

    asio::awaitable<http::exchange_result> exchange(
        const http::request& r, http::exchange_options /*options*/) override {
        with_token_ += r.fields.contains("Authorization") ? 1 : 0;
        auto const at = next_ < answers_.size() - 1 ? next_++ : next_;
        co_return answers_[at];
    }
    void close() noexcept override {}

    [[nodiscard]] int with_token() const noexcept { return with_token_; }

private:
    std::vector<http::exchange_result> answers_;
    std::size_t next_ = 0;
    int with_token_ = 0;
};

http::exchange_result reply(unsigned status, std::string body) {
    http::exchange_result r;
    r.reached = http::phase::done;
    r.may_have_been_processed = true;
    r.reply.status = status;
    r.reply.body = std::move(body);
    r.reply.fields.add("content-type", "application/json");
    r.reply.fields.add("x-ratelimit-max", "100");
    r.reply.fields.add("x-ratelimit-remaining", "99");
    return r;
}

std::vector<http::exchange_result> every_kind_of_answer() {
    std::vector<http::exchange_result> all;
    for (auto const* message :
         {"Invalid Private Integration token", "Invalid JWT", "Unauthorized",
          "The token is not authorized for this scope.", "Token's user type mismatch!",
          "Command timed out"})
        all.push_back(
            reply(401, std::string{R"({"statusCode":401,"message":")"} + message + R"("})"));
    all.push_back(reply(403, R"({"message":"The token does not have access to this location."})"));
    all.push_back(reply(404, ""));
    all.push_back(reply(422, R"({"message":["property x should not exist"]})"));
    all.push_back(reply(
        400,
        R"({"message":"no duplicated contacts","meta":{"contactId":"c9","matchingField":"e"}})"));
    all.push_back(reply(500, "<html>oops</html>"));
    all.push_back(reply(403, "<html>Error 1010</html>"));
    all.push_back(reply(200, R"({"status":404,"message":"gone"})"));
    all.push_back(reply(200, "<html>not JSON</html>"));
    all.push_back(reply(200, R"({"contact":{"id":7,"tags":"t"},"more":1})"));
    all.push_back(reply(200, R"({"contact":{"id":"c1"}})"));
    http::exchange_result lost;
    lost.error = make_error_code(highlevel::errc::connection_lost);
    lost.detail = "the peer closed";
    lost.reached = http::phase::first_byte;
    lost.may_have_been_processed = true;
    all.push_back(lost);
    auto daily = reply(429, R"({"statusCode":429,"message":"Too Many Requests"})");
    daily.reply.fields.add("x-ratelimit-daily-remaining", "0");
    all.push_back(daily);
    return all;
}

/// Writes down all that an observer is told.
class writing_observer final : public highlevel::observer {
public:
    explicit writing_observer(std::ostream& out) : out_(out) {}

    void on_attempt(
        const highlevel::call_info& call, const highlevel::attempt_event& event) noexcept override {
        out_ << call.operation << call.verb << call.path << call.resource << event.number
             << event.status << event.error << event.error.message() << '\n';
    }
    void on_diagnostics(
        const highlevel::call_info& call,
        const highlevel::json::diagnostics& bent) noexcept override {
        out_ << call.operation;
        for (auto const& note : bent)
            out_ << note.pointer << note.text;
        out_ << '\n';
    }

private:
    std::ostream& out_;
};

/// Everything that observers of ours would write, in every form.
class written {
public:
    explicit written(std::ostream& out) : out_(out) {}
    written(const written&) = delete;
    written& operator=(const written&) = delete;
    ~written() { out_ << metrics_->prometheus() << metrics_->open_metrics(); }

    [[nodiscard]] std::shared_ptr<highlevel::observer> observer() const {
        std::vector<std::shared_ptr<highlevel::observer>> all{
            std::make_shared<writing_observer>(out_), metrics_};
        for (auto const format : {highlevel::log_format::text, highlevel::log_format::json}) {
            highlevel::log_options how;
            how.threshold = highlevel::log_level::debug;
            how.format = format;
            all.push_back(std::make_shared<highlevel::log_observer>(
                [&out = out_](highlevel::log_level, std::string_view line) { out << line << '\n'; },
                how));
        }
        return std::make_shared<highlevel::observers>(std::move(all));
    }

private:
    std::ostream& out_;
    std::shared_ptr<highlevel::metrics> metrics_ = std::make_shared<highlevel::metrics>();
};

void write_down(std::ostream& out, const highlevel::failure& f) {
    out << f.what() << f.detail() << f.hint() << f.trace_id() << f.recovery_id()
        << f.matching_field() << f.canonical_code() << f.reached() << f.path() << f.body()
        << f.code().message() << highlevel::error{f}.what();
    for (auto const& list : {f.messages(), f.scopes()})
        for (auto const& text : list)
            out << text;
    out << '\n';
}

/// An OAuth server that gives planted tokens and keeps nothing: the answer is made where it is
/// wanted, in one piece of memory, which the library has to overwrite.
class planting_transport final : public http::transport {
public:
    planting_transport(planted access, planted refresh) : access_(access), refresh_(refresh) {}

    asio::awaitable<http::exchange_result> exchange(
        const http::request& r, http::exchange_options /*options*/) override {
        ++asked;
        if (refuse) co_return reply(refuse, R"({"message":"Invalid grant: no such thing"})");
        if (r.target != "/oauth/token" && r.target != "/oauth/locationToken")
            co_return reply(200, "{}");
        auto out = reply(200, {});
        auto& body = out.reply.body;
        body.reserve(1024);
        body = R"({"companyId":"com","expires_in":86399,"access_token":")";
        add(body, access_);
        body += R"(","refresh_token":")";
        add(body, refresh_);
        body += r.target == "/oauth/token" ? R"(","userType":"Company"})"
                                           : R"(","userType":"Location","locationId":"l"})";
        co_return out;
    }
    void close() noexcept override {}

    unsigned refuse = 0;
    int asked = 0;

private:
    static void add(std::string& to, const planted& what) {
        for (std::size_t i = 0; i < planted::length; ++i)
            to.push_back(what.at(i));
    }

    planted access_;
    planted refresh_;
};

class secrets {
public:
    explicit secrets(std::uint64_t seed)
        : general(seed),
          rotated(seed + 1),
          of_location(seed + 2),
          access(seed + 3),
          refresh(seed + 4),
          key(seed + 5),
          client(seed + 6),
          code(seed + 7) {}

    planted general, rotated, of_location, access, refresh, key, client, code;

    [[nodiscard]] std::vector<planted> all() const {
        return {general, rotated, of_location, access, refresh, key, client, code};
    }
};

/// Calls with a fixed token, through every kind of answer. Gives how many requests carried a token.
int make_calls(const secrets& hidden, std::ostream& out) {
    asio::io_context context;
    auto answers = every_kind_of_answer();
    auto const rounds = answers.size();
    auto const network = std::make_shared<forgetful_transport>(std::move(answers));
    auth::private_integration tokens{hidden.general.make("pit-")};
    tokens.location("special", hidden.of_location.make("pit-"));
    highlevel::client_options options;
    options.credentials = tokens;
    options.transport = network;
    written const heard{out};
    options.observer = heard.observer();
    options.retry.max_attempts = 1;
    highlevel::client client{context.get_executor(), options};
    for (std::size_t i = 0; i < rounds; ++i) {
        auto const account = client.location(i % 3 == 0 ? "special" : "loc1");
        auto done = asio::co_spawn(
            context, account.try_call(contacts::get_contact{"c1"}), asio::use_future);
        context.restart();
        context.run();
        auto const got = done.get();
        if (got)
            out << got->body();
        else
            write_down(out, got.error());
        if (i == rounds / 2) tokens.all(hidden.rotated.make("pit-"));
    }
    // An operation that no fixed token may call.
    auto refused = asio::co_spawn(
        context, client.company("x").try_call(contacts::get_contact{"c1"}), asio::use_future);
    context.restart();
    context.run();
    if (auto const got = refused.get(); !got) write_down(out, got.error());
    return network->with_token();
}

/// Installs, refreshes and mints, with success and without. Gives how many requests there were.
int use_oauth(const secrets& hidden, std::ostream& out) {
    asio::io_context context;
    auto const network = std::make_shared<planting_transport>(hidden.access, hidden.refresh);
    auth::oauth_options options;
    options.client_id = "app-12345678";
    options.client_secret = hidden.client.make();
    options.refresh.attempts = 1;
    auth::oauth_app app{std::move(options)};
    auto const source = static_cast<auth::credentials>(app).source();
    auth::attachment lent;
    lent.executor = context.get_executor();
    lent.transport = network;
    written const heard{out};
    lent.listener = heard.observer();
    source->attach(lent);
    auto const attempt = [&](auto work) {
        asio::co_spawn(context, std::move(work), [&](std::exception_ptr e, auto&&...) {
            try {
                if (e) std::rethrow_exception(e);
            } catch (const highlevel::error& thrown) {
                write_down(out, thrown.failure());
            } catch (const std::exception& thrown) {
                out << thrown.what() << '\n';
            }
        });
        context.restart();
        context.run();
    };
    auto const company = auth::resource::company("com");
    for (unsigned const status : {0U, 400U, 401U, 500U}) {
        network->refuse = status;
        attempt(app.exchange_code(hidden.code.make(), "https://example.com/back"));
        attempt(app.renew(company));
        attempt(app.install_location("com", "l"));
        attempt(app.renew(auth::resource::location("l")));
        attempt(app.installed_locations("com"));
        attempt(app.uninstall(auth::resource::location("l")));
    }
    source->detach(*network);
    return network->asked;
}

/// Stores, loads and damages tokens. SQLite keeps copies of its own, so that it is left out where
/// the memory is searched.
void use_stores(const secrets& hidden, std::ostream& out, [[maybe_unused]] bool with_sqlite) {
    auto const what = auth::resource::location("loc1");
    auto const attempt = [&](auto&& function) {
        try {
            function();
        } catch (const std::exception& e) {
            out << e.what() << '\n';
        }
    };
    for (bool const encrypted : {false, true}) {
        highlevel::test::temporary_folder const folder;
        auto const key = [&] {
            auto text = hidden.key.make();
            return encrypted ? auth::secret{text.reveal().substr(0, 32)} : auth::secret{};
        };
        auth::file_token_store store{folder.path(), key()};
        auto value = conformance::sample(what, 1);
        value.access = hidden.access.make();
        value.refresh = hidden.refresh.make();
        (void)conformance::wait(store.replace(what, 0, std::move(value)));
        (void)conformance::wait(store.load(what));
        attempt([&] {
            auth::file_token_store other{folder.path(), auth::secret{std::string(32, 'o')}};
            (void)conformance::wait(other.load(what));
        });
        attempt([&] {
            auth::file_token_store other{folder.path()};
            (void)conformance::wait(other.load(what));
        });
        std::ofstream{folder / "location-loc1.token", std::ios::app} << "x";
        attempt([&] { (void)conformance::wait(store.load(what)); });
    }
#ifdef HIGHLEVEL_TEST_SQLITE
    if (with_sqlite) {
        highlevel::test::temporary_folder const folder;
        auto value = conformance::sample(what, 1);
        value.access = hidden.access.make();
        value.refresh = hidden.refresh.make();
        {
            auth::sqlite_token_store store{folder / "tokens.db"};
            (void)conformance::wait(store.replace(what, 0, value));
            (void)conformance::wait(store.replace(what, 7, value));
            attempt([&] { (void)conformance::wait(store.replace({}, 0, value)); });
        }
        std::ofstream{folder / "tokens.db"} << "no database";
        attempt([&] {
            auth::sqlite_token_store store{folder / "tokens.db"};
            (void)conformance::wait(store.load(what));
        });
    }
#endif
    attempt([&] { (void)auth::read_token_key(hidden.key.make().reveal()); });
    attempt([&] { (void)auth::decrypt_user_context("U2FsdGVkX18=", hidden.key.make()); });
}

/// What the memory of this process holds; nothing where it cannot be read.
class memory_scan {
public:
    explicit memory_scan(std::vector<planted> wanted) : wanted_(std::move(wanted)) {
        auto* const made =
            ::mmap(nullptr, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (made != MAP_FAILED) buffer_ = static_cast<char*>(made);
    }
    memory_scan(const memory_scan&) = delete;
    memory_scan& operator=(const memory_scan&) = delete;
    ~memory_scan() {
        if (buffer_) ::munmap(buffer_, chunk);
    }

    /// False when there is no such memory to read, or none that could be read in time.
    [[nodiscard]] bool run() {
#if defined(HIGHLEVEL_TEST_SANITIZED)
        return false;
#endif
        std::ifstream maps{"/proc/self/maps"};
        int const memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
        if (!buffer_ || !maps || memory < 0) return false;
        std::string line;
        std::vector<std::pair<std::uintptr_t, std::uintptr_t>> ranges;
        while (std::getline(maps, line)) {
            unsigned long long begin = 0;
            unsigned long long end = 0;
            char mode[5] = {};
            if (std::sscanf(line.c_str(), "%llx-%llx %4s", &begin, &end, mode) != 3) continue;
            if (mode[0] == 'r' && mode[1] == 'w')
                ranges.emplace_back(
                    static_cast<std::uintptr_t>(begin), static_cast<std::uintptr_t>(end));
        }
        auto const mine = reinterpret_cast<std::uintptr_t>(buffer_);
        for (auto const& [begin, end] : ranges) {
            for (auto at = begin; at < end; at += chunk - planted::length) {
                if (at < mine + chunk && mine < at + chunk) continue;
                auto const want = std::min<std::uintptr_t>(chunk, end - at);
                auto const got = ::pread(memory, buffer_, want, static_cast<off_t>(at));
                if (got > 0) look({buffer_, static_cast<std::size_t>(got)});
            }
        }
        ::close(memory);
        return true;
    }

    /// How often each was found.
    [[nodiscard]] const std::vector<std::size_t>& found() const noexcept {
        return found_;
    }

private:
    static constexpr std::size_t chunk = std::size_t{1} << 18U;

    void look(std::string_view part) {
        found_.resize(wanted_.size());
        for (std::size_t i = 0; i < wanted_.size(); ++i)
            found_[i] += wanted_[i].count(part);
    }

    std::vector<planted> wanted_;
    char* buffer_ = nullptr;
    std::vector<std::size_t> found_;
};

} // namespace

TEST_CASE("nothing_that_the_library_says_holds_a_secret", "[auth]") {
    secrets const hidden{20240229};
    std::ostringstream said;
    CHECK(make_calls(hidden, said) >= 15);
    use_stores(hidden, said, true);
    CHECK(use_oauth(hidden, said) >= 10);
    auto const text = said.str();
    CHECK(text.size() > 3000);
    for (auto const& secret : hidden.all())
        CHECK(secret.count(text) == 0);
    // The search does find what is there.
    CHECK(hidden.general.count(text + std::string{hidden.general.make().reveal()} + '.') == 1);
}

TEST_CASE("no_secret_stays_in_memory", "[auth]") {
    secrets const hidden{19791012};
    {
        auto const alive = hidden.general.make("pit-");
        memory_scan before{{hidden.general}};
        if (!before.run()) {
            WARN("the memory of this process cannot be searched: not done");
            return;
        }
        CHECK(before.found().at(0) == 1);
    }
    {
        std::ostringstream said;
        (void)make_calls(hidden, said);
        use_stores(hidden, said, false);
        (void)use_oauth(hidden, said);
    }
    memory_scan after{hidden.all()};
    REQUIRE(after.run());
    CHECK(after.found() == std::vector<std::size_t>(hidden.all().size(), 0));
}

} // namespace auth_secret_leaks_tests

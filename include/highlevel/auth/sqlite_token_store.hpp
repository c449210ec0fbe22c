// SPDX-License-Identifier: BSL-1.0
//
// Tokens in one SQLite database, shared by the processes of one machine. Optional: needs SQLite 3,
// and the program links it (CMake: highlevel::sqlite).
#pragma once

#include <highlevel/auth/detail/posix_file.hpp>
#include <highlevel/auth/token_json.hpp>
#include <highlevel/auth/token_store.hpp>
#include <highlevel/auth/token_store_error.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/system_error.hpp>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace highlevel::auth {

namespace detail {

class sqlite_category final : public boost::system::error_category {
public:
    constexpr sqlite_category() noexcept : error_category(0x1d6fa2c8e9053b47ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.sqlite"; }
    [[nodiscard]] std::string message(int value) const override { return ::sqlite3_errstr(value); }
};

inline constexpr sqlite_category sqlite_category_instance{};

/// Makes the database when there is none, since SQLite gives its log and shared memory the mode of
/// that; refuses one that others may use.
///
/// One that is there is left to SQLite to open: to close any descriptor of a file takes from the
/// process all locks that it has on it (POSIX fcntl), those of other connections, too, and then
/// another process takes itself for the last and removes the log.
inline void make_database(const std::string& path) {
    // Nobody else opens one before its maker has closed it.
    static std::mutex making;
    std::lock_guard const lock{making};
    file const made{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (made.descriptor() < 0 && errno != EEXIST) throw_errno("create " + path);
    struct stat s {};
    if (::lstat(path.c_str(), &s) != 0) throw_errno("stat " + path);
    if (!S_ISREG(s.st_mode)) {
        errno = S_ISLNK(s.st_mode) ? ELOOP : S_ISDIR(s.st_mode) ? EISDIR : EINVAL;
        throw_errno("open " + path);
    }
    check_mode(s, S_IRWXG | S_IRWXO, path);
}

/// A connection. Thread safety: distinct objects: safe; shared objects: one at a time.
class sqlite_connection {
public:
    explicit sqlite_connection(std::string path) : path_(std::move(path)) {
        make_database(path_);
        sqlite3* opened = nullptr;
        int const code = ::sqlite3_open_v2(
            path_.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
        connection_.reset(opened);
        if (code != SQLITE_OK) fail(code);
        ::sqlite3_extended_result_codes(opened, 1);
        // Others hold it for milliseconds only, and who waits may keep an event loop from its work.
        ::sqlite3_busy_timeout(opened, 2000);
    }

    /// Runs statements that give no rows.
    void run(const char* statements) {
        if (auto const code =
                ::sqlite3_exec(connection_.get(), statements, nullptr, nullptr, nullptr);
            code != SQLITE_OK)
            fail(code);
    }

    /// Number of rows that the last statement changed.
    [[nodiscard]] int changes() const noexcept { return ::sqlite3_changes(connection_.get()); }

    [[noreturn]] void fail(int code) const {
        auto const basic = code & 0xff;
        if (basic == SQLITE_BUSY)
            throw boost::system::system_error{make_error_code(token_store_errc::busy), path_};
        if (basic == SQLITE_CORRUPT || basic == SQLITE_NOTADB)
            throw boost::system::system_error{make_error_code(token_store_errc::damaged), path_};
        throw boost::system::system_error{
            boost::system::error_code{code, sqlite_category_instance}, path_};
    }

    [[nodiscard]] sqlite3* get() const noexcept { return connection_.get(); }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

private:
    struct closer {
        void operator()(sqlite3* c) const noexcept { ::sqlite3_close_v2(c); }
    };

    std::string path_;
    std::unique_ptr<sqlite3, closer> connection_;
};

/// A prepared statement that is used again and again.
class sqlite_statement {
public:
    sqlite_statement(sqlite_connection& on, const char* text) : on_(on) {
        sqlite3_stmt* made = nullptr;
        if (auto const code =
                ::sqlite3_prepare_v3(on.get(), text, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr);
            code != SQLITE_OK)
            on.fail(code);
        statement_.reset(made);
    }

    sqlite_statement& bind(int at, std::string_view text) {
        return check(::sqlite3_bind_text64(
            statement_.get(), at, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
    }
    sqlite_statement& bind(int at, std::int64_t number) {
        return check(::sqlite3_bind_int64(statement_.get(), at, number));
    }

    /// True when there is a row.
    [[nodiscard]] bool step() {
        int const code = ::sqlite3_step(statement_.get());
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) {
            ::sqlite3_reset(statement_.get());
            on_.fail(code);
        }
        return false;
    }

    [[nodiscard]] bool is_null(int column) {
        return ::sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
    }
    [[nodiscard]] std::int64_t number(int column) {
        return ::sqlite3_column_int64(statement_.get(), column);
    }
    /// Valid until the next step.
    [[nodiscard]] std::string_view text(int column) {
        auto const* const bytes = ::sqlite3_column_text(statement_.get(), column);
        auto const size = ::sqlite3_column_bytes(statement_.get(), column);
        if (bytes == nullptr) return {};
        return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
    }

    /// Makes it ready to be used again, and forgets what was bound.
    void reset() noexcept {
        ::sqlite3_reset(statement_.get());
        ::sqlite3_clear_bindings(statement_.get());
    }

private:
    struct finalizer {
        void operator()(sqlite3_stmt* s) const noexcept { ::sqlite3_finalize(s); }
    };

    sqlite_statement& check(int code) {
        if (code != SQLITE_OK) on_.fail(code);
        return *this;
    }

    sqlite_connection& on_;
    std::unique_ptr<sqlite3_stmt, finalizer> statement_;
};

/// Resets a statement where its use ends.
class sqlite_use {
public:
    explicit sqlite_use(sqlite_statement& s) noexcept : statement_(s) {}
    sqlite_use(const sqlite_use&) = delete;
    sqlite_use& operator=(const sqlite_use&) = delete;
    ~sqlite_use() { statement_.reset(); }

    sqlite_statement* operator->() const noexcept { return &statement_; }

private:
    sqlite_statement& statement_;
};

} // namespace detail

/// Tokens in a table, with a write-ahead log: kill -9 in the middle of anything loses nothing that
/// was acknowledged, and because every commit is brought to the disk, a loss of power neither.
///
/// The database file has mode 0600 and holds the tokens in clear; on a disk that is not encrypted
/// as a whole, file_token_store with a key tells a thief less. SQLite keeps copies of what it read
/// in its own memory and does not overwrite them there. In the database file it does
/// (secure_delete), but the log beside it (`-wal`, mode 0600 as well) keeps former tokens until it
/// is written over.
///
/// Leases are timed by the machine's clock of the day and end after their time also when their
/// process is gone; one from a time that a clock set back has not reached yet counts as ended.
///
/// Needs SQLite 3.35 or newer.
///
/// - Errors: boost::system::system_error with a token_store_errc or SQLite's extended result code,
///   and the file's name.
/// - The work is done before the coroutine first suspends.
/// - Thread safety: shared objects: safe; calls of one object run one after the other. Not to be
///   used on both sides of a fork().
class sqlite_token_store final : public token_store {
public:
    using clock = std::chrono::system_clock;

    /// Opens the database, or makes it. Its folder must exist, on a local file system. `now` is
    /// what leases are timed by; for tests.
    explicit sqlite_token_store(
        std::string path, std::function<clock::time_point()> now = clock::now)
        : now_(std::move(now)),
          connection_(std::move(path)),
          set_up_(set_up(connection_)),
          load_(connection_, "SELECT version, token FROM highlevel_token WHERE resource = ?1"),
          insert_(
              connection_,
              "INSERT INTO highlevel_token (resource, version, token) VALUES (?1, ?2, ?3) "
              "ON CONFLICT (resource) DO UPDATE SET version = ?2, token = ?3"),
          erase_(connection_, "UPDATE highlevel_token SET token = NULL WHERE resource = ?1"),
          list_(connection_, "SELECT resource FROM highlevel_token WHERE token IS NOT NULL"),
          lock_(
              connection_,
              "INSERT INTO highlevel_leases (resource, number, begins, ends) "
              "VALUES (?1, 1, ?3, ?2) "
              "ON CONFLICT (resource) DO UPDATE SET number = number + 1, begins = ?3, ends = ?2 "
              "WHERE ends <= ?3 OR begins > ?3 RETURNING number"),
          extend_(
              connection_,
              "UPDATE highlevel_leases SET begins = ?4, ends = ?3 "
              "WHERE resource = ?1 AND number = ?2 AND ends > ?4 AND begins <= ?4"),
          unlock_(
              connection_,
              "UPDATE highlevel_leases SET ends = 0 WHERE resource = ?1 AND number = ?2") {}

    boost::asio::awaitable<std::optional<token>> load(resource what) override {
        std::lock_guard const guard{mutex_};
        auto const key = what.key();
        detail::sqlite_use const found{load_};
        found->bind(1, key);
        if (!found->step() || found->is_null(1)) co_return std::nullopt;
        auto value = read_token(found->text(1));
        if (!value) complain(token_store_errc::damaged, key);
        co_return value;
    }

    boost::asio::awaitable<std::optional<std::uint64_t>> replace(
        resource what, std::uint64_t expected, token value) override {
        std::lock_guard const guard{mutex_};
        co_return put(key_of(what), expected, std::move(value));
    }

    boost::asio::awaitable<void> erase(resource what) override {
        std::lock_guard const guard{mutex_};
        auto const key = what.key();
        detail::sqlite_use const erased{erase_};
        erased->bind(1, key);
        (void)erased->step();
        co_return;
    }

    boost::asio::awaitable<std::optional<lease>> try_lock(
        resource what, std::chrono::milliseconds ttl) override {
        std::lock_guard const guard{mutex_};
        co_return take(std::move(what), ttl);
    }

    boost::asio::awaitable<bool> extend(lease held, std::chrono::milliseconds ttl) override {
        std::lock_guard const guard{mutex_};
        auto const key = held.what.key();
        auto const now = milliseconds_now();
        detail::sqlite_use const given{extend_};
        given->bind(1, key).bind(2, held.id).bind(3, now + ttl.count()).bind(4, now);
        (void)given->step();
        co_return connection_.changes() == 1;
    }

    boost::asio::awaitable<void> unlock(lease held) override {
        std::lock_guard const guard{mutex_};
        auto const key = held.what.key();
        detail::sqlite_use const given{unlock_};
        given->bind(1, key).bind(2, held.id);
        (void)given->step();
        co_return;
    }

    boost::asio::awaitable<std::vector<resource>> list() override {
        std::lock_guard const guard{mutex_};
        std::vector<resource> all;
        detail::sqlite_use const found{list_};
        while (found->step())
            if (auto what = resource::from_key(found->text(0))) all.push_back(std::move(*what));
        co_return all;
    }

private:
    static bool set_up(detail::sqlite_connection& on) {
        // To change the journal's mode, SQLite does not wait for other processes that do the same.
        auto const patience = std::chrono::steady_clock::now() + std::chrono::seconds{5};
        for (;;) {
            try {
                on.run("PRAGMA journal_mode = WAL");
                break;
            } catch (const boost::system::system_error& e) {
                if (e.code() != token_store_errc::busy ||
                    std::chrono::steady_clock::now() >= patience)
                    throw;
                std::this_thread::sleep_for(std::chrono::milliseconds{5});
            }
        }
        on.run("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
               "BEGIN IMMEDIATE;"
               "CREATE TABLE IF NOT EXISTS highlevel_token ("
               "resource TEXT PRIMARY KEY, version INTEGER NOT NULL, token TEXT) WITHOUT ROWID;"
               "CREATE TABLE IF NOT EXISTS highlevel_leases ("
               "resource TEXT PRIMARY KEY, number INTEGER NOT NULL, begins INTEGER NOT NULL,"
               " ends INTEGER NOT NULL)"
               " WITHOUT ROWID;"
               "COMMIT");
        return true;
    }

    [[nodiscard]] std::int64_t milliseconds_now() const {
        return std::chrono::floor<std::chrono::milliseconds>(now_()).time_since_epoch().count();
    }

    [[noreturn]] void complain(token_store_errc what, const std::string& key) const {
        throw boost::system::system_error{make_error_code(what), connection_.path() + ", " + key};
    }

    [[nodiscard]] std::string key_of(const resource& what) const {
        auto key = what.key();
        if (what.id.empty()) complain(token_store_errc::bad_id, key);
        return key;
    }

    /// Ends a transaction that was not committed.
    class transaction {
    public:
        explicit transaction(detail::sqlite_connection& on) : on_(on) {
            on_.run("BEGIN IMMEDIATE");
        }
        transaction(const transaction&) = delete;
        transaction& operator=(const transaction&) = delete;
        ~transaction() {
            if (open_) ::sqlite3_exec(on_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
        void commit() {
            on_.run("COMMIT");
            open_ = false;
        }

    private:
        detail::sqlite_connection& on_;
        bool open_ = true;
    };

    std::optional<lease> take(resource what, std::chrono::milliseconds ttl) {
        auto const key = key_of(what);
        // The time is read when nobody else can take a lease: one that another process took while
        // this one waited would begin later than that, and look like one of a clock set back.
        transaction change{connection_};
        auto const now = milliseconds_now();
        std::optional<lease> given;
        {
            detail::sqlite_use const taken{lock_};
            taken->bind(1, key).bind(2, now + ttl.count()).bind(3, now);
            if (!taken->step()) return given;
            given.emplace(std::move(what), std::to_string(taken->number(0)));
            // The statement takes effect when it has run to its end.
            while (taken->step()) {
            }
        }
        change.commit();
        return given;
    }

    std::optional<std::uint64_t> put(const std::string& key, std::uint64_t expected, token value) {
        transaction change{connection_};
        std::uint64_t last = 0;
        {
            detail::sqlite_use const found{load_};
            found->bind(1, key);
            std::uint64_t current = 0;
            if (found->step()) {
                last = static_cast<std::uint64_t>(found->number(0));
                if (!found->is_null(1)) current = last;
            }
            if (current != expected) return std::nullopt;
        }
        value.version = last + 1;
        auto const text = write_token(value);
        {
            detail::sqlite_use const stored{insert_};
            stored->bind(1, key)
                .bind(2, static_cast<std::int64_t>(value.version))
                .bind(3, text.reveal());
            (void)stored->step();
        }
        change.commit();
        return value.version;
    }

    std::mutex mutex_;
    std::function<clock::time_point()> now_;
    detail::sqlite_connection connection_;
    bool set_up_;
    detail::sqlite_statement load_;
    detail::sqlite_statement insert_;
    detail::sqlite_statement erase_;
    detail::sqlite_statement list_;
    detail::sqlite_statement lock_;
    detail::sqlite_statement extend_;
    detail::sqlite_statement unlock_;
};

} // namespace highlevel::auth

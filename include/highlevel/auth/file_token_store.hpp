// SPDX-License-Identifier: BSL-1.0
//
// Tokens in one folder, a file for each resource, shared by the processes of one machine. What was
// acknowledged survives kill -9 and a loss of power.
#pragma once

#include <highlevel/auth/detail/posix_file.hpp>
#include <highlevel/auth/detail/seal.hpp>
#include <highlevel/auth/token_json.hpp>
#include <highlevel/auth/token_store.hpp>
#include <highlevel/auth/token_store_error.hpp>
#include <highlevel/detail/base64.hpp>

#include <boost/system/system_error.hpp>

#include <dirent.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::auth {

/// The key of a file_token_store: 32 random bytes, spelled as 64 hexadecimal digits or as base64,
/// for example by `openssl rand -base64 32`. Throws token_store_errc::bad_key for anything else.
[[nodiscard]] inline secret read_token_key(std::string_view spelled) {
    std::string bytes;
    bytes.reserve(detail::seal_key_size); // growing would leave copies behind
    if (spelled.size() == 2 * detail::seal_key_size) {
        for (std::size_t i = 0; i < spelled.size(); i += 2) {
            unsigned value = 0;
            auto const* const end = spelled.data() + i + 2;
            auto const read = std::from_chars(spelled.data() + i, end, value, 16);
            if (read.ec != std::errc{} || read.ptr != end) break;
            bytes.push_back(static_cast<char>(value));
        }
    } else if (auto decoded = highlevel::detail::decode_base64(spelled)) {
        bytes = std::move(*decoded);
    }
    secret key{std::move(bytes)};
    if (key.reveal().size() != detail::seal_key_size)
        throw boost::system::system_error{make_error_code(token_store_errc::bad_key)};
    return key;
}

/// The key from an environment variable; empty when the variable is not set.
[[nodiscard]] inline secret token_key_from_environment(
    const char* variable = "HIGHLEVEL_TOKEN_KEY") {
    auto const* const spelled = std::getenv(variable);
    if (spelled == nullptr) return {};
    try {
        return read_token_key(spelled);
    } catch (const boost::system::system_error& e) {
        throw boost::system::system_error{e.code(), variable};
    }
}

/// Tokens in files.
///
/// The folder holds, for a resource, a file `.token` (the token or, after an erase, its last
/// version), `.lock` (held for milliseconds while the token is replaced) and `.lease`. A token file
/// is written beside the old one, brought to the disk and renamed over it, and then the folder is
/// brought to the disk: the old token is there in full until the new one is. All files have mode
/// 0600. With a key, tokens are encrypted by AES-256-GCM; a token that was written before there was
/// a key is still read, and encrypted when it is next replaced.
///
/// Leases end with their process, because the kernel then gives their file locks back, and are
/// timed by the machine's steady clock: the processes must run on one machine, and the folder lie
/// on a local file system. A lease is given back to the object that gave it.
///
/// - Errors: boost::system::system_error with a token_store_errc or an errno, and the file's name.
///   A damaged file is never overwritten by `replace`: erase() removes it.
/// - The work is done before the coroutine first suspends; a `replace` takes as long as the disk
///   needs for two fsync. Where others work on the same resource, it waits for them, at most two
///   seconds, and then fails with token_store_errc::busy.
/// - list() leaves out a resource whose file is damaged.
/// - Thread safety: shared objects: safe. After fork() without exec, use it in one of the two.
class file_token_store final : public token_store {
public:
    using clock = std::chrono::steady_clock;

    /// Uses `folder`, which is created with mode 0700 if only its last part is missing. An empty
    /// `key` leaves the tokens unencrypted. `now` is what leases are timed by; for tests.
    explicit file_token_store(
        std::string folder, secret key = {}, std::function<clock::time_point()> now = clock::now)
        : folder_(std::move(folder)),
          key_(std::move(key)),
          now_(std::move(now)) {
        if (!key_.empty()) {
            if (key_.reveal().size() != detail::seal_key_size)
                throw boost::system::system_error{make_error_code(token_store_errc::bad_key)};
            key_name_ = detail::sha256_hex({"highlevel token key", key_.reveal()}).substr(0, 16);
        }
        if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
            detail::throw_errno("create " + folder_);
        auto const opened = detail::file::open_existing(folder_, O_RDONLY | O_DIRECTORY);
        if (!opened) detail::throw_errno("open " + folder_);
        detail::check_mode(opened->status(folder_), S_IWGRP | S_IWOTH, folder_);
    }

    boost::asio::awaitable<std::optional<token>> load(resource what) override {
        auto const found = read(what, true);
        if (!found) co_return std::nullopt;
        co_return found->value;
    }

    boost::asio::awaitable<std::optional<std::uint64_t>> replace(
        resource what, std::uint64_t expected, token value) override {
        co_return put(what, expected, std::move(value));
    }

    boost::asio::awaitable<void> erase(resource what) override {
        auto const locked = lock(what);
        std::uint64_t last = 0;
        try {
            auto const found = read(what, false);
            if (!found) co_return;
            last = found->version;
        } catch (const boost::system::system_error& e) {
            if (e.code() != token_store_errc::damaged) throw;
            // Versions go on from a number that no store has counted up to.
            last = static_cast<std::uint64_t>(
                std::chrono::system_clock::now().time_since_epoch() / std::chrono::microseconds{1});
        }
        write(what, header("erased", last) + '\n');
        co_return;
    }

    boost::asio::awaitable<std::optional<lease>> try_lock(
        resource what, std::chrono::milliseconds ttl) override {
        auto const locked = lock(what);
        auto const path = path_of(what, ".lease");
        auto const now = now_().time_since_epoch();
        auto opened = detail::file::open_or_create(path, 0);
        if (!opened.try_lock(path)) {
            auto const until = end_of_lease(opened.read(64, path).reveal());
            if (!until || now < *until) co_return std::nullopt;
            // The holder outstayed its time: it keeps the lock of a file that is no more.
            if (::unlink(path.c_str()) != 0) detail::throw_errno("remove " + path);
            opened = detail::file::open_or_create(path, O_EXCL);
            if (!opened.try_lock(path)) co_return std::nullopt;
        }
        auto const end = std::chrono::duration_cast<std::chrono::milliseconds>(now) + ttl;
        if (::ftruncate(opened.descriptor(), 0) != 0) detail::throw_errno("empty " + path);
        opened.write(std::to_string(end.count()) + '\n', path);
        std::lock_guard const guard{leases_mutex_};
        lease given{what, std::to_string(++last_lease_)};
        leases_.insert_or_assign(std::move(what), held_lease{last_lease_, std::move(opened)});
        co_return given;
    }

    boost::asio::awaitable<bool> extend(lease held, std::chrono::milliseconds ttl) override {
        // Nobody may take it over in the middle of this.
        auto const locked = lock(held.what);
        auto const path = path_of(held.what, ".lease");
        auto const now = now_().time_since_epoch();
        std::lock_guard const guard{leases_mutex_};
        auto const found = leases_.find(held.what);
        if (found == leases_.end() || std::to_string(found->second.number) != held.id)
            co_return false;
        auto const& mine = found->second.opened;
        auto const current = detail::file::open_existing(path, O_RDONLY);
        if (!current || current->status(path).st_ino != mine.status(path).st_ino) co_return false;
        auto const until = end_of_lease(mine.read(64, path).reveal());
        if (!until || now >= *until) co_return false;
        auto const end = std::chrono::duration_cast<std::chrono::milliseconds>(now) + ttl;
        mine.write_at_start(std::to_string(end.count()) + '\n', path);
        co_return true;
    }

    boost::asio::awaitable<void> unlock(lease held) override {
        std::lock_guard const guard{leases_mutex_};
        auto const found = leases_.find(held.what);
        if (found != leases_.end() && std::to_string(found->second.number) == held.id)
            leases_.erase(found);
        co_return;
    }

    boost::asio::awaitable<std::vector<resource>> list() override {
        std::unique_ptr<DIR, int (*)(DIR*)> const folder{::opendir(folder_.c_str()), &::closedir};
        if (!folder) detail::throw_errno("open " + folder_);
        std::vector<resource> all;
        while (auto const* const entry = ::readdir(folder.get())) {
            auto what = resource_of(entry->d_name);
            if (!what) continue;
            try {
                auto const found = read(*what, false);
                if (found && !found->erased) all.push_back(std::move(*what));
            } catch (const boost::system::system_error& e) {
                // It is not worth the others; load() says what is wrong with it.
                if (e.code() != token_store_errc::damaged) throw;
            }
        }
        co_return all;
    }

private:
    static constexpr std::size_t largest_file = 1U << 20U;
    static constexpr std::string_view format = "highlevel-token-1";

    class held_lease {
    public:
        held_lease(std::uint64_t n, detail::file f) : number(n), opened(std::move(f)) {}

        std::uint64_t number;
        detail::file opened;
    };

    /// What a file says; `value` only where it was asked for.
    class content {
    public:
        content() = default;

        std::uint64_t version = 0;
        bool erased = false;
        std::optional<token> value;
    };

    /// Ids are letters and digits in practice. Whatever else comes is spelled so that it can name a
    /// file, and so that two ids never name the same one.
    [[nodiscard]] static std::string name_of(const resource& what) {
        constexpr std::size_t longest = 200;
        constexpr std::string_view digits = "0123456789abcdef";
        std::string name{to_string(what.kind)};
        name += '-';
        for (char const c : what.id) {
            bool const plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
            if (plain) {
                name += c;
                continue;
            }
            auto const byte = static_cast<unsigned char>(c);
            name += '%';
            name += digits[byte >> 4U];
            name += digits[byte & 15U];
        }
        if (what.id.empty() || name.size() > longest)
            throw boost::system::system_error{
                make_error_code(token_store_errc::bad_id), name.substr(0, longest)};
        return name;
    }

    /// The resource whose token file has this name, if it is one.
    [[nodiscard]] static std::optional<resource> resource_of(std::string_view name) {
        constexpr std::string_view suffix = ".token";
        if (!name.ends_with(suffix)) return std::nullopt;
        name.remove_suffix(suffix.size());
        for (auto const kind : {resource_kind::location, resource_kind::company}) {
            auto const prefix = to_string(kind);
            if (!name.starts_with(prefix) || name.size() < prefix.size() + 2) continue;
            auto const spelled = name.substr(prefix.size() + 1);
            resource what{kind, {}};
            for (std::size_t i = 0; i < spelled.size(); ++i) {
                if (spelled[i] != '%') {
                    what.id += spelled[i];
                    continue;
                }
                if (i + 2 >= spelled.size()) return std::nullopt;
                unsigned byte = 0;
                std::from_chars(spelled.data() + i + 1, spelled.data() + i + 3, byte, 16);
                what.id += static_cast<char>(byte);
                i += 2;
            }
            return what;
        }
        return std::nullopt;
    }

    [[nodiscard]] std::string path_of(const resource& what, std::string_view suffix) const {
        std::string path{folder_};
        path += '/';
        path += name_of(what);
        path += suffix;
        return path;
    }

    /// One at a time may change a resource's files: of the threads as of the processes, since the
    /// lock belongs to the open file, not to the process.
    [[nodiscard]] detail::file lock(const resource& what) const {
        return detail::lock_file(path_of(what, ".lock"));
    }

    [[nodiscard]] static std::optional<std::chrono::milliseconds> end_of_lease(
        std::string_view text) {
        std::int64_t count = 0;
        auto const read = std::from_chars(text.data(), text.data() + text.size(), count);
        if (read.ec != std::errc{}) return std::nullopt;
        return std::chrono::milliseconds{count};
    }

    [[nodiscard]] static std::string header(std::string_view state, std::uint64_t version) {
        std::string text{format};
        text += ' ';
        text += std::to_string(version);
        text += ' ';
        text += state;
        return text;
    }

    [[noreturn]] static void complain(token_store_errc what, const std::string& path) {
        throw boost::system::system_error{make_error_code(what), path};
    }

    std::optional<std::uint64_t> put(const resource& what, std::uint64_t expected, token value) {
        auto const locked = lock(what);
        auto const found = read(what, true);
        auto const current = found && !found->erased ? found->version : 0;
        if (current != expected) return std::nullopt;
        value.version = (found ? found->version : 0) + 1;
        auto const text = write_token(value);
        auto const key = what.key();
        if (key_.empty()) {
            auto const head = header("plain", value.version);
            auto const digest = detail::sha256_hex({head, "\n", key, "\n", text.reveal()});
            auto const bytes = joined(head + ' ' + digest + '\n', text.reveal());
            write(what, bytes.reveal());
        } else {
            auto const head = header("aes-256-gcm", value.version) + ' ' + key_name_;
            write(what, head + '\n' + detail::seal(text.reveal(), head + '\n' + key, key_));
        }
        return value.version;
    }

    [[nodiscard]] static secret joined(std::string_view head, std::string_view text) {
        std::string bytes;
        bytes.reserve(head.size() + text.size());
        bytes += head;
        bytes += text;
        return secret{std::move(bytes)};
    }

    void write(const resource& what, std::string_view bytes) const {
        auto const path = path_of(what, ".token");
        auto const beside = path_of(what, ".new");
        {
            // What a process that was killed left is no use to anybody.
            ::unlink(beside.c_str());
            auto const made = detail::file::open_or_create(beside, O_EXCL);
            made.write(bytes, beside);
            made.sync(beside);
        }
        if (::rename(beside.c_str(), path.c_str()) != 0) detail::throw_errno("rename " + beside);
        auto const folder = detail::file::open_existing(folder_, O_RDONLY | O_DIRECTORY);
        if (!folder) detail::throw_errno("open " + folder_);
        folder->sync(folder_);
    }

    /// Reads a resource's file; the token itself only when it is wanted. A rename puts a whole file
    /// in place of another, so reading needs no lock.
    [[nodiscard]] std::optional<content> read(const resource& what, bool wanted) const {
        auto const path = path_of(what, ".token");
        auto const opened = detail::file::open_existing(path, O_RDONLY);
        if (!opened) return std::nullopt;
        auto const status = opened->status(path);
        detail::check_mode(status, S_IRWXG | S_IRWXO, path);
        auto const size = static_cast<std::size_t>(status.st_size);
        if (size > largest_file) complain(token_store_errc::damaged, path);
        auto const text = opened->read(size, path);

        // format version state [name of the key, or digest] \n body
        auto const all = text.reveal();
        auto const line = all.substr(0, all.find('\n'));
        if (line.size() == all.size()) complain(token_store_errc::damaged, path);
        auto const body = all.substr(line.size() + 1);
        std::array<std::string_view, 4> words;
        auto rest = line;
        for (auto& word : words) {
            word = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        }
        content out;
        auto const* const digits_end = words[1].data() + words[1].size();
        auto const number = std::from_chars(words[1].data(), digits_end, out.version);
        if (words[0] != format || !rest.empty() || number.ec != std::errc{} ||
            number.ptr != digits_end || out.version == 0)
            complain(token_store_errc::damaged, path);

        out.erased = words[2] == "erased";
        if (out.erased || !wanted) return out;
        if (words[2] == "plain") {
            auto const head = header(words[2], out.version);
            if (detail::sha256_hex({head, "\n", what.key(), "\n", body}) != words[3])
                complain(token_store_errc::damaged, path);
            out.value = read_token(body);
        } else if (words[2] == "aes-256-gcm") {
            if (key_.empty()) complain(token_store_errc::no_key, path);
            if (words[3] != key_name_) complain(token_store_errc::wrong_key, path);
            std::string head{line};
            head += '\n';
            head += what.key();
            auto const plain = detail::unseal(body, head, key_);
            if (plain) out.value = read_token(plain->reveal());
        }
        if (!out.value || out.value->version != out.version)
            complain(token_store_errc::damaged, path);
        return out;
    }

    std::string folder_;
    secret key_;
    std::string key_name_;
    std::function<clock::time_point()> now_;
    std::mutex leases_mutex_;
    std::map<resource, held_lease> leases_;
    std::uint64_t last_lease_ = 0;
};

} // namespace highlevel::auth

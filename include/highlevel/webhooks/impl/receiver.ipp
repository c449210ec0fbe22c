// SPDX-License-Identifier: BSL-1.0
//
// The receiver's sockets: an acceptor and connections that speak HTTP/1.1 over TCP or TLS, each on
// a strand of its own.
#pragma once

#include <highlevel/detail/config.hpp>
#include <highlevel/webhooks/receiver.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <map>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace highlevel::webhooks::detail {

namespace asio = boost::asio;
using boost::system::error_code;

// Sockets know their strand by its type; the reason stands in sandbox/impl/server.ipp.
using strand = asio::strand<asio::any_io_executor>;
using socket_type = asio::basic_stream_socket<asio::ip::tcp, strand>;
using acceptor_type = asio::basic_socket_acceptor<asio::ip::tcp, strand>;
using timer_type = asio::basic_waitable_timer<
    std::chrono::steady_clock,
    asio::wait_traits<std::chrono::steady_clock>,
    strand>;

class connection;

/// Everything that a receiver owns; connections share it.
class receiver_core : public std::enable_shared_from_this<receiver_core> {
public:
    receiver_core(asio::any_io_executor executor, receiver_options o)
        : settings((o.validate(), std::move(o))),
          box(settings.inbox),
          port(settings.port),
          executor_(std::move(executor)),
          acceptor_(asio::make_strand(executor_)) {
        if (settings.certificate_pem.empty()) return;
        tls_.emplace(asio::ssl::context::tls_server);
        tls_->set_options(
            asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
            asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
            asio::ssl::context::no_tlsv1_1);
        tls_->use_certificate_chain(asio::buffer(settings.certificate_pem));
        tls_->use_private_key(asio::buffer(settings.private_key_pem), asio::ssl::context::pem);
    }

    void start();
    void stop();
    void abort();
    void forget(std::uint64_t id);
    /// A connection fell silent, or no longer is. `stranger`: it has made no request yet.
    void silent(std::uint64_t id, bool stranger);
    void busy(std::uint64_t id);
    /// Somebody waits for a place: the longest silence ends.
    void make_room();

    receiver_options settings;
    inbox box;
    std::atomic<std::uint16_t> port;
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> too_large{0};
    std::atomic<std::uint64_t> unreadable{0};
    std::atomic<std::uint64_t> truncated{0};
    std::atomic<std::uint64_t> timed_out{0};
    std::atomic<std::uint64_t> made_room{0};
    std::atomic<std::uint64_t> crowded{0};
    std::atomic<bool> stopping{false};

    [[nodiscard]] std::size_t open_connections() const {
        std::lock_guard const lock{mutex_};
        return alive_.size();
    }

private:
    // What is known of a connection that lives.
    class guest {
    public:
        std::weak_ptr<connection> who;
        asio::ip::address from;
        // Where it stands in `silent_`.
        std::optional<std::list<std::uint64_t>::iterator> place;
        bool stranger = true;
    };

    void accept();
    void on_accept(error_code ec, socket_type socket);
    bool admit(std::uint64_t id, const asio::ip::address& from);
    void leave_silence(guest& of);
    std::vector<std::shared_ptr<connection>> open();

    asio::any_io_executor executor_;
    acceptor_type acceptor_; // on its strand, but for start()
    std::optional<asio::ssl::context> tls_;

    mutable std::mutex mutex_;
    std::unordered_map<std::uint64_t, guest> alive_;
    std::map<asio::ip::address, std::size_t> from_;
    // Strangers, and those between two requests; each with the longest silence first.
    std::array<std::list<std::uint64_t>, 2> silent_;
    bool paused_ = false;     // nobody accepts, for want of places
    bool waiting_ = false;    // and somebody waits for one
    std::uint64_t watch_ = 0; // which watch for somebody to come counts; on the acceptor's strand
};

/// One peer. All its handlers run on the strand that its socket was accepted on.
class connection : public std::enable_shared_from_this<connection> {
public:
    connection(std::shared_ptr<receiver_core> core, std::uint64_t id, strand executor)
        : core_(std::move(core)),
          id_(id),
          executor_(std::move(executor)),
          timer_(executor_) {}
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    virtual ~connection() { core_->forget(id_); }

    /// Begins to serve. From any thread.
    void start() {
        asio::dispatch(executor_, [self = shared_from_this()] {
            self->limit(self->core_->settings.request_timeout);
            self->handshake();
        });
    }
    /// Ends after the request that has begun, or now. From any thread.
    void drain() {
        asio::post(executor_, [self = shared_from_this()] {
            if (self->idle_) self->close();
        });
    }
    /// Ends if it is still silent. From any thread.
    void make_room() {
        asio::post(executor_, [self = shared_from_this()] {
            if (self->closed_) return;
            if (!self->idle_) return self->core_->make_room(); // it has just begun a request
            ++self->core_->made_room;
            self->close();
        });
    }
    /// Closes the socket at once. From any thread.
    void abort() {
        asio::post(executor_, [self = shared_from_this()] { self->close(); });
    }

protected:
    virtual void handshake() = 0;
    virtual void read_some(asio::mutable_buffer into) = 0;
    virtual void write_all(asio::const_buffer data) = 0;
    virtual void finish() = 0;
    virtual socket_type& socket() noexcept = 0;

    void close() {
        closed_ = true;
        timer_.cancel();
        error_code ignored;
        socket().close(ignored);
    }

    void on_handshake(error_code ec) {
        if (ec || closed_) return close();
        begin_request();
    }

    void on_read(error_code ec, std::size_t n) {
        if (closed_) return;
        if (ec) {
            if (!idle_) ++core_->truncated;
            return close();
        }
        // From its first byte on a request has one limit, however slowly it comes; the first one
        // has it from the connection's beginning.
        if (std::exchange(idle_, false)) {
            core_->busy(id_);
            if (!stranger_) limit(core_->settings.request_timeout);
        }
        end_ += n;
        parse();
    }

    void on_write(error_code ec) {
        if (ec || closed_) return close();
        if (std::exchange(interim_, false)) return read();
        if (keep_alive_) return begin_request();
        // A peer that does not close in turn gets a second.
        idle_ = true;
        limit(std::chrono::seconds{1});
        finish();
    }

private:
    using parser_type = boost::beast::http::request_parser<boost::beast::http::string_body>;

    void begin_request() {
        parser_.emplace();
        parser_->eager(true);
        parser_->header_limit(core_->settings.max_header);
        parser_->body_limit(core_->settings.inbox.guard.max_body);
        continue_sent_ = false;
        if (begin_ < end_) {
            limit(core_->settings.request_timeout);
            return parse(); // the next request came with the last one
        }
        begin_ = end_ = 0;
        if (core_->stopping) return close();
        idle_ = true;
        core_->silent(id_, stranger_);
        if (!stranger_) limit(core_->settings.idle_timeout);
        read();
    }

    void read() {
        std::copy(
            in_.begin() + static_cast<std::ptrdiff_t>(begin_),
            in_.begin() + static_cast<std::ptrdiff_t>(end_), in_.begin());
        end_ -= std::exchange(begin_, 0);
        read_some(asio::buffer(in_.data() + end_, in_.size() - end_));
    }

    void parse() {
        error_code ec;
        while (begin_ < end_ && !parser_->is_done()) {
            auto const used = parser_->put(asio::buffer(in_.data() + begin_, end_ - begin_), ec);
            begin_ += used;
            if (ec == boost::beast::http::error::need_more) {
                ec = {};
                // Only a header line is ever left unread, and a buffer holds the longest header.
                if (begin_ == 0 && end_ == in_.size()) ec = boost::beast::http::error::header_limit;
                if (!ec) break;
            }
            if (ec) return refuse(ec);
        }
        if (parser_->is_done()) return on_request();
        if (parser_->is_header_done() && !continue_sent_) {
            auto const& fields = parser_->get();
            auto const expect = fields.find(boost::beast::http::field::expect);
            if (expect != fields.end() &&
                http::field_name_equal(
                    {expect->value().data(), expect->value().size()}, "100-continue")) {
                continue_sent_ = interim_ = true;
                out_ = "HTTP/1.1 100 Continue\r\n\r\n";
                return write_all(asio::buffer(out_));
            }
        }
        read();
    }

    void refuse(error_code ec) {
        auto const large = ec == boost::beast::http::error::body_limit;
        ++(large ? core_->too_large : core_->unreadable);
        keep_alive_ = false;
        answer(large ? 413 : 400);
    }

    void on_request() {
        ++core_->requests;
        stranger_ = false;
        auto& message = parser_->get();
        keep_alive_ = message.keep_alive() && !core_->stopping;
        signatures found;
        for (auto const& field : message)
            inbox::note_field(
                found, {field.name_string().data(), field.name_string().size()},
                {field.value().data(), field.value().size()});
        auto const status = core_->box.handle(
            message.method() == boost::beast::http::verb::post,
            {message.target().data(), message.target().size()}, found, std::move(message.body()));
        // HighLevel's own deliveries do not end so; who else comes does not keep a place.
        if (status != 429 && status > 400) keep_alive_ = false;
        answer(status);
    }

    void answer(unsigned status) {
        limit(core_->settings.request_timeout);
        out_ = "HTTP/1.1 ";
        out_ += std::to_string(status);
        auto const reason =
            boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
        out_.append(" ").append(reason.data(), reason.size());
        out_ += "\r\nContent-Length: 0\r\n";
        if (status == 405) out_ += "Allow: POST\r\n";
        if (!keep_alive_) out_ += "Connection: close\r\n";
        out_ += "\r\n";
        write_all(asio::buffer(out_));
    }

    void limit(std::chrono::milliseconds time) {
        timer_.expires_after(time);
        timer_.async_wait([weak = weak_from_this()](error_code ec) {
            auto const self = weak.lock();
            if (ec || !self || self->closed_) return;
            // It may have been set anew after this handler was queued.
            if (self->timer_.expiry() > std::chrono::steady_clock::now()) return;
            if (!self->idle_) ++self->core_->timed_out;
            self->close();
        });
    }

protected:
    std::shared_ptr<receiver_core> core_;

private:
    std::uint64_t id_;
    strand executor_;
    timer_type timer_;
    std::vector<char> in_ = std::vector<char>(core_->settings.max_header + std::size_t{4096});
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::optional<parser_type> parser_;
    std::string out_;
    bool idle_ = false;    // between requests
    bool stranger_ = true; // has made none
    bool keep_alive_ = true;
    bool continue_sent_ = false;
    bool interim_ = false;
    bool closed_ = false;
};

/// A peer on plain TCP.
class plain_connection final : public connection {
public:
    plain_connection(std::shared_ptr<receiver_core> core, std::uint64_t id, socket_type socket)
        : connection(std::move(core), id, socket.get_executor()),
          socket_(std::move(socket)) {}

private:
    std::shared_ptr<plain_connection> self() {
        return std::static_pointer_cast<plain_connection>(shared_from_this());
    }
    void handshake() override { on_handshake({}); }
    void read_some(asio::mutable_buffer into) override {
        socket_.async_read_some(
            into, [self = self()](error_code ec, std::size_t n) { self->on_read(ec, n); });
    }
    void write_all(asio::const_buffer data) override {
        asio::async_write(
            socket_, data, [self = self()](error_code ec, std::size_t) { self->on_write(ec); });
    }
    void finish() override {
        error_code ignored;
        socket_.shutdown(socket_type::shutdown_send, ignored);
        // Reading to the end keeps unread bytes from turning the close into a reset.
        discard();
    }
    void discard() {
        socket_.async_read_some(asio::buffer(rest_), [self = self()](error_code ec, std::size_t) {
            if (ec) return self->close();
            self->discard();
        });
    }
    socket_type& socket() noexcept override { return socket_; }

    socket_type socket_;
    std::array<char, 4096> rest_;
};

/// A peer on TLS.
class tls_connection final : public connection {
public:
    tls_connection(
        std::shared_ptr<receiver_core> core,
        std::uint64_t id,
        socket_type socket,
        asio::ssl::context& context)
        : connection(std::move(core), id, socket.get_executor()),
          stream_(std::move(socket), context) {}

private:
    std::shared_ptr<tls_connection> self() {
        return std::static_pointer_cast<tls_connection>(shared_from_this());
    }
    void handshake() override {
        stream_.async_handshake(asio::ssl::stream_base::server, [self = self()](error_code ec) {
            self->on_handshake(ec);
        });
    }
    void read_some(asio::mutable_buffer into) override {
        stream_.async_read_some(
            into, [self = self()](error_code ec, std::size_t n) { self->on_read(ec, n); });
    }
    void write_all(asio::const_buffer data) override {
        asio::async_write(
            stream_, data, [self = self()](error_code ec, std::size_t) { self->on_write(ec); });
    }
    void finish() override {
        stream_.async_shutdown([self = self()](error_code) { self->close(); });
    }
    socket_type& socket() noexcept override { return stream_.next_layer(); }

    asio::ssl::stream<socket_type> stream_;
};

inline void receiver_core::start() {
    error_code not_numeric;
    auto const address = asio::ip::make_address(settings.address, not_numeric);
    if (not_numeric)
        throw std::invalid_argument{"receiver option address must be a numeric IP address"};
    asio::ip::tcp::endpoint const at{address, port};
    acceptor_.open(at.protocol());
    acceptor_.set_option(acceptor_type::reuse_address(true));
    acceptor_.bind(at);
    acceptor_.listen(acceptor_type::max_listen_connections);
    port = acceptor_.local_endpoint().port();
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] { self->accept(); });
}

inline void receiver_core::accept() {
    if (!acceptor_.is_open()) return;
    bool full = false;
    {
        std::lock_guard const lock{mutex_};
        full = paused_ = alive_.size() >= settings.max_connections;
        waiting_ = false;
    }
    if (full) {
        // Nobody has to go before somebody comes.
        acceptor_.async_wait(
            acceptor_type::wait_read, [self = shared_from_this(), mine = ++watch_](error_code ec) {
                if (!ec && mine == self->watch_) self->make_room();
            });
        return;
    }
    // Whom an earlier watch would see is accepted now.
    error_code ignored;
    acceptor_.cancel(ignored);
    ++watch_;
    acceptor_.async_accept(
        asio::make_strand(executor_),
        [self = shared_from_this()](error_code ec, socket_type socket) {
            self->on_accept(ec, std::move(socket));
        });
}

inline void receiver_core::make_room() {
    std::shared_ptr<connection> leaving;
    {
        std::lock_guard const lock{mutex_};
        if (!paused_) return;
        for (auto& each : silent_) {
            while (!each.empty() && !leaving) {
                auto& chosen = alive_.at(each.front());
                leaving = chosen.who.lock();
                leave_silence(chosen);
            }
        }
        // Then the first that falls silent goes.
        waiting_ = !leaving;
    }
    if (leaving) leaving->make_room();
}

// Under the lock.
inline void receiver_core::leave_silence(guest& of) {
    if (!of.place) return;
    silent_[of.stranger ? 0 : 1].erase(*of.place);
    of.place.reset();
}

inline void receiver_core::silent(std::uint64_t id, bool stranger) {
    bool wanted = false;
    {
        std::lock_guard const lock{mutex_};
        auto const found = alive_.find(id);
        if (found == alive_.end()) return;
        leave_silence(found->second);
        found->second.stranger = stranger;
        auto& line = silent_[stranger ? 0 : 1];
        found->second.place = line.insert(line.end(), id);
        wanted = waiting_;
    }
    if (wanted) make_room();
}

inline void receiver_core::busy(std::uint64_t id) {
    std::lock_guard const lock{mutex_};
    auto const found = alive_.find(id);
    if (found != alive_.end()) leave_silence(found->second);
}

// Whether there may be one more from that address; it then has its place.
inline bool receiver_core::admit(std::uint64_t id, const asio::ip::address& from) {
    std::lock_guard const lock{mutex_};
    auto const most = settings.max_connections_per_address;
    auto& there = from_[from];
    if (most > 0 && there >= most) return false;
    alive_[id].from = from;
    ++there;
    return true;
}

inline void receiver_core::on_accept(error_code ec, socket_type socket) {
    if (ec == asio::error::operation_aborted || stopping) return;
    if (ec) {
        // Out of descriptors, most likely: they come back when connections close.
        auto const pause =
            std::make_shared<timer_type>(acceptor_.get_executor(), std::chrono::milliseconds{20});
        pause->async_wait([self = shared_from_this(), pause](error_code) { self->accept(); });
        return;
    }
    error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    auto const id = ++connections;
    if (!admit(id, socket.remote_endpoint(ignored).address())) {
        ++crowded;
        socket.close(ignored);
        return accept();
    }
    // Not under the lock: should it fail, its destructor wants the lock.
    std::shared_ptr<connection> made;
    if (tls_)
        made = std::make_shared<tls_connection>(shared_from_this(), id, std::move(socket), *tls_);
    else
        made = std::make_shared<plain_connection>(shared_from_this(), id, std::move(socket));
    {
        std::lock_guard const lock{mutex_};
        alive_[id].who = made;
    }
    // Whoever aborts from another thread sets this before looking at those that are alive.
    if (stopping) return;
    made->start();
    accept();
}

inline void receiver_core::forget(std::uint64_t id) {
    bool resume = false;
    bool last = false;
    {
        std::lock_guard const lock{mutex_};
        if (auto const found = alive_.find(id); found != alive_.end()) {
            leave_silence(found->second);
            auto const there = from_.find(found->second.from);
            if (there != from_.end() && --there->second == 0) from_.erase(there);
            alive_.erase(found);
        }
        resume = std::exchange(paused_, false);
        last = stopping && alive_.empty();
    }
    if (last) box.close();
    if (resume && !stopping)
        asio::post(acceptor_.get_executor(), [self = shared_from_this()] { self->accept(); });
}

inline std::vector<std::shared_ptr<connection>> receiver_core::open() {
    std::vector<std::shared_ptr<connection>> all;
    std::lock_guard const lock{mutex_};
    for (auto const& [id, each] : alive_)
        if (auto strong = each.who.lock()) all.push_back(std::move(strong));
    return all;
}

inline void receiver_core::stop() {
    // On the acceptor's strand no connection comes between the flag and the count.
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
        if (self->stopping.exchange(true)) return;
        error_code ignored;
        self->acceptor_.close(ignored);
        auto const all = self->open();
        for (auto const& each : all)
            each->drain();
        bool none = false;
        {
            std::lock_guard const lock{self->mutex_};
            none = self->alive_.empty();
        }
        if (none) self->box.close();
    });
}

inline void receiver_core::abort() {
    stopping = true;
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] {
        error_code ignored;
        self->acceptor_.close(ignored);
    });
    for (auto const& each : open())
        each->abort();
    box.close();
}

} // namespace highlevel::webhooks::detail

namespace highlevel::webhooks {

HIGHLEVEL_DECL receiver::receiver(boost::asio::any_io_executor executor, receiver_options options)
    : core_(std::make_shared<detail::receiver_core>(std::move(executor), std::move(options))) {}

HIGHLEVEL_DECL receiver::~receiver() {
    core_->abort();
}

HIGHLEVEL_DECL void receiver::start() {
    core_->start();
}
HIGHLEVEL_DECL void receiver::stop() {
    core_->stop();
}

HIGHLEVEL_DECL std::uint16_t receiver::port() const noexcept {
    return core_->port;
}

HIGHLEVEL_DECL std::string receiver::base_url() const {
    auto const& address = core_->settings.address;
    auto const literal = address.find(':') == std::string::npos ? address : '[' + address + ']';
    return (core_->settings.certificate_pem.empty() ? "http://" : "https://") + literal + ':' +
        std::to_string(core_->port);
}

HIGHLEVEL_DECL boost::asio::awaitable<std::optional<event>> receiver::next() {
    // Not a coroutine itself: it would look at this object when it is first resumed, which may be
    // after the object's end.
    return core_->box.next();
}

HIGHLEVEL_DECL receiver_counters receiver::counters() const {
    receiver_counters all;
    all.inbox = core_->box.counters();
    all.connections = core_->connections;
    all.open_connections = core_->open_connections();
    all.requests = core_->requests;
    all.too_large = core_->too_large;
    all.unreadable = core_->unreadable;
    all.truncated = core_->truncated;
    all.timed_out = core_->timed_out;
    all.made_room = core_->made_room;
    all.crowded = core_->crowded;
    return all;
}

} // namespace highlevel::webhooks

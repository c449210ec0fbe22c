// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's sockets: an acceptor, connections that speak HTTP/1.1 over TCP or TLS, each on a
// strand of its own, and the threads that run them.
#pragma once

#include <highlevel/detail/config.hpp>
#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/certificate.hpp>
#include <highlevel/sandbox/detail/faults.hpp>
#include <highlevel/sandbox/server.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <atomic>
#include <functional>
#include <thread>
#include <unordered_map>

namespace highlevel::sandbox::detail {

namespace asio = boost::asio;
using boost::system::error_code;

// Sockets know their strand by its type: any_io_executor would keep it on the heap and count its
// owners with fences, which cost time and which ThreadSanitizer does not understand.
using strand = asio::strand<asio::any_io_executor>;
using socket_type = asio::basic_stream_socket<asio::ip::tcp, strand>;
using acceptor_type = asio::basic_socket_acceptor<asio::ip::tcp, strand>;
using timer_type = asio::basic_waitable_timer<
    std::chrono::steady_clock,
    asio::wait_traits<std::chrono::steady_clock>,
    strand>;

class connection;

/// Everything that a server owns; connections share it, so it outlives them.
class server_core : public std::enable_shared_from_this<server_core> {
public:
    using clock = std::chrono::steady_clock;

    server_core(options o, asio::any_io_executor executor);

    void start();
    void stop();
    void drop_connections();

    // For connections.
    [[nodiscard]] api::duration now() const noexcept { return clock::now() - origin_; }
    [[nodiscard]] std::shared_ptr<const response_hook> hook() const {
        std::lock_guard const lock(hook_mutex_);
        return hook_;
    }
    void forget(std::uint64_t connection_id);

    options settings;
    api service;
    certificate made_certificate;
    std::string all_token;
    std::atomic<std::uint16_t> port{0};
    std::atomic<std::int64_t> latency_min{0};
    std::atomic<std::int64_t> latency_max{0};
    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> open_connections{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> scripted{0};
    std::atomic<std::uint64_t> resets{0};
    std::atomic<std::uint64_t> server_errors{0};
    std::atomic<std::uint64_t> gateway_timeouts{0};
    std::atomic<std::uint64_t> stalls{0};

    void set_hook(response_hook hook) {
        auto made = hook ? std::make_shared<const response_hook>(std::move(hook)) : nullptr;
        std::lock_guard const lock(hook_mutex_);
        hook_ = std::move(made);
    }
    location_info describe(const location& place);

private:
    void accept(std::shared_ptr<acceptor_type> from);
    static void check(const options& settings);

    clock::time_point origin_ = clock::now();
    mutable std::mutex hook_mutex_;
    std::shared_ptr<const response_hook> hook_;
    std::optional<asio::ssl::context> tls_;

    asio::any_io_executor executor_; // as given; empty when the server has threads of its own
    std::unique_ptr<asio::io_context> context_;
    std::vector<std::thread> threads_;
    std::shared_ptr<acceptor_type> acceptor_;

    std::mutex connections_mutex_;
    bool running_ = false;
    std::unordered_map<std::uint64_t, std::weak_ptr<connection>> alive_;
    std::uint64_t next_connection_ = 0;
};

/// One client. All its handlers run on the strand that its socket was accepted on; the two kinds of
/// stream differ in four functions only, so the rest is compiled once.
class connection : public std::enable_shared_from_this<connection> {
public:
    connection(std::shared_ptr<server_core> core, std::uint64_t id, strand executor)
        : core_(std::move(core)),
          id_(id),
          executor_(std::move(executor)),
          timer_(executor_),
          latency_(scatter(core_->settings.seed) ^ scatter(id)) {
        ++core_->open_connections;
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    virtual ~connection() {
        core_->forget(id_);
        --core_->open_connections;
    }

    /// Begins to serve. From any thread.
    void start() {
        asio::dispatch(executor_, [self = shared_from_this()] { self->handshake(); });
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
        if (cut_ && script_->reset)
            socket().set_option(asio::socket_base::linger(true, 0), ignored);
        socket().close(ignored);
    }

    void on_handshake(error_code ec) {
        if (ec || closed_) return close();
        begin_request();
    }

    void on_read(error_code ec, std::size_t n) {
        timer_.cancel();
        if (ec || closed_ || stalled_) return close();
        end_ += n;
        parse();
    }

    void on_written(error_code ec) {
        if (ec || closed_ || cut_) return close();
        if (!keep_alive_) {
            // A peer that does not close in turn gets a second.
            wait(std::chrono::seconds(1), [](connection& self) { self.close(); });
            return finish();
        }
        begin_request();
    }

private:
    using parser_type = boost::beast::http::request_parser<boost::beast::http::string_body>;

    void begin_request() {
        parser_.emplace();
        parser_->eager(true);
        parser_->header_limit(64 * 1024);
        parser_->body_limit(core_->settings.body_limit);
        continue_sent_ = false;
        if (begin_ == end_) {
            begin_ = end_ = 0;
            if (core_->settings.idle_timeout.count() > 0)
                wait(core_->settings.idle_timeout, [](connection& self) { self.close(); });
            return read();
        }
        parse(); // the next request came with the last one
    }

    void read() {
        if (begin_ > 0) {
            std::copy(in_.begin() + offset(begin_), in_.begin() + offset(end_), in_.begin());
            end_ -= begin_;
            begin_ = 0;
        }
        if (in_.size() - end_ < 4096) in_.resize(std::max<std::size_t>(16 * 1024, in_.size() * 2));
        read_some(asio::buffer(in_.data() + end_, in_.size() - end_));
    }

    void parse() {
        error_code ec;
        while (begin_ < end_ && !parser_->is_done()) {
            auto const used = parser_->put(asio::buffer(in_.data() + begin_, end_ - begin_), ec);
            begin_ += used;
            if (ec == boost::beast::http::error::need_more) {
                ec = {};
                break;
            }
            if (ec) return refuse(ec);
        }
        if (parser_->is_done()) return on_request();
        if (parser_->is_header_done() && !continue_sent_) {
            auto const& fields = parser_->get();
            auto const expect = fields.find(boost::beast::http::field::expect);
            if (expect != fields.end() && lower_case(expect->value()) == "100-continue") {
                continue_sent_ = true;
                // Fits into any socket buffer, and nothing else is being written now.
                return write_interim("HTTP/1.1 100 Continue\r\n\r\n");
            }
        }
        read();
    }

    void write_interim(std::string_view line) {
        interim_ = true;
        write_all(asio::buffer(line.data(), line.size()));
    }

    void refuse(error_code ec) {
        using boost::beast::http::error;
        auto const large = ec == error::body_limit;
        keep_alive_ = false;
        out_ = large ? "HTTP/1.1 413 Payload Too Large\r\n" : "HTTP/1.1 400 Bad Request\r\n";
        out_ += "connection: close\r\ncontent-length: 0\r\n\r\n";
        write_all(asio::buffer(out_));
    }

    void on_request() {
        auto const& message = parser_->get();
        keep_alive_ = message.keep_alive();
        auto& r = request_;
        r = request_view();
        r.headers.swap(header_memory_);
        r.headers.clear();
        r.method = message.method_string();
        r.target = message.target();
        auto const mark = std::min(r.target.find('?'), r.target.size());
        r.path = r.target.substr(0, mark);
        r.query = r.target.substr(std::min(mark + 1, r.target.size()));
        r.body = message.body();
        for (auto const& field : message)
            r.headers.emplace_back(field.name_string(), field.value());
        if (auto const authorization = r.header("authorization")) {
            constexpr std::string_view scheme = "bearer ";
            if (authorization->size() > scheme.size() &&
                lower_case(authorization->substr(0, scheme.size())) == scheme)
                r.token = authorization->substr(scheme.size());
        }
        r.connection = id_;
        r.number = ++core_->requests;
        if (auto const most = core_->settings.requests_per_connection; most && ++served_ >= most)
            keep_alive_ = false;

        auto const low = core_->latency_min.load();
        auto const high = std::max(low, core_->latency_max.load());
        auto const total = std::chrono::microseconds(
            1000 * low +
            (high > low ? static_cast<std::int64_t>(
                              latency_.below(static_cast<std::size_t>(1000 * (high - low) + 1)))
                        : 0));
        auto const uplink = std::chrono::duration_cast<std::chrono::microseconds>(
            total * std::clamp(core_->settings.latency_uplink, 0.0, 1.0));
        downlink_ = total - uplink;
        if (uplink.count() > 0) return wait(uplink, [](connection& self) { self.handle(); });
        handle();
    }

    void handle() {
        script_.reset();
        reply_.clear();
        if (auto const hook = core_->hook()) script_ = (*hook)(request_);
        fault drawn;
        if (!script_)
            drawn = draw_fault(core_->settings.faults, core_->settings.seed, request_.number);
        if (script_ && script_->status != 0) {
            ++core_->scripted;
            reply_.quota = core_->service.default_quota();
            if (script_->counted) core_->service.charge(request_, core_->now(), reply_);
        } else {
            core_->service.handle(
                request_, core_->now(),
                std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()),
                reply_, drawn.processed);
        }
        // A request that is refused before it is processed is refused whatever was drawn for it.
        if (reply_.status != 401 && reply_.status != 429) go_wrong(drawn);
        if (script_ && script_->stall) {
            // Nothing is ever written; the read ends when the peer gives up.
            stalled_ = true;
            return read();
        }
        auto const pause =
            downlink_ + (script_ ? std::chrono::microseconds(script_->delay) : downlink_ * 0);
        if (pause.count() > 0) return wait(pause, [](connection& self) { self.answer(); });
        answer();
    }

    void go_wrong(const fault& drawn) {
        switch (drawn.what) {
        case fault::kind::none: return;
        case fault::kind::reset:
            ++core_->resets;
            script_.emplace();
            script_->close_after_bytes = drawn.bytes;
            script_->reset = true;
            return;
        case fault::kind::server_error: {
            ++core_->server_errors;
            auto const status = std::to_string(drawn.status);
            script_.emplace(
                drawn.status,
                R"({"statusCode":)" + status + R"(,"message":")" +
                    std::string(reason_phrase(drawn.status)) + R"("})");
            return;
        }
        case fault::kind::gateway_timeout:
            ++core_->gateway_timeouts;
            script_.emplace(401, R"({"statusCode":401,"message":"Command timed out"})");
            return;
        case fault::kind::stall:
            ++core_->stalls;
            script_.emplace();
            script_->stall = true;
            return;
        }
    }

    void answer() {
        compose();
        header_memory_.swap(request_.headers);
        cut_ = script_ && script_->close_after_bytes;
        auto const length = cut_ ? std::min(*script_->close_after_bytes, out_.size()) : out_.size();
        if (length == 0) return close();
        write_all(asio::buffer(out_.data(), length));
    }

    void compose() {
        auto const canned = script_ && script_->status != 0;
        auto const status = canned ? script_->status : reply_.status;
        std::string_view const body = canned ? script_->body : reply_.body;
        std::string_view const type = canned ? script_->content_type : reply_.content_type;
        out_.clear();
        out_ += "HTTP/1.1 ";
        out_ += std::to_string(status);
        out_ += ' ';
        out_ += reason_phrase(status);
        out_ += "\r\n";
        auto const scripted_field = [&](std::string_view name) {
            return script_ && std::ranges::any_of(script_->headers, [&](auto const& field) {
                       return lower_case(field.first) == name;
                   });
        };
        auto const field = [&](std::string_view name, std::string_view value) {
            if (scripted_field(name)) return;
            out_ += name;
            out_ += ": ";
            out_ += value;
            out_ += "\r\n";
        };
        if (!type.empty()) field("content-type", type);
        if (reply_.quota && (!script_ || script_->rate_headers)) {
            auto const& q = *reply_.quota;
            field("x-ratelimit-limit-daily", std::to_string(q.daily_limit));
            field("x-ratelimit-daily-remaining", std::to_string(q.daily_remaining));
            field("x-ratelimit-daily-reset", std::to_string(q.daily_reset.count()));
            field("x-ratelimit-interval-milliseconds", std::to_string(q.interval.count()));
            field("x-ratelimit-max", std::to_string(q.max));
            field("x-ratelimit-remaining", std::to_string(q.remaining));
        }
        if (!reply_.location.empty()) field("location", reply_.location);
        if (reply_.retry_after) field("retry-after", std::to_string(reply_.retry_after->count()));
        if (script_)
            for (auto const& [name, value] : script_->headers) {
                out_ += name;
                out_ += ": ";
                out_ += value;
                out_ += "\r\n";
            }
        if (!keep_alive_) field("connection", "close");
        if (!scripted_field("transfer-encoding"))
            field("content-length", std::to_string(body.size()));
        out_ += "\r\n";
        if (request_.method != "HEAD") out_ += body;
    }

    template <class Then>
    void wait(std::chrono::microseconds time, Then then) {
        timer_.expires_after(time);
        timer_.async_wait([self = shared_from_this(), then](error_code ec) {
            if (!ec && !self->closed_) then(*self);
        });
    }

    static std::ptrdiff_t offset(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

protected:
    std::shared_ptr<server_core> core_;

    // Called by the streams when a write is over; an interim answer is followed by more reading.
    void on_write(error_code ec) {
        if (interim_) {
            interim_ = false;
            if (ec || closed_) return close();
            return read();
        }
        on_written(ec);
    }

private:
    std::uint64_t id_;
    strand executor_;
    timer_type timer_;
    dice latency_;
    std::vector<char> in_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::optional<parser_type> parser_;
    request_view request_;
    std::vector<std::pair<std::string_view, std::string_view>> header_memory_;
    std::optional<scripted_response> script_;
    reply reply_;
    std::string out_;
    std::chrono::microseconds downlink_{0};
    std::size_t served_ = 0;
    bool keep_alive_ = true;
    bool continue_sent_ = false;
    bool interim_ = false;
    bool stalled_ = false;
    bool cut_ = false;
    bool closed_ = false;
};

/// A client on plain TCP.
class plain_connection final : public connection {
public:
    plain_connection(std::shared_ptr<server_core> core, std::uint64_t id, socket_type socket)
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
        drain();
    }
    void drain() {
        socket_.async_read_some(asio::buffer(rest_), [self = self()](error_code ec, std::size_t) {
            if (ec) return self->close();
            self->drain();
        });
    }
    socket_type& socket() noexcept override { return socket_; }

    socket_type socket_;
    std::array<char, 512> rest_;
};

/// A client on TLS.
class tls_connection final : public connection {
public:
    tls_connection(
        std::shared_ptr<server_core> core,
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

// ---- the server's core -------------------------------------------------------------------------

inline void server_core::check(const options& o) {
    auto const demand = [](bool met, const char* what) {
        if (!met) throw std::invalid_argument(std::string("sandbox option ") + what);
    };
    demand(o.max > 0, "max must be positive");
    demand(o.interval.count() > 0, "interval must be positive");
    demand(o.daily_interval.count() > 0, "daily_interval must be positive");
    demand(o.latency_min.count() >= 0, "latency_min must not be negative");
    demand(o.latency_uplink >= 0 && o.latency_uplink <= 1, "latency_uplink must be from 0 to 1");
    demand(o.threads > 0, "threads must be positive");
    auto const& f = o.faults;
    demand(
        f.reset_rate >= 0 && f.server_error_rate >= 0 && f.gateway_timeout_rate >= 0 &&
            f.stall_rate >= 0 &&
            f.reset_rate + f.server_error_rate + f.gateway_timeout_rate + f.stall_rate <= 1,
        "faults must be rates from 0 to 1, together at most 1");
    demand(f.token_lifetime.count() >= 0, "faults.token_lifetime must not be negative");
    error_code ec;
    (void)asio::ip::make_address(o.address, ec);
    demand(!ec, "address must be a numeric IP address");
}

inline server_core::server_core(options o, asio::any_io_executor executor)
    : settings((check(o), std::move(o))),
      service(settings, std::chrono::system_clock::now().time_since_epoch()),
      port(settings.port),
      latency_min(settings.latency_min.count()),
      latency_max(settings.latency_max.count()),
      executor_(std::move(executor)) {
    set_hook(std::exchange(settings.hook, nullptr));
    all_token =
        settings.token.empty() ? made_up_token(scatter(settings.seed ^ 0x917)) : settings.token;
    token_grant everything(all_token);
    everything.all_locations = true;
    everything.companies = {service.data().company_id()};
    service.add_token(std::move(everything));
    if (settings.tls) {
        made_certificate =
            make_certificate(settings.certificate_names, settings.certificate_expired);
        tls_.emplace(asio::ssl::context::tls_server);
        tls_->set_options(
            asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
            asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
            asio::ssl::context::no_tlsv1_1);
        tls_->use_certificate_chain(asio::buffer(made_certificate.certificate_pem));
        tls_->use_private_key(
            asio::buffer(made_certificate.private_key_pem), asio::ssl::context::pem);
    }
}

// A location's own token follows from its id, so that it need not be kept.
inline location_info server_core::describe(const location& place) {
    location_info info;
    info.id = place.id();
    info.name = place.name;
    info.company_id = place.company_id();
    info.token = made_up_token(scatter(settings.seed ^ 0x918) ^ text_seed(place.id()));
    return info;
}

inline void server_core::start() {
    if (acceptor_) return;
    auto made = executor_ ? nullptr
                          : std::make_unique<asio::io_context>(static_cast<int>(settings.threads));
    auto const executor = executor_ ? executor_ : asio::any_io_executor(made->get_executor());
    asio::ip::tcp::endpoint const at(asio::ip::make_address(settings.address), port);
    auto listener = std::make_shared<acceptor_type>(asio::make_strand(executor));
    listener->open(at.protocol());
    listener->set_option(acceptor_type::reuse_address(true));
    listener->bind(at);
    listener->listen(acceptor_type::max_listen_connections);
    port = listener->local_endpoint().port();
    {
        std::lock_guard const lock(connections_mutex_);
        running_ = true;
    }
    acceptor_ = listener;
    context_ = std::move(made);
    asio::dispatch(listener->get_executor(), [self = shared_from_this(), listener] {
        self->accept(listener);
    });
    if (context_)
        for (std::size_t i = 0; i < settings.threads; ++i)
            threads_.emplace_back([context = context_.get()] { context->run(); });
}

inline void server_core::accept(std::shared_ptr<acceptor_type> from) {
    if (!from->is_open()) return;
    auto& listener = *from;
    auto const executor = executor_ ? executor_ : asio::any_io_executor(context_->get_executor());
    listener.async_accept(
        asio::make_strand(executor),
        [self = shared_from_this(), from](error_code ec, socket_type socket) {
            if (ec == asio::error::operation_aborted) return;
            if (ec) {
                // Out of descriptors, most likely: they come back when connections close.
                auto pause = std::make_shared<timer_type>(
                    from->get_executor(), std::chrono::milliseconds(20));
                pause->async_wait([self, from, pause](error_code) { self->accept(from); });
                return;
            }
            error_code ignored;
            socket.set_option(asio::ip::tcp::no_delay(true), ignored);
            std::shared_ptr<connection> made;
            {
                std::lock_guard const lock(self->connections_mutex_);
                if (!self->running_) return;
                auto const id = ++self->next_connection_;
                ++self->connections;
                if (self->tls_) {
                    made =
                        std::make_shared<tls_connection>(self, id, std::move(socket), *self->tls_);
                } else {
                    made = std::make_shared<plain_connection>(self, id, std::move(socket));
                }
                self->alive_.emplace(id, made);
            }
            made->start();
            self->accept(from);
        });
}

inline void server_core::forget(std::uint64_t connection_id) {
    std::lock_guard const lock(connections_mutex_);
    alive_.erase(connection_id);
}

inline void server_core::drop_connections() {
    std::vector<std::shared_ptr<connection>> open;
    {
        std::lock_guard const lock(connections_mutex_);
        for (auto const& [id, weak] : alive_)
            if (auto strong = weak.lock()) open.push_back(std::move(strong));
    }
    for (auto const& each : open)
        each->abort();
}

inline void server_core::stop() {
    if (!acceptor_) return;
    {
        std::lock_guard const lock(connections_mutex_);
        running_ = false;
    }
    asio::post(acceptor_->get_executor(), [listener = acceptor_] {
        error_code ignored;
        listener->close(ignored);
    });
    drop_connections();
    for (auto& thread : threads_)
        thread.join();
    threads_.clear();
    acceptor_.reset();
    context_.reset();
}

} // namespace highlevel::sandbox::detail

namespace highlevel::sandbox {

HIGHLEVEL_DECL server::server(options settings)
    : core_(std::make_shared<detail::server_core>(
          std::move(settings), boost::asio::any_io_executor())) {
    for (auto const& info : locations())
        add_token(info.token, {info.id});
}

HIGHLEVEL_DECL server::server(boost::asio::any_io_executor executor, options settings)
    : core_(std::make_shared<detail::server_core>(std::move(settings), std::move(executor))) {
    for (auto const& info : locations())
        add_token(info.token, {info.id});
}

HIGHLEVEL_DECL server::~server() {
    core_->stop();
}

HIGHLEVEL_DECL void server::start() {
    core_->start();
}
HIGHLEVEL_DECL void server::stop() {
    core_->stop();
}

HIGHLEVEL_DECL std::uint16_t server::port() const noexcept {
    return core_->port;
}

HIGHLEVEL_DECL std::string server::base_url() const {
    auto const& address = core_->settings.address;
    auto const literal = address.find(':') == std::string::npos ? address : '[' + address + ']';
    return (core_->settings.tls ? "https://" : "http://") + literal + ':' +
        std::to_string(core_->port);
}

HIGHLEVEL_DECL const std::string& server::ca_certificate_pem() const noexcept {
    return core_->made_certificate.ca_certificate_pem;
}
HIGHLEVEL_DECL const std::string& server::token() const noexcept {
    return core_->all_token;
}
HIGHLEVEL_DECL const std::string& server::company_id() const noexcept {
    return core_->service.data().company_id();
}

HIGHLEVEL_DECL std::vector<location_info> server::locations() const {
    std::vector<location_info> all;
    for (auto const& place : core_->service.data().locations())
        all.push_back(core_->describe(*place));
    return all;
}

HIGHLEVEL_DECL location_info server::add_location(std::string id, std::vector<contact> contacts) {
    auto const now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    auto const made =
        core_->service.data().add_location(std::move(id), [&](detail::location& place) {
            for (auto& c : contacts)
                place.add(std::move(c), now);
        });
    auto info = core_->describe(*made);
    add_token(info.token, {info.id});
    return info;
}

HIGHLEVEL_DECL location_info server::add_location(std::string id, std::size_t contacts) {
    auto const made = core_->service.data().add_location(
        std::move(id), [&](detail::location& place) { place.populate(contacts); });
    auto info = core_->describe(*made);
    add_token(info.token, {info.id});
    return info;
}

HIGHLEVEL_DECL std::optional<contact> server::find_contact(std::string_view id) const {
    auto const found = core_->service.data().find_contact(id);
    if (!found) return std::nullopt;
    std::lock_guard const lock(found->first->mutex);
    auto const* entry = found->first->find(found->second);
    if (!entry) return std::nullopt;
    contact scratch;
    return found->first->load(*entry, scratch);
}

HIGHLEVEL_DECL std::vector<std::string> server::contact_ids(std::string_view location_id) const {
    std::vector<std::string> ids;
    auto const place = core_->service.data().find_location(location_id);
    if (!place) return ids;
    std::lock_guard const lock(place->mutex);
    contact scratch;
    for (auto const& entry : place->entries())
        ids.push_back(place->load(entry, scratch).id);
    return ids;
}

HIGHLEVEL_DECL std::size_t server::contact_count(std::string_view location_id) const {
    auto const place = core_->service.data().find_location(location_id);
    if (!place) return 0;
    std::lock_guard const lock(place->mutex);
    return place->entries().size();
}

HIGHLEVEL_DECL void server::add_token(token_grant grant) {
    core_->service.add_token(std::move(grant));
}

HIGHLEVEL_DECL void server::add_token(
    std::string text, std::vector<std::string> resources, std::vector<std::string> scopes) {
    token_grant grant(std::move(text));
    for (auto& resource : resources)
        (resource == company_id() ? grant.companies : grant.locations)
            .push_back(std::move(resource));
    grant.scopes = std::move(scopes);
    add_token(std::move(grant));
}

HIGHLEVEL_DECL void server::remove_token(std::string_view text) {
    core_->service.remove_token(text);
}

HIGHLEVEL_DECL void server::add_app(app_settings settings) {
    core_->service.oauth().add_app(std::move(settings));
}

HIGHLEVEL_DECL std::string server::issue_code(
    std::string_view client_id, std::string location_id, std::vector<std::string> chosen) {
    return core_->service.oauth().issue_code(client_id, std::move(location_id), std::move(chosen));
}

HIGHLEVEL_DECL void server::set_location_active(std::string_view location_id, bool active) {
    core_->service.oauth().set_active(location_id, active);
}

HIGHLEVEL_DECL void server::end_access_tokens() {
    core_->service.oauth().end_access_tokens();
}

HIGHLEVEL_DECL oauth_counts server::oauth_totals() const {
    return core_->service.oauth().counts();
}

HIGHLEVEL_DECL void server::set_limits(std::uint32_t max, std::chrono::milliseconds interval) {
    core_->service.set_limits(max, interval);
}

HIGHLEVEL_DECL void server::set_limits(
    std::string_view token,
    std::string_view resource,
    std::uint32_t max,
    std::chrono::milliseconds interval) {
    core_->service.with_bucket(token, resource, [&](meter& m) { m.reconfigure(max, interval); });
}

HIGHLEVEL_DECL void server::set_daily_remaining(
    std::string_view token, std::string_view resource, std::uint64_t remaining) {
    core_->service.with_bucket(
        token, resource, [&](meter& m) { m.set_daily_remaining(remaining, core_->now()); });
}

HIGHLEVEL_DECL std::uint32_t server::spend(
    std::string_view token, std::string_view resource, std::uint32_t requests) {
    return core_->service.with_bucket(token, resource, [&](meter& m) {
        std::uint32_t passed = 0;
        for (std::uint32_t i = 0; i < requests; ++i)
            passed += m.charge(core_->now()).accepted;
        return passed;
    });
}

HIGHLEVEL_DECL void server::set_hook(response_hook hook) {
    core_->set_hook(std::move(hook));
}

HIGHLEVEL_DECL void server::set_latency(
    std::chrono::milliseconds min, std::chrono::milliseconds max) {
    core_->latency_min = min.count();
    core_->latency_max = max.count();
}

HIGHLEVEL_DECL void server::drop_connections() {
    core_->drop_connections();
}

HIGHLEVEL_DECL counters server::totals() const {
    counters all;
    all.connections = core_->connections;
    all.open_connections = core_->open_connections;
    all.requests = core_->requests;
    all.scripted = core_->scripted;
    all.resets = core_->resets;
    all.server_errors = core_->server_errors;
    all.gateway_timeouts = core_->gateway_timeouts;
    all.stalls = core_->stalls;
    all.expired = core_->service.expired();
    all.accepted = core_->service.accepted();
    all.refused = core_->service.refused();
    all.refused_daily = core_->service.refused_daily();
    return all;
}

HIGHLEVEL_DECL statistics server::stats() const {
    statistics all;
    all.totals = totals();
    core_->service.collect(all);
    return all;
}

HIGHLEVEL_DECL void server::reset_stats() {
    core_->service.reset_stats();
}

} // namespace highlevel::sandbox

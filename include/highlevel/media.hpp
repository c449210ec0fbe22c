// SPDX-License-Identifier: BSL-1.0
//
// Files of conversations in two steps: the API gives an address of a storage, the file goes there
// without the account's token, and the API is told that it is there. Larger files than the plain
// upload takes, and none of them through the API's quota.
#pragma once

#include <highlevel/client.hpp>
#include <highlevel/detail/deadline.hpp>
#include <highlevel/detail/operation_failure.hpp>
#include <highlevel/error.hpp>
#include <highlevel/file_part.hpp>
#include <highlevel/http/body.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/http/phase.hpp>
#include <highlevel/http/transport.hpp>
#include <highlevel/http/uri.hpp>
#include <highlevel/v2/conversations.hpp>

#include <boost/asio/awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel {

/// Makes a way to a storage. With <highlevel/http/http1_transport.hpp>:
///
///     storage_factory const storage = [&](const http::uri& origin) {
///         return http::make_transport(executor, origin);
///     };
using storage_factory = std::function<std::shared_ptr<http::transport>(const http::uri& origin)>;

/// A file for a conversation.
class attachment_upload {
public:
    attachment_upload() = default;

    std::string conversation_id;
    /// The channel that it will be sent on, for example "sms" or "whatsapp"; it decides the size.
    std::string channel;
    /// The file; `name` is not used.
    file_part file;
};

namespace detail {

/// Puts a file to a signed address. Sends nothing but the file and its type: above all no token.
[[nodiscard]] inline asio::awaitable<void> put_to_storage(
    const storage_factory& storage,
    std::string address,
    const file_part& file,
    std::string content_type,
    call_options options) {
    failure_data data;
    data.operation = "storage upload";
    data.verb = method::put;
    auto const refuse = [&](errc code, cause why, std::string_view words) {
        data.cause = why;
        data.detail = words;
        return error{failure{make_error_code(code), std::move(data)}};
    };
    // The address holds a signature, so that none of it is repeated in errors.
    auto const scheme = address.find("://");
    auto const path =
        scheme == std::string::npos ? scheme : address.find_first_of("/?", scheme + 3);
    auto const origin = http::uri::parse(std::string_view{address}.substr(0, path));
    if (!origin)
        throw refuse(errc::unexpected_content, cause::bad_response, "the upload address is no URL");
    if (!origin->secure() && !origin->loopback())
        throw refuse(
            errc::insecure_url, cause::invalid_request, "the upload address is not encrypted");
    http::request put{method::put, path == std::string::npos ? "/" : address.substr(path)};
    if (put.target.front() != '/') put.target.insert(0, 1, '/');
    put.fields.add("Content-Type", std::move(content_type));
    if (file.path.empty()) {
        put.body = file.data;
    } else {
        auto source = std::make_shared<http::segmented_source>();
        if (auto const why = source->add_file(file.path); !why.empty())
            throw refuse(errc::invalid_argument, cause::invalid_request, why);
        put.source = std::move(source);
    }
    http::exchange_options how;
    if (options.timeout == std::chrono::milliseconds::zero())
        how.deadline = std::chrono::steady_clock::time_point::max();
    else if (options.timeout)
        how.deadline = detail::after(
            std::chrono::steady_clock::now(),
            std::max(*options.timeout, std::chrono::milliseconds::zero()));
    how.limits = options.timeouts;
    how.group = "storage";
    auto const way = storage(*origin);
    auto const got = co_await way->exchange(put, how);
    if (got.error) {
        data.cause = cause_of(got.error);
        data.detail = "the file did not reach the storage";
        if (got.reached != http::phase::done) data.phase = to_string(got.reached);
        data.times.network = got.times;
        data.may_have_been_processed = got.may_have_been_processed;
        throw error{failure{got.error, std::move(data)}};
    }
    if (got.reply.status < 200 || got.reply.status > 299) {
        data.status = got.reply.status;
        data.cause = cause::unknown;
        data.detail = "the storage refused the file";
        data.body = got.reply.body;
        throw error{failure{make_status_code(got.reply.status), std::move(data)}};
    }
}

} // namespace detail

/// Uploads a file for a conversation in two steps and gives what the API says of it.
///
/// Calls that it makes: `POST /conversations/messages/upload/initiate`, which gives an address and
/// the largest size; `PUT` of the file to that address, outside the API, its quota and its token;
/// `POST /conversations/messages/upload/complete`.
///
/// A file that is larger than the channel takes is refused after the first call, before a byte of
/// it is sent. The file is sent once: a failure of the second step leaves nothing in the
/// conversation, and the whole can be repeated. A file on disk is read while it is sent.
///
/// `options` hold for each of the three requests; of the second one only `timeout` and `timeouts`
/// do, and without a `timeout` its bound is the storage transport's own `timeouts.total`.
///
/// - Errors: throws `highlevel::error`; errc::invalid_argument for a size or a file that cannot be
///   read; errc::unexpected_content, before a byte of the file is sent, when the first answer has
///   no address or no id of the upload. The storage's failures have the operation "storage upload".
///   What the address is, which grants access, is in no error.
/// - Executor, cancellation: as `account::call`.
/// - Lifetime: `storage` must live until the upload ends.
[[nodiscard]] inline asio::awaitable<
    response<v2::conversations::types::complete_file_upload_response>>
upload_attachment(
    account of,
    const storage_factory& storage,
    attachment_upload what,
    call_options options = detail::default_call_options) {
    auto& file = what.file;
    auto const filename = file.sent_filename();
    auto const type = file.sent_type();
    std::uint64_t size = file.data.size();
    http::segmented_source probe;
    std::string problem;
    if (!file.path.empty()) {
        problem = probe.add_file(file.path);
        size = probe.size();
    }
    v2::conversations::initiate_file_upload begin;
    auto const refuse = [&](std::string_view words) {
        return error{detail::operation_failure(
            begin.meta, make_error_code(errc::invalid_argument), cause::invalid_request, words)};
    };
    if (!problem.empty()) throw refuse(problem);

    begin.body.conversation_id = what.conversation_id;
    begin.body.channel = what.channel;
    begin.body.filename = filename;
    begin.body.content_type = type;
    begin.body.file_size = static_cast<std::int64_t>(size);
    auto const begun = co_await of.call(begin, options);
    if (auto const most = begun->max_file_size.value_or(0);
        most > 0 && size > static_cast<std::uint64_t>(most)) {
        throw refuse(
            filename + " has " + std::to_string(size) + " bytes; the channel takes " +
            std::to_string(most));
    }
    auto const address = begun->upload_url.value_or("");
    auto const id = begun->upload_id.value_or("");
    if (address.empty() || id.empty())
        throw error{detail::unusable(
            begin.meta,
            address.empty() ? "the answer has no uploadUrl to send the file to"
                            : "the answer has no uploadId to complete")};
    co_await detail::put_to_storage(storage, address, file, type, options);

    v2::conversations::complete_file_upload end;
    end.body.upload_id = id;
    end.body.file_path = begun->file_path.value_or("");
    end.body.conversation_id = what.conversation_id;
    end.body.filename = filename;
    co_return co_await of.call(end, options);
}

} // namespace highlevel

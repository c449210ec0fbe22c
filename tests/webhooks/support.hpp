// SPDX-License-Identifier: BSL-1.0
//
// What tests of webhooks share: one pair of keys per program, and bodies that are signed with it.
#pragma once

#include <highlevel/detail/time_text.hpp>
#include <highlevel/sandbox/webhooks_signer.hpp>
#include <highlevel/webhooks/inbox.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace test {

namespace webhooks = highlevel::webhooks;
using wall_time = std::chrono::system_clock::time_point;

inline const highlevel::sandbox::webhook_signer& signer() {
    static const highlevel::sandbox::webhook_signer made;
    return made;
}

/// A moment of no importance, after the end of RSA signatures.
inline const wall_time now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

inline webhooks::signature_options own_keys() {
    webhooks::signature_options options;
    options.keys = {
        webhooks::public_key::from_pem(signer().ed25519_key_pem()),
        webhooks::public_key::from_pem(signer().rsa_key_pem())};
    return options;
}

inline std::string time_text(wall_time t) {
    return highlevel::detail::iso_text(std::chrono::floor<std::chrono::milliseconds>(t));
}

inline std::string note(std::string_view webhook_id, wall_time at = now) {
    std::string body = R"({"type":"NoteCreate","appId":"app","timestamp":")" + time_text(at);
    body.append(R"(","webhookId":")").append(webhook_id).append(R"(","body":"hello"})");
    return body;
}

inline highlevel::http::request post(std::string body) {
    highlevel::http::request made{highlevel::http::method::post, "/hook"};
    made.fields.add("x-ghl-signature", signer().sign_ed25519(body));
    made.body = std::move(body);
    return made;
}

} // namespace test

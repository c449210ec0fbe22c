// SPDX-License-Identifier: BSL-1.0
//
// The link that begins an installation, and the redirect that ends it.

#include "support/catch.hpp"

#include <highlevel/auth/authorize_url.hpp>

namespace auth_authorize_url_tests {

namespace auth = highlevel::auth;

TEST_CASE("the link and what comes back belong together", "[auth]") {
    auth::authorize_options o;
    o.client_id = "id-1";
    o.redirect_uri = "https://example.com/cb";
    o.scopes = {"contacts.readonly", "contacts.write"};
    o.version_id = "v1";
    o.same_window = true;
    o.extra = {{"utm", "a b"}};
    auto const link = auth::make_authorize_link(o);
    CHECK(
        link.url ==
        "https://marketplace.gohighlevel.com/v2/oauth/chooselocation?response_type=code"
        "&redirect_uri=https%3A%2F%2Fexample.com%2Fcb&client_id=id-1"
        "&scope=contacts.readonly%20contacts.write&loginWindowOpenMode=self&version_id=v1"
        "&utm=a%20b&state=" +
            link.state);
    CHECK(link.state.size() == 64);
    o.host = auth::white_label_authorize_host;
    CHECK(
        auth::make_authorize_link(o).url.find(
            "https://marketplace.leadconnectorhq.com/v2/oauth/chooselocation?") == 0);
    CHECK(link.state != auth::make_authorize_link(o).state);
    auto const good = auth::read_callback("/cb?code=abc%2Fd&state=" + link.state, link.state);
    CHECK(good.ok());
    CHECK(good.code.reveal() == "abc/d");
    CHECK_FALSE(auth::read_callback("/cb?code=abc&state=other", link.state).ok());
    CHECK_FALSE(auth::read_callback("/cb?code=abc", link.state).ok());
    CHECK_FALSE(auth::read_callback("/cb?code=abc&state=", "").ok());
    CHECK_FALSE(auth::read_callback("/cb?error=denied&state=" + link.state, link.state).ok());
}

} // namespace auth_authorize_url_tests

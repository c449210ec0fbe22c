// SPDX-License-Identifier: BSL-1.0
//
// Everything but the endpoint families. Include it where a client is built: it is the one header
// that compiles the network, TLS and the codec. Making calls takes only <highlevel/client.hpp>.
#pragma once

#include <highlevel/client.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/impl/client.ipp>
#include <highlevel/version.hpp>

// SPDX-License-Identifier: BSL-1.0
//
// Everything but the endpoint families. Include it where a client is built: it is the one header
// that compiles the network, TLS and the codec. Making calls takes only <highlevel/client.hpp>.
#pragma once

#include <highlevel/batch.hpp>
#include <highlevel/client.hpp>
#include <highlevel/client_options.hpp>
#include <highlevel/pages.hpp>
#include <highlevel/search.hpp>
#include <highlevel/time.hpp>
#include <highlevel/version.hpp>

#if !defined(HIGHLEVEL_SEPARATE_COMPILATION)
#    include <highlevel/impl/client.ipp>
#endif

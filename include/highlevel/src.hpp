// SPDX-License-Identifier: BSL-1.0
//
// The definitions of a program that is compiled with HIGHLEVEL_SEPARATE_COMPILATION: include this
// in exactly one of its files. Never needed otherwise.
#pragma once

#if !defined(HIGHLEVEL_SEPARATE_COMPILATION)
#    error "highlevel/src.hpp is for programs that define HIGHLEVEL_SEPARATE_COMPILATION everywhere"
#endif

#include <highlevel/auth/impl/oauth.ipp>
#include <highlevel/auth/impl/timed_source.ipp>
#include <highlevel/http/impl/http1_transport.ipp>
#include <highlevel/impl/batch.ipp>
#include <highlevel/impl/client.ipp>
#include <highlevel/sandbox/impl/server.ipp>
#include <highlevel/webhooks/impl/receiver.ipp>

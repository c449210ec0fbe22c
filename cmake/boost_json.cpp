// SPDX-License-Identifier: BSL-1.0
//
// Boost.JSON as one file, for a Boost that was installed as headers only; its library is the one
// compiled part of Boost that the client needs.
#include <boost/json/src.hpp>

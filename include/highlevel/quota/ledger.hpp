// SPDX-License-Identifier: BSL-1.0
#pragma once
namespace highlevel::quota {
class ledger;
}

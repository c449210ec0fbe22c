# SPDX-License-Identifier: BSL-1.0
"""The code generator; see README.md in this folder."""

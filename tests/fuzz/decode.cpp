// SPDX-License-Identifier: BSL-1.0
//
// JSON and what only looks like it, read into the ten largest models: nothing is trusted, what was
// read can be written and read again, and strict reading accepts no more than lenient reading.

#include "fuzz.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/json/encode.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/social_media_posting.hpp>
#include <highlevel/v3/ad_publishing.hpp>
#include <highlevel/v3/chat_widget.hpp>
#include <highlevel/v3/invoices.hpp>
#include <highlevel/v3/social_planner.hpp>

#include <iterator>
#include <string>

namespace fuzz::decode {

namespace json = highlevel::json;
namespace v2 = highlevel::v2;
namespace v3 = highlevel::v3;

namespace {

template <class Model>
void read(std::string_view text) {
    json::decode_options strict;
    strict.strict = true;
    strict.report_unknown_fields = true;
    json::decode_options lenient;
    lenient.report_unknown_fields = true;
    lenient.max_diagnostics = 4;

    Model careful;
    json::diagnostics nothing;
    auto const accepted = json::decode(text, careful, strict, nothing);
    fuzz::require(!accepted || nothing.empty(), "what strict reading accepts was not bent");

    Model model;
    json::diagnostics notes;
    auto const made = json::decode(text, model, lenient, notes);
    fuzz::require(made || !accepted, "lenient reading accepts what strict reading accepts");
    fuzz::require(notes.size() <= lenient.max_diagnostics, "no more is kept than asked for");
    fuzz::require(notes.total() >= notes.size(), "what is kept is counted");
    fuzz::require(made.offset <= text.size(), "an offset is one of the text");
    if (!made) {
        fuzz::require(!made.text.empty(), "a failure says why");
        return;
    }

    json::encode_options all;
    all.check_required = false;
    std::string written;
    // Text that is not UTF-8 is kept when it is read and refused when it is written.
    if (!json::encode(model, written, all)) return;
    Model again;
    json::diagnostics more;
    fuzz::require(bool(json::decode(written, again, lenient, more)), "what was written is JSON");
    std::string rewritten;
    fuzz::require(bool(json::encode(again, rewritten, all)), "what was written can be written");
    fuzz::require(written == rewritten, "a second round changes nothing");
}

} // namespace

int one_input(const std::uint8_t* data, std::size_t size) {
    constexpr void (*models[])(std::string_view) = {
        read<v3::invoices::types::get_invoice_settings_response>,
        read<v3::ad_publishing::types::campaign>,
        read<v3::social_planner::types::wrapped_edit_session_calendar_response>,
        read<v3::social_planner::types::wrapped_fetch_calendar_list_response>,
        read<v3::social_planner::types::wrapped_fetch_queue_items_response>,
        read<v3::invoices::types::update_estimate>,
        read<v3::invoices::types::create_invoice_schedule>,
        read<v3::chat_widget::types::create_widget>,
        read<v2::contacts::types::upsert_contacts_successful_response>,
        read<v2::social_media_posting::types::get_csv_post_response_dto>,
    };
    fuzz::input in{data, size};
    auto const which = in.byte();
    models[which % std::size(models)](in.rest());
    return 0;
}

} // namespace fuzz::decode

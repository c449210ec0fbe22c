// SPDX-License-Identifier: BSL-1.0
//
// The events that HighLevel documents: their names on the wire and what each one is about.
#pragma once

#include <highlevel/webhooks/types.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <variant>

namespace highlevel::webhooks {

/// What happened. `unknown` is an event that this version of the library does not know, or one
/// whose `type` does not tell.
enum class event_kind : std::uint8_t {
    unknown,
    app_install,
    appointment_create,
    appointment_delete,
    appointment_update,
    app_uninstall,
    association_create,
    association_delete,
    association_update,
    campaign_status_update,
    contact_create,
    contact_delete,
    contact_dnd_update,
    contact_tag_update,
    contact_update,
    conversation_unread_update,
    inbound_message,
    invoice_create,
    invoice_delete,
    invoice_paid,
    invoice_partially_paid,
    invoice_sent,
    invoice_update,
    invoice_void,
    lc_email_stats,
    location_create,
    location_update,
    note_create,
    note_delete,
    note_update,
    object_schema_create,
    object_schema_update,
    opportunity_assigned_to_update,
    opportunity_create,
    opportunity_delete,
    opportunity_monetary_value_update,
    opportunity_stage_update,
    opportunity_status_update,
    opportunity_update,
    order_create,
    order_status_update,
    outbound_message,
    plan_change,
    price_create,
    price_delete,
    price_update,
    product_create,
    product_delete,
    product_update,
    provider_outbound_message,
    record_create,
    record_delete,
    record_update,
    relation_create,
    relation_delete,
    task_complete,
    task_create,
    task_delete,
    user_create,
    user_delete,
    user_update,
};

/// An event that is not known, as it came.
struct unknown_event {
    unknown_event() = default;

    json::value content;
};

/// What an event is about.
using payload = std::variant<
    unknown_event,
    types::app_install,
    types::app_uninstall,
    types::plan_change,
    types::appointment_event,
    types::association,
    types::campaign_status,
    types::contact,
    types::conversation_unread,
    types::message,
    types::invoice,
    types::email_stats,
    types::location,
    types::note,
    types::object_schema,
    types::opportunity,
    types::order,
    types::price,
    types::product,
    types::provider_message,
    types::record,
    types::relation,
    types::task,
    types::user>;

namespace detail {

/// One event: its kind, its `type`, the name of its page where that differs, and the index of its
/// payload in `payload`.
class event_fact {
public:
    event_kind kind;
    std::string_view type;
    std::string_view page;
    std::size_t payload;
};

template <class T, std::size_t I = 0>
consteval std::size_t payload_index() {
    if constexpr (std::is_same_v<std::variant_alternative_t<I, payload>, T>)
        return I;
    else
        return payload_index<T, I + 1>();
}

inline constexpr event_fact event_facts[] = {
    {event_kind::unknown, "", "", payload_index<unknown_event>()},
    {event_kind::app_install, "INSTALL", "AppInstall", payload_index<types::app_install>()},
    {event_kind::appointment_create, "AppointmentCreate", "AppointmentCreate",
     payload_index<types::appointment_event>()},
    {event_kind::appointment_delete, "AppointmentDelete", "AppointmentDelete",
     payload_index<types::appointment_event>()},
    {event_kind::appointment_update, "AppointmentUpdate", "AppointmentUpdate",
     payload_index<types::appointment_event>()},
    {event_kind::app_uninstall, "UNINSTALL", "AppUninstall", payload_index<types::app_uninstall>()},
    {event_kind::association_create, "AssociationCreate", "AssociationCreate",
     payload_index<types::association>()},
    {event_kind::association_delete, "AssociationDelete", "AssociationDelete",
     payload_index<types::association>()},
    {event_kind::association_update, "AssociationUpdate", "AssociationUpdate",
     payload_index<types::association>()},
    {event_kind::campaign_status_update, "CampaignStatusUpdate", "CampaignStatusUpdate",
     payload_index<types::campaign_status>()},
    {event_kind::contact_create, "ContactCreate", "ContactCreate", payload_index<types::contact>()},
    {event_kind::contact_delete, "ContactDelete", "ContactDelete", payload_index<types::contact>()},
    {event_kind::contact_dnd_update, "ContactDndUpdate", "ContactDndUpdate",
     payload_index<types::contact>()},
    {event_kind::contact_tag_update, "ContactTagUpdate", "ContactTagUpdate",
     payload_index<types::contact>()},
    {event_kind::contact_update, "ContactUpdate", "ContactUpdate", payload_index<types::contact>()},
    {event_kind::conversation_unread_update, "ConversationUnreadUpdate",
     "ConversationUnreadWebhook", payload_index<types::conversation_unread>()},
    {event_kind::inbound_message, "InboundMessage", "InboundMessage",
     payload_index<types::message>()},
    {event_kind::invoice_create, "InvoiceCreate", "InvoiceCreate", payload_index<types::invoice>()},
    {event_kind::invoice_delete, "InvoiceDelete", "InvoiceDelete", payload_index<types::invoice>()},
    {event_kind::invoice_paid, "InvoicePaid", "InvoicePaid", payload_index<types::invoice>()},
    {event_kind::invoice_partially_paid, "InvoicePartiallyPaid", "InvoicePartiallyPaid",
     payload_index<types::invoice>()},
    {event_kind::invoice_sent, "InvoiceSent", "InvoiceSent", payload_index<types::invoice>()},
    {event_kind::invoice_update, "InvoiceUpdate", "InvoiceUpdate", payload_index<types::invoice>()},
    {event_kind::invoice_void, "InvoiceVoid", "InvoiceVoid", payload_index<types::invoice>()},
    {event_kind::lc_email_stats, "LCEmailStats", "LCEmailStats",
     payload_index<types::email_stats>()},
    {event_kind::location_create, "LocationCreate", "LocationCreate",
     payload_index<types::location>()},
    {event_kind::location_update, "LocationUpdate", "LocationUpdate",
     payload_index<types::location>()},
    {event_kind::note_create, "NoteCreate", "NoteCreate", payload_index<types::note>()},
    {event_kind::note_delete, "NoteDelete", "NoteDelete", payload_index<types::note>()},
    {event_kind::note_update, "NoteUpdate", "NoteUpdate", payload_index<types::note>()},
    {event_kind::object_schema_create, "ObjectSchemaCreate", "ObjectSchemaCreate",
     payload_index<types::object_schema>()},
    {event_kind::object_schema_update, "ObjectSchemaUpdate", "ObjectSchemaUpdate",
     payload_index<types::object_schema>()},
    {event_kind::opportunity_assigned_to_update, "OpportunityAssignedToUpdate",
     "OpportunityAssignedToUpdate", payload_index<types::opportunity>()},
    {event_kind::opportunity_create, "OpportunityCreate", "OpportunityCreate",
     payload_index<types::opportunity>()},
    {event_kind::opportunity_delete, "OpportunityDelete", "OpportunityDelete",
     payload_index<types::opportunity>()},
    {event_kind::opportunity_monetary_value_update, "OpportunityMonetaryValueUpdate",
     "OpportunityMonetaryValueUpdate", payload_index<types::opportunity>()},
    {event_kind::opportunity_stage_update, "OpportunityStageUpdate", "OpportunityStageUpdate",
     payload_index<types::opportunity>()},
    {event_kind::opportunity_status_update, "OpportunityStatusUpdate", "OpportunityStatusUpdate",
     payload_index<types::opportunity>()},
    {event_kind::opportunity_update, "OpportunityUpdate", "OpportunityUpdate",
     payload_index<types::opportunity>()},
    {event_kind::order_create, "OrderCreate", "OrderCreate", payload_index<types::order>()},
    {event_kind::order_status_update, "OrderStatusUpdate", "OrderStatusUpdate",
     payload_index<types::order>()},
    {event_kind::outbound_message, "OutboundMessage", "OutboundMessage",
     payload_index<types::message>()},
    {event_kind::plan_change, "PLAN_CHANGE", "PlanChange", payload_index<types::plan_change>()},
    {event_kind::price_create, "PriceCreate", "PriceCreate", payload_index<types::price>()},
    {event_kind::price_delete, "PriceDelete", "PriceDelete", payload_index<types::price>()},
    {event_kind::price_update, "PriceUpdate", "PriceUpdate", payload_index<types::price>()},
    {event_kind::product_create, "ProductCreate", "ProductCreate", payload_index<types::product>()},
    {event_kind::product_delete, "ProductDelete", "ProductDelete", payload_index<types::product>()},
    {event_kind::product_update, "ProductUpdate", "ProductUpdate", payload_index<types::product>()},
    {event_kind::provider_outbound_message, "ProviderOutboundMessage", "ProviderOutboundMessage",
     payload_index<types::provider_message>()},
    {event_kind::record_create, "RecordCreate", "RecordCreate", payload_index<types::record>()},
    {event_kind::record_delete, "RecordDelete", "RecordDelete", payload_index<types::record>()},
    {event_kind::record_update, "RecordUpdate", "RecordUpdate", payload_index<types::record>()},
    {event_kind::relation_create, "RelationCreate", "RelationCreate",
     payload_index<types::relation>()},
    {event_kind::relation_delete, "RelationDelete", "RelationDelete",
     payload_index<types::relation>()},
    {event_kind::task_complete, "TaskComplete", "TaskComplete", payload_index<types::task>()},
    {event_kind::task_create, "TaskCreate", "TaskCreate", payload_index<types::task>()},
    {event_kind::task_delete, "TaskDelete", "TaskDelete", payload_index<types::task>()},
    {event_kind::user_create, "UserCreate", "UserCreate", payload_index<types::user>()},
    {event_kind::user_delete, "UserDelete", "UserDelete", payload_index<types::user>()},
    {event_kind::user_update, "UserUpdate", "UserUpdate", payload_index<types::user>()},
};

} // namespace detail

/// The `type` of an event on the wire, for example "ContactCreate"; empty for `unknown`.
[[nodiscard]] constexpr std::string_view to_string(event_kind kind) noexcept {
    auto const at = static_cast<std::size_t>(kind);
    return at < std::size(detail::event_facts) ? detail::event_facts[at].type : std::string_view{};
}

/// The event of that `type`. HighLevel's names of the pages that describe them count too, such as
/// "AppInstall" for what is `INSTALL` on the wire.
[[nodiscard]] constexpr event_kind event_kind_of(std::string_view type) noexcept {
    for (auto const& fact : detail::event_facts)
        if (!type.empty() && (fact.type == type || fact.page == type)) return fact.kind;
    return event_kind::unknown;
}

/// What events of that kind are about.
template <event_kind Kind>
using payload_of = std::
    variant_alternative_t<detail::event_facts[static_cast<std::size_t>(Kind)].payload, payload>;

} // namespace highlevel::webhooks

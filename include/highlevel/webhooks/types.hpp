// SPDX-License-Identifier: BSL-1.0
//
// What webhooks say: one struct per kind of record that events are about, each described by a table
// of its wire names. All members may be absent: HighLevel leaves out what it does not know.
#pragma once

#include <highlevel/json/type.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// Payloads of events. `unknown_fields` keeps what a webhook holds besides the described members.
namespace highlevel::webhooks::types {

/// A trial period of an app.
struct trial {
    trial() = default;

    std::optional<bool> on_trial;
    std::optional<double> trial_duration;
    std::optional<std::string> trial_start_date;
    json::lazy_object unknown_fields;
};

/// How a white-label agency appears.
struct whitelabel_details {
    whitelabel_details() = default;

    std::optional<std::string> domain;
    std::optional<std::string> logo_url;
    json::lazy_object unknown_fields;
};

/// An app was installed in a location or for a company. `userId` and `companyId` can be missing
/// when the location was added to the app later.
///
/// Events: AppInstall.
struct app_install {
    app_install() = default;

    std::optional<std::string> app_id;
    std::optional<std::string> version_id;
    std::optional<std::string> install_type;
    std::optional<std::string> company_id;
    std::optional<std::string> location_id;
    std::optional<std::string> user_id;
    std::optional<std::string> plan_id;
    std::optional<types::trial> trial;
    std::optional<bool> is_whitelabel_company;
    std::optional<types::whitelabel_details> whitelabel_details;
    std::optional<std::string> company_name;
    json::lazy_object unknown_fields;
};

/// An app was removed from a location or a company.
///
/// Events: AppUninstall.
struct app_uninstall {
    app_uninstall() = default;

    std::optional<std::string> app_id;
    std::optional<std::string> company_id;
    std::optional<std::string> location_id;
    json::lazy_object unknown_fields;
};

/// The plan of an app changed.
///
/// Events: PlanChange.
struct plan_change {
    plan_change() = default;

    std::optional<std::string> app_id;
    std::optional<std::string> location_id;
    std::optional<std::string> company_id;
    std::optional<std::string> user_id;
    std::optional<std::string> current_plan_id;
    std::optional<std::string> new_plan_id;
    json::lazy_object unknown_fields;
};

/// An appointment.
struct appointment {
    appointment() = default;

    std::optional<std::string> id;
    std::optional<std::string> address;
    std::optional<std::string> title;
    std::optional<std::string> calendar_id;
    std::optional<std::string> contact_id;
    std::optional<std::string> group_id;
    std::optional<std::string> appointment_status;
    std::optional<std::string> assigned_user_id;
    std::vector<std::string> users;
    std::optional<std::string> notes;
    std::optional<std::string> source;
    std::optional<std::string> start_time;
    std::optional<std::string> end_time;
    std::optional<std::string> date_added;
    std::optional<std::string> date_updated;
    json::lazy_object unknown_fields;
};

/// An appointment was made, changed or removed.
///
/// Events: AppointmentCreate, AppointmentDelete, AppointmentUpdate.
struct appointment_event {
    appointment_event() = default;

    std::optional<std::string> location_id;
    std::optional<types::appointment> appointment;
    json::lazy_object unknown_fields;
};

/// A kind of link between two objects.
///
/// Events: AssociationCreate, AssociationDelete, AssociationUpdate.
struct association {
    association() = default;

    std::optional<std::string> id;
    std::optional<std::string> association_type;
    std::optional<std::string> first_object_key;
    std::optional<std::string> first_object_label;
    std::optional<std::string> first_object_to_second_object_cardinality;
    std::optional<std::string> second_object_key;
    std::optional<std::string> second_object_label;
    std::optional<std::string> second_object_to_first_object_cardinality;
    std::optional<std::string> key;
    std::optional<std::string> location_id;
    json::lazy_object unknown_fields;
};

/// How far a contact is in a campaign.
///
/// Events: CampaignStatusUpdate.
struct campaign_status {
    campaign_status() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> id;
    std::optional<std::string> contact_id;
    std::optional<std::string> status;
    std::optional<std::string> template_id;
    std::optional<std::string> replied;
    std::optional<std::string> date_added;
    json::lazy_object unknown_fields;
};

/// The value of a custom field: a string, number, array or object.
struct custom_field_value {
    custom_field_value() = default;

    std::optional<std::string> id;
    json::value value;
    json::lazy_object unknown_fields;
};

/// Whether one channel may be used, and why not.
struct dnd_channel {
    dnd_channel() = default;

    std::optional<std::string> status;
    std::optional<std::string> message;
    std::optional<std::string> code;
    json::lazy_object unknown_fields;
};

/// Do not disturb, by channel.
struct dnd_settings {
    dnd_settings() = default;

    /// `SMS` on the wire.
    std::optional<types::dnd_channel> sms;
    /// `Email` on the wire.
    std::optional<types::dnd_channel> email;
    /// `GMB` on the wire.
    std::optional<types::dnd_channel> gmb;
    /// `FB` on the wire.
    std::optional<types::dnd_channel> fb;
    /// `WhatsApp` on the wire.
    std::optional<types::dnd_channel> whats_app;
    /// `Call` on the wire.
    std::optional<types::dnd_channel> call;
    json::lazy_object unknown_fields;
};

/// A contact. `dndSettings` comes with ContactDndUpdate only.
///
/// Events: ContactCreate, ContactDelete, ContactDndUpdate, ContactTagUpdate, ContactUpdate.
struct contact {
    contact() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> id;
    std::optional<std::string> address1;
    std::optional<std::string> city;
    std::optional<std::string> company_name;
    std::optional<std::string> country;
    std::optional<std::string> source;
    std::optional<std::string> date_added;
    std::optional<std::string> date_of_birth;
    std::optional<bool> dnd;
    std::optional<types::dnd_settings> dnd_settings;
    std::optional<std::string> email;
    std::optional<std::string> name;
    std::optional<std::string> first_name;
    std::optional<std::string> last_name;
    std::optional<std::string> phone;
    std::optional<std::string> postal_code;
    std::optional<std::string> state;
    std::vector<std::string> tags;
    std::optional<std::string> website;
    std::vector<std::string> attachments;
    std::optional<std::string> assigned_to;
    std::vector<types::custom_field_value> custom_fields;
    json::lazy_object unknown_fields;
};

/// How much of a conversation is unread.
///
/// Events: ConversationUnreadWebhook.
struct conversation_unread {
    conversation_unread() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> id;
    std::optional<std::string> contact_id;
    std::optional<std::int64_t> unread_count;
    std::optional<bool> inbox;
    std::optional<bool> starred;
    std::optional<bool> deleted;
    json::lazy_object unknown_fields;
};

/// A message, call or mail of a conversation. `to`, `cc` and `bcc` come as one text or as a list.
///
/// Events: InboundMessage, OutboundMessage.
struct message {
    message() = default;

    std::optional<std::string> location_id;
    std::vector<std::string> attachments;
    std::optional<std::string> body;
    std::optional<std::string> contact_id;
    std::optional<std::string> content_type;
    std::optional<std::string> conversation_id;
    std::optional<std::string> date_added;
    std::optional<std::string> direction;
    std::optional<std::string> message_type;
    std::optional<std::string> message_id;
    std::optional<std::string> status;
    std::optional<double> call_duration;
    std::optional<std::string> call_status;
    std::optional<std::string> email_message_id;
    std::optional<std::string> thread_id;
    std::optional<std::string> subject;
    std::optional<std::string> provider;
    std::optional<std::string> from;
    std::vector<std::string> to;
    std::vector<std::string> cc;
    std::vector<std::string> bcc;
    std::optional<std::string> user_id;
    std::optional<std::string> source;
    std::optional<std::string> conversation_provider_id;
    json::lazy_object unknown_fields;
};

/// An address on an invoice.
struct invoice_address {
    invoice_address() = default;

    std::optional<std::string> country_code;
    std::optional<std::string> address_line1;
    std::optional<std::string> address_line2;
    std::optional<std::string> city;
    std::optional<std::string> state;
    std::optional<std::string> postal_code;
    json::lazy_object unknown_fields;
};

/// Who sends an invoice. `address` comes as a text or as an object.
struct invoice_business {
    invoice_business() = default;

    std::optional<std::string> name;
    json::value address;
    std::optional<std::string> phone_no;
    std::optional<std::string> website;
    std::optional<std::string> logo_url;
    std::vector<json::value> custom_values;
    json::lazy_object unknown_fields;
};

/// A further mail address.
struct invoice_email {
    invoice_email() = default;

    std::optional<std::string> email;
    json::lazy_object unknown_fields;
};

/// Who gets an invoice.
struct invoice_contact {
    invoice_contact() = default;

    std::optional<std::string> id;
    std::optional<std::string> phone_no;
    std::optional<std::string> email;
    std::vector<json::value> custom_fields;
    std::optional<std::string> name;
    std::optional<types::invoice_address> address;
    std::vector<types::invoice_email> additional_emails;
    std::optional<std::string> company_name;
    json::lazy_object unknown_fields;
};

/// A discount.
struct invoice_discount {
    invoice_discount() = default;

    std::optional<std::string> type;
    std::optional<double> value;
    json::lazy_object unknown_fields;
};

/// A line of an invoice.
struct invoice_item {
    invoice_item() = default;

    std::vector<json::value> taxes;
    /// `_id` on the wire.
    std::optional<std::string> id;
    std::optional<std::string> product_id;
    std::optional<std::string> price_id;
    std::optional<std::string> currency;
    std::optional<std::string> name;
    std::optional<double> qty;
    std::optional<double> amount;
    json::lazy_object unknown_fields;
};

/// Sums of an invoice.
struct invoice_summary {
    invoice_summary() = default;

    std::optional<double> sub_total;
    std::optional<double> discount;
    json::lazy_object unknown_fields;
};

/// An invoice.
///
/// Events: InvoiceCreate, InvoiceDelete, InvoicePaid, InvoicePartiallyPaid, InvoiceSent,
/// InvoiceUpdate, InvoiceVoid.
struct invoice {
    invoice() = default;

    /// `_id` on the wire.
    std::optional<std::string> id;
    std::optional<std::string> status;
    std::optional<bool> live_mode;
    std::optional<double> amount_paid;
    std::optional<std::string> alt_id;
    std::optional<std::string> alt_type;
    std::optional<std::string> name;
    std::optional<types::invoice_business> business_details;
    std::optional<std::string> invoice_number;
    std::optional<std::string> currency;
    std::optional<types::invoice_contact> contact_details;
    std::optional<std::string> issue_date;
    std::optional<std::string> due_date;
    std::optional<types::invoice_discount> discount;
    std::vector<types::invoice_item> invoice_items;
    std::optional<double> total;
    std::optional<std::string> title;
    std::optional<double> amount_due;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
    std::optional<types::invoice_summary> total_summary;
    json::lazy_object unknown_fields;
};

/// Marks that the mail service gives.
struct email_flags {
    email_flags() = default;

    /// `is-authenticated` on the wire.
    std::optional<bool> is_authenticated;
    /// `is-routed` on the wire.
    std::optional<bool> is_routed;
    /// `is-big` on the wire.
    std::optional<bool> is_big;
    /// `is-system-test` on the wire.
    std::optional<bool> is_system_test;
    /// `is-test-mode` on the wire.
    std::optional<bool> is_test_mode;
    json::lazy_object unknown_fields;
};

/// Header fields of a mail.
struct email_headers {
    email_headers() = default;

    /// `message-id` on the wire.
    std::optional<std::string> message_id;
    std::optional<std::string> from;
    std::optional<std::string> to;
    json::lazy_object unknown_fields;
};

/// A mail.
struct email_message {
    email_message() = default;

    std::vector<json::value> attachments;
    std::optional<types::email_headers> headers;
    std::optional<std::int64_t> size;
    json::lazy_object unknown_fields;
};

/// What a delivery attempt met.
struct email_delivery {
    email_delivery() = default;

    /// `attempt-no` on the wire.
    std::optional<std::int64_t> attempt_no;
    std::optional<std::int64_t> code;
    std::optional<std::string> message;
    std::optional<std::string> description;
    /// `session-seconds` on the wire.
    std::optional<double> session_seconds;
    /// `enhanced-code` on the wire.
    std::optional<std::string> enhanced_code;
    /// `mx-host` on the wire.
    std::optional<std::string> mx_host;
    std::optional<bool> utf8;
    /// `i-first-delivery-attempt-seconds` on the wire.
    std::optional<double> i_first_delivery_attempt_seconds;
    json::lazy_object unknown_fields;
};

/// How a mail travelled.
struct email_envelope {
    email_envelope() = default;

    std::optional<std::string> sender;
    std::optional<std::string> targets;
    std::optional<std::string> transport;
    /// `sending-ip` on the wire.
    std::optional<std::string> sending_ip;
    /// `i-ip-pool-id` on the wire.
    std::optional<std::string> i_ip_pool_id;
    /// `i-ip-pool-name` on the wire.
    std::optional<std::string> i_ip_pool_name;
    json::lazy_object unknown_fields;
};

/// What happened to a mail. `timestamp` is in seconds since 1970.
struct email_report {
    email_report() = default;

    std::optional<std::string> event;
    std::optional<std::string> id;
    std::optional<double> timestamp;
    std::optional<types::email_flags> flags;
    std::optional<types::email_message> message;
    /// `log-level` on the wire.
    std::optional<std::string> log_level;
    std::optional<std::string> recipient;
    /// `recipient-domain` on the wire.
    std::optional<std::string> recipient_domain;
    std::vector<std::string> tags;
    /// `recipient-provider` on the wire.
    std::optional<std::string> recipient_provider;
    std::vector<json::value> campaigns;
    /// `delivery-status` on the wire.
    std::optional<types::email_delivery> delivery_status;
    std::optional<types::email_envelope> envelope;
    json::lazy_object unknown_fields;
};

/// What happened to a mail that was sent with LC Email.
///
/// Events: LCEmailStats.
struct email_stats {
    email_stats() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> company_id;
    std::optional<types::email_report> webhook_payload;
    json::lazy_object unknown_fields;
};

/// A location (sub-account).
///
/// Events: LocationCreate, LocationUpdate.
struct location {
    location() = default;

    std::optional<std::string> id;
    std::optional<std::string> name;
    std::optional<std::string> email;
    std::optional<std::string> stripe_product_id;
    std::optional<std::string> company_id;
    json::lazy_object unknown_fields;
};

/// A note on a contact.
///
/// Events: NoteCreate, NoteDelete, NoteUpdate.
struct note {
    note() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> id;
    std::optional<std::string> body;
    std::optional<std::string> contact_id;
    std::optional<std::string> date_added;
    json::lazy_object unknown_fields;
};

/// Names of an object.
struct object_labels {
    object_labels() = default;

    std::optional<std::string> singular;
    std::optional<std::string> plural;
    json::lazy_object unknown_fields;
};

/// A custom object.
///
/// Events: ObjectSchemaCreate, ObjectSchemaUpdate.
struct object_schema {
    object_schema() = default;

    std::optional<std::string> id;
    std::optional<types::object_labels> labels;
    std::optional<std::string> description;
    std::vector<std::string> searchable_properties;
    std::optional<std::string> primary_display_property;
    std::optional<std::string> key;
    std::optional<std::string> location_id;
    json::value created_by;
    json::value updated_by;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
    std::optional<std::string> timestamp;
    std::optional<std::string> object_type;
    json::lazy_object unknown_fields;
};

/// An opportunity.
///
/// Events: OpportunityAssignedToUpdate, OpportunityCreate, OpportunityDelete,
/// OpportunityMonetaryValueUpdate, OpportunityStageUpdate, OpportunityStatusUpdate,
/// OpportunityUpdate.
struct opportunity {
    opportunity() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> id;
    std::optional<std::string> assigned_to;
    std::optional<std::string> contact_id;
    std::optional<double> monetary_value;
    std::optional<std::string> name;
    std::optional<std::string> pipeline_id;
    std::optional<std::string> pipeline_stage_id;
    std::optional<std::string> source;
    std::optional<std::string> status;
    std::optional<std::string> date_added;
    json::lazy_object unknown_fields;
};

/// A line of an order.
struct order_item {
    order_item() = default;

    std::optional<std::string> name;
    std::optional<double> qty;
    json::value product;
    json::value price;
    json::lazy_object unknown_fields;
};

/// Sums of an order.
struct order_amounts {
    order_amounts() = default;

    std::optional<double> discount;
    std::optional<double> shipping;
    std::optional<double> subtotal;
    std::optional<double> tax;
    json::lazy_object unknown_fields;
};

/// A tax of an order.
struct order_tax {
    order_tax() = default;

    /// `_id` on the wire.
    std::optional<std::string> id;
    std::optional<double> amount;
    std::optional<std::string> calculation;
    std::optional<std::string> name;
    std::optional<double> rate;
    json::lazy_object unknown_fields;
};

/// Where an order was placed.
struct order_source {
    order_source() = default;

    std::optional<std::string> id;
    std::optional<std::string> name;
    std::optional<std::string> type;
    std::optional<std::string> sub_type;
    json::value meta;
    json::lazy_object unknown_fields;
};

/// An order.
///
/// Events: OrderCreate, OrderStatusUpdate.
struct order {
    order() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> alt_id;
    std::optional<std::string> alt_type;
    /// `_id` on the wire.
    std::optional<std::string> id;
    std::optional<std::string> contact_id;
    std::optional<types::contact> contact_snapshot;
    std::optional<std::string> status;
    std::optional<std::string> fulfillment_status;
    std::optional<std::string> currency;
    std::optional<double> amount;
    std::optional<bool> live_mode;
    std::vector<types::order_item> items;
    std::optional<types::order_amounts> amount_summary;
    std::vector<types::order_tax> tax_summary;
    std::optional<types::order_source> source;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
    json::lazy_object unknown_fields;
};

/// A membership that comes with a price.
struct membership_offer {
    membership_offer() = default;

    std::optional<std::string> label;
    std::optional<std::string> value;
    /// `_id` on the wire.
    std::optional<std::string> id;
    json::lazy_object unknown_fields;
};

/// How often a price is due.
struct price_recurrence {
    price_recurrence() = default;

    std::optional<std::string> interval;
    std::optional<double> interval_count;
    json::lazy_object unknown_fields;
};

/// A price of a product. PriceCreate says `priceType` where the others say `type`.
///
/// Events: PriceCreate, PriceDelete, PriceUpdate.
struct price {
    price() = default;

    /// `_id` on the wire.
    std::optional<std::string> id;
    std::vector<types::membership_offer> membership_offers;
    std::vector<std::string> variant_option_ids;
    std::optional<std::string> location_id;
    std::optional<std::string> product;
    std::optional<std::string> user_id;
    std::optional<std::string> name;
    std::optional<std::string> price_type;
    std::optional<std::string> type;
    std::optional<std::string> currency;
    std::optional<double> amount;
    std::optional<types::price_recurrence> recurring;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
    std::optional<double> compare_at_price;
    std::optional<bool> track_inventory;
    std::optional<double> available_quantity;
    std::optional<bool> allow_out_of_stock_purchases;
    json::lazy_object unknown_fields;
};

/// A choice of a variant.
struct variant_option {
    variant_option() = default;

    std::optional<std::string> id;
    std::optional<std::string> name;
    json::lazy_object unknown_fields;
};

/// A variant of a product.
struct product_variant {
    product_variant() = default;

    std::optional<std::string> id;
    std::optional<std::string> name;
    std::vector<types::variant_option> options;
    json::lazy_object unknown_fields;
};

/// A picture or film of a product.
struct product_media {
    product_media() = default;

    std::optional<std::string> id;
    std::optional<std::string> title;
    std::optional<std::string> url;
    std::optional<std::string> type;
    std::optional<bool> is_featured;
    json::lazy_object unknown_fields;
};

/// A product.
///
/// Events: ProductCreate, ProductDelete, ProductUpdate.
struct product {
    product() = default;

    /// `_id` on the wire.
    std::optional<std::string> id;
    std::optional<std::string> description;
    std::vector<types::product_variant> variants;
    std::vector<types::product_media> medias;
    std::optional<std::string> location_id;
    std::optional<std::string> name;
    std::optional<std::string> product_type;
    std::optional<bool> available_in_store;
    std::optional<std::string> user_id;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
    std::optional<std::string> statement_descriptor;
    std::optional<std::string> image;
    json::lazy_object unknown_fields;
};

/// A message that the conversation provider of an app is to send. `type` says how: `SMS` or
/// `Email`. It has no envelope.
///
/// Events: ProviderOutboundMessage.
struct provider_message {
    provider_message() = default;

    std::optional<std::string> contact_id;
    std::optional<std::string> location_id;
    std::optional<std::string> message_id;
    std::optional<std::string> email_message_id;
    std::optional<std::string> type;
    std::vector<std::string> attachments;
    std::optional<std::string> message;
    std::optional<std::string> phone;
    std::vector<std::string> email_to;
    std::optional<std::string> email_from;
    std::optional<std::string> html;
    std::optional<std::string> subject;
    std::optional<std::string> user_id;
    json::lazy_object unknown_fields;
};

/// A record of a custom object.
///
/// Events: RecordCreate, RecordDelete, RecordUpdate.
struct record {
    record() = default;

    std::optional<std::string> id;
    std::optional<std::string> location_id;
    std::optional<std::string> timestamp;
    std::vector<std::string> owners;
    std::vector<std::string> followers;
    json::value properties;
    json::lazy_object unknown_fields;
};

/// A link between two records.
///
/// Events: RelationCreate, RelationDelete.
struct relation {
    relation() = default;

    std::optional<std::string> id;
    std::optional<std::string> first_object_key;
    std::optional<std::string> first_record_id;
    std::optional<std::string> second_object_key;
    std::optional<std::string> second_record_id;
    std::optional<std::string> association_id;
    std::optional<std::string> location_id;
    json::lazy_object unknown_fields;
};

/// A task.
///
/// Events: TaskComplete, TaskCreate, TaskDelete.
struct task {
    task() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> id;
    std::optional<std::string> assigned_to;
    std::optional<std::string> body;
    std::optional<std::string> contact_id;
    std::optional<std::string> title;
    std::optional<std::string> date_added;
    std::optional<std::string> due_date;
    json::lazy_object unknown_fields;
};

/// A user of a location or company.
///
/// Events: UserCreate, UserUpdate, UserDelete.
struct user {
    user() = default;

    std::optional<std::string> location_id;
    std::optional<std::string> company_id;
    std::optional<std::string> id;
    std::optional<std::string> first_name;
    std::optional<std::string> last_name;
    std::optional<std::string> email;
    std::optional<std::string> phone;
    std::optional<std::string> extension;
    std::optional<std::string> role;
    json::map<bool> permissions;
    std::vector<std::string> locations;
    json::lazy_object unknown_fields;
};

// Wire names.
namespace field_tables {
inline constexpr json::field trial[] = {
    {"onTrial", offsetof(types::trial, on_trial), &json::type_of<std::optional<bool>>},
    {"trialDuration", offsetof(types::trial, trial_duration),
     &json::type_of<std::optional<double>>},
    {"trialStartDate", offsetof(types::trial, trial_start_date),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const trial*) noexcept {
    return field_tables::trial;
}

namespace field_tables {
inline constexpr json::field whitelabel_details[] = {
    {"domain", offsetof(types::whitelabel_details, domain),
     &json::type_of<std::optional<std::string>>},
    {"logoUrl", offsetof(types::whitelabel_details, logo_url),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const whitelabel_details*) noexcept {
    return field_tables::whitelabel_details;
}

namespace field_tables {
inline constexpr json::field app_install[] = {
    {"appId", offsetof(types::app_install, app_id), &json::type_of<std::optional<std::string>>},
    {"versionId", offsetof(types::app_install, version_id),
     &json::type_of<std::optional<std::string>>},
    {"installType", offsetof(types::app_install, install_type),
     &json::type_of<std::optional<std::string>>},
    {"companyId", offsetof(types::app_install, company_id),
     &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::app_install, location_id),
     &json::type_of<std::optional<std::string>>},
    {"userId", offsetof(types::app_install, user_id), &json::type_of<std::optional<std::string>>},
    {"planId", offsetof(types::app_install, plan_id), &json::type_of<std::optional<std::string>>},
    {"trial", offsetof(types::app_install, trial), &json::type_of<std::optional<types::trial>>},
    {"isWhitelabelCompany", offsetof(types::app_install, is_whitelabel_company),
     &json::type_of<std::optional<bool>>},
    {"whitelabelDetails", offsetof(types::app_install, whitelabel_details),
     &json::type_of<std::optional<types::whitelabel_details>>},
    {"companyName", offsetof(types::app_install, company_name),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const app_install*) noexcept {
    return field_tables::app_install;
}

namespace field_tables {
inline constexpr json::field app_uninstall[] = {
    {"appId", offsetof(types::app_uninstall, app_id), &json::type_of<std::optional<std::string>>},
    {"companyId", offsetof(types::app_uninstall, company_id),
     &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::app_uninstall, location_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const app_uninstall*) noexcept {
    return field_tables::app_uninstall;
}

namespace field_tables {
inline constexpr json::field plan_change[] = {
    {"appId", offsetof(types::plan_change, app_id), &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::plan_change, location_id),
     &json::type_of<std::optional<std::string>>},
    {"companyId", offsetof(types::plan_change, company_id),
     &json::type_of<std::optional<std::string>>},
    {"userId", offsetof(types::plan_change, user_id), &json::type_of<std::optional<std::string>>},
    {"currentPlanId", offsetof(types::plan_change, current_plan_id),
     &json::type_of<std::optional<std::string>>},
    {"newPlanId", offsetof(types::plan_change, new_plan_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const plan_change*) noexcept {
    return field_tables::plan_change;
}

namespace field_tables {
inline constexpr json::field appointment[] = {
    {"id", offsetof(types::appointment, id), &json::type_of<std::optional<std::string>>},
    {"address", offsetof(types::appointment, address), &json::type_of<std::optional<std::string>>},
    {"title", offsetof(types::appointment, title), &json::type_of<std::optional<std::string>>},
    {"calendarId", offsetof(types::appointment, calendar_id),
     &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::appointment, contact_id),
     &json::type_of<std::optional<std::string>>},
    {"groupId", offsetof(types::appointment, group_id), &json::type_of<std::optional<std::string>>},
    {"appointmentStatus", offsetof(types::appointment, appointment_status),
     &json::type_of<std::optional<std::string>>},
    {"assignedUserId", offsetof(types::appointment, assigned_user_id),
     &json::type_of<std::optional<std::string>>},
    {"users", offsetof(types::appointment, users), &json::type_of<std::vector<std::string>>},
    {"notes", offsetof(types::appointment, notes), &json::type_of<std::optional<std::string>>},
    {"source", offsetof(types::appointment, source), &json::type_of<std::optional<std::string>>},
    {"startTime", offsetof(types::appointment, start_time),
     &json::type_of<std::optional<std::string>>},
    {"endTime", offsetof(types::appointment, end_time), &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::appointment, date_added),
     &json::type_of<std::optional<std::string>>},
    {"dateUpdated", offsetof(types::appointment, date_updated),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const appointment*) noexcept {
    return field_tables::appointment;
}

namespace field_tables {
inline constexpr json::field appointment_event[] = {
    {"locationId", offsetof(types::appointment_event, location_id),
     &json::type_of<std::optional<std::string>>},
    {"appointment", offsetof(types::appointment_event, appointment),
     &json::type_of<std::optional<types::appointment>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const appointment_event*) noexcept {
    return field_tables::appointment_event;
}

namespace field_tables {
inline constexpr json::field association[] = {
    {"id", offsetof(types::association, id), &json::type_of<std::optional<std::string>>},
    {"associationType", offsetof(types::association, association_type),
     &json::type_of<std::optional<std::string>>},
    {"firstObjectKey", offsetof(types::association, first_object_key),
     &json::type_of<std::optional<std::string>>},
    {"firstObjectLabel", offsetof(types::association, first_object_label),
     &json::type_of<std::optional<std::string>>},
    {"firstObjectToSecondObjectCardinality",
     offsetof(types::association, first_object_to_second_object_cardinality),
     &json::type_of<std::optional<std::string>>},
    {"secondObjectKey", offsetof(types::association, second_object_key),
     &json::type_of<std::optional<std::string>>},
    {"secondObjectLabel", offsetof(types::association, second_object_label),
     &json::type_of<std::optional<std::string>>},
    {"secondObjectToFirstObjectCardinality",
     offsetof(types::association, second_object_to_first_object_cardinality),
     &json::type_of<std::optional<std::string>>},
    {"key", offsetof(types::association, key), &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::association, location_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const association*) noexcept {
    return field_tables::association;
}

namespace field_tables {
inline constexpr json::field campaign_status[] = {
    {"locationId", offsetof(types::campaign_status, location_id),
     &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::campaign_status, id), &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::campaign_status, contact_id),
     &json::type_of<std::optional<std::string>>},
    {"status", offsetof(types::campaign_status, status),
     &json::type_of<std::optional<std::string>>},
    {"templateId", offsetof(types::campaign_status, template_id),
     &json::type_of<std::optional<std::string>>},
    {"replied", offsetof(types::campaign_status, replied),
     &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::campaign_status, date_added),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const campaign_status*) noexcept {
    return field_tables::campaign_status;
}

namespace field_tables {
inline constexpr json::field custom_field_value[] = {
    {"id", offsetof(types::custom_field_value, id), &json::type_of<std::optional<std::string>>},
    {"value", offsetof(types::custom_field_value, value), &json::type_of<json::value>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const custom_field_value*) noexcept {
    return field_tables::custom_field_value;
}

namespace field_tables {
inline constexpr json::field dnd_channel[] = {
    {"status", offsetof(types::dnd_channel, status), &json::type_of<std::optional<std::string>>},
    {"message", offsetof(types::dnd_channel, message), &json::type_of<std::optional<std::string>>},
    {"code", offsetof(types::dnd_channel, code), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const dnd_channel*) noexcept {
    return field_tables::dnd_channel;
}

namespace field_tables {
inline constexpr json::field dnd_settings[] = {
    {"SMS", offsetof(types::dnd_settings, sms), &json::type_of<std::optional<types::dnd_channel>>},
    {"Email", offsetof(types::dnd_settings, email),
     &json::type_of<std::optional<types::dnd_channel>>},
    {"GMB", offsetof(types::dnd_settings, gmb), &json::type_of<std::optional<types::dnd_channel>>},
    {"FB", offsetof(types::dnd_settings, fb), &json::type_of<std::optional<types::dnd_channel>>},
    {"WhatsApp", offsetof(types::dnd_settings, whats_app),
     &json::type_of<std::optional<types::dnd_channel>>},
    {"Call", offsetof(types::dnd_settings, call),
     &json::type_of<std::optional<types::dnd_channel>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const dnd_settings*) noexcept {
    return field_tables::dnd_settings;
}

namespace field_tables {
inline constexpr json::field contact[] = {
    {"locationId", offsetof(types::contact, location_id),
     &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::contact, id), &json::type_of<std::optional<std::string>>},
    {"address1", offsetof(types::contact, address1), &json::type_of<std::optional<std::string>>},
    {"city", offsetof(types::contact, city), &json::type_of<std::optional<std::string>>},
    {"companyName", offsetof(types::contact, company_name),
     &json::type_of<std::optional<std::string>>},
    {"country", offsetof(types::contact, country), &json::type_of<std::optional<std::string>>},
    {"source", offsetof(types::contact, source), &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::contact, date_added), &json::type_of<std::optional<std::string>>},
    {"dateOfBirth", offsetof(types::contact, date_of_birth),
     &json::type_of<std::optional<std::string>>},
    {"dnd", offsetof(types::contact, dnd), &json::type_of<std::optional<bool>>},
    {"dndSettings", offsetof(types::contact, dnd_settings),
     &json::type_of<std::optional<types::dnd_settings>>},
    {"email", offsetof(types::contact, email), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::contact, name), &json::type_of<std::optional<std::string>>},
    {"firstName", offsetof(types::contact, first_name), &json::type_of<std::optional<std::string>>},
    {"lastName", offsetof(types::contact, last_name), &json::type_of<std::optional<std::string>>},
    {"phone", offsetof(types::contact, phone), &json::type_of<std::optional<std::string>>},
    {"postalCode", offsetof(types::contact, postal_code),
     &json::type_of<std::optional<std::string>>},
    {"state", offsetof(types::contact, state), &json::type_of<std::optional<std::string>>},
    {"tags", offsetof(types::contact, tags), &json::type_of<std::vector<std::string>>},
    {"website", offsetof(types::contact, website), &json::type_of<std::optional<std::string>>},
    {"attachments", offsetof(types::contact, attachments),
     &json::type_of<std::vector<std::string>>},
    {"assignedTo", offsetof(types::contact, assigned_to),
     &json::type_of<std::optional<std::string>>},
    {"customFields", offsetof(types::contact, custom_fields),
     &json::type_of<std::vector<types::custom_field_value>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const contact*) noexcept {
    return field_tables::contact;
}

namespace field_tables {
inline constexpr json::field conversation_unread[] = {
    {"locationId", offsetof(types::conversation_unread, location_id),
     &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::conversation_unread, id), &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::conversation_unread, contact_id),
     &json::type_of<std::optional<std::string>>},
    {"unreadCount", offsetof(types::conversation_unread, unread_count),
     &json::type_of<std::optional<std::int64_t>>},
    {"inbox", offsetof(types::conversation_unread, inbox), &json::type_of<std::optional<bool>>},
    {"starred", offsetof(types::conversation_unread, starred), &json::type_of<std::optional<bool>>},
    {"deleted", offsetof(types::conversation_unread, deleted), &json::type_of<std::optional<bool>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const conversation_unread*) noexcept {
    return field_tables::conversation_unread;
}

namespace field_tables {
inline constexpr json::field message[] = {
    {"locationId", offsetof(types::message, location_id),
     &json::type_of<std::optional<std::string>>},
    {"attachments", offsetof(types::message, attachments),
     &json::type_of<std::vector<std::string>>},
    {"body", offsetof(types::message, body), &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::message, contact_id), &json::type_of<std::optional<std::string>>},
    {"contentType", offsetof(types::message, content_type),
     &json::type_of<std::optional<std::string>>},
    {"conversationId", offsetof(types::message, conversation_id),
     &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::message, date_added), &json::type_of<std::optional<std::string>>},
    {"direction", offsetof(types::message, direction), &json::type_of<std::optional<std::string>>},
    {"messageType", offsetof(types::message, message_type),
     &json::type_of<std::optional<std::string>>},
    {"messageId", offsetof(types::message, message_id), &json::type_of<std::optional<std::string>>},
    {"status", offsetof(types::message, status), &json::type_of<std::optional<std::string>>},
    {"callDuration", offsetof(types::message, call_duration),
     &json::type_of<std::optional<double>>},
    {"callStatus", offsetof(types::message, call_status),
     &json::type_of<std::optional<std::string>>},
    {"emailMessageId", offsetof(types::message, email_message_id),
     &json::type_of<std::optional<std::string>>},
    {"threadId", offsetof(types::message, thread_id), &json::type_of<std::optional<std::string>>},
    {"subject", offsetof(types::message, subject), &json::type_of<std::optional<std::string>>},
    {"provider", offsetof(types::message, provider), &json::type_of<std::optional<std::string>>},
    {"from", offsetof(types::message, from), &json::type_of<std::optional<std::string>>},
    {"to", offsetof(types::message, to), &json::type_of<std::vector<std::string>>},
    {"cc", offsetof(types::message, cc), &json::type_of<std::vector<std::string>>},
    {"bcc", offsetof(types::message, bcc), &json::type_of<std::vector<std::string>>},
    {"userId", offsetof(types::message, user_id), &json::type_of<std::optional<std::string>>},
    {"source", offsetof(types::message, source), &json::type_of<std::optional<std::string>>},
    {"conversationProviderId", offsetof(types::message, conversation_provider_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const message*) noexcept {
    return field_tables::message;
}

namespace field_tables {
inline constexpr json::field invoice_address[] = {
    {"countryCode", offsetof(types::invoice_address, country_code),
     &json::type_of<std::optional<std::string>>},
    {"addressLine1", offsetof(types::invoice_address, address_line1),
     &json::type_of<std::optional<std::string>>},
    {"addressLine2", offsetof(types::invoice_address, address_line2),
     &json::type_of<std::optional<std::string>>},
    {"city", offsetof(types::invoice_address, city), &json::type_of<std::optional<std::string>>},
    {"state", offsetof(types::invoice_address, state), &json::type_of<std::optional<std::string>>},
    {"postalCode", offsetof(types::invoice_address, postal_code),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_address*) noexcept {
    return field_tables::invoice_address;
}

namespace field_tables {
inline constexpr json::field invoice_business[] = {
    {"name", offsetof(types::invoice_business, name), &json::type_of<std::optional<std::string>>},
    {"address", offsetof(types::invoice_business, address), &json::type_of<json::value>},
    {"phoneNo", offsetof(types::invoice_business, phone_no),
     &json::type_of<std::optional<std::string>>},
    {"website", offsetof(types::invoice_business, website),
     &json::type_of<std::optional<std::string>>},
    {"logoUrl", offsetof(types::invoice_business, logo_url),
     &json::type_of<std::optional<std::string>>},
    {"customValues", offsetof(types::invoice_business, custom_values),
     &json::type_of<std::vector<json::value>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_business*) noexcept {
    return field_tables::invoice_business;
}

namespace field_tables {
inline constexpr json::field invoice_email[] = {
    {"email", offsetof(types::invoice_email, email), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_email*) noexcept {
    return field_tables::invoice_email;
}

namespace field_tables {
inline constexpr json::field invoice_contact[] = {
    {"id", offsetof(types::invoice_contact, id), &json::type_of<std::optional<std::string>>},
    {"phoneNo", offsetof(types::invoice_contact, phone_no),
     &json::type_of<std::optional<std::string>>},
    {"email", offsetof(types::invoice_contact, email), &json::type_of<std::optional<std::string>>},
    {"customFields", offsetof(types::invoice_contact, custom_fields),
     &json::type_of<std::vector<json::value>>},
    {"name", offsetof(types::invoice_contact, name), &json::type_of<std::optional<std::string>>},
    {"address", offsetof(types::invoice_contact, address),
     &json::type_of<std::optional<types::invoice_address>>},
    {"additionalEmails", offsetof(types::invoice_contact, additional_emails),
     &json::type_of<std::vector<types::invoice_email>>},
    {"companyName", offsetof(types::invoice_contact, company_name),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_contact*) noexcept {
    return field_tables::invoice_contact;
}

namespace field_tables {
inline constexpr json::field invoice_discount[] = {
    {"type", offsetof(types::invoice_discount, type), &json::type_of<std::optional<std::string>>},
    {"value", offsetof(types::invoice_discount, value), &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_discount*) noexcept {
    return field_tables::invoice_discount;
}

namespace field_tables {
inline constexpr json::field invoice_item[] = {
    {"taxes", offsetof(types::invoice_item, taxes), &json::type_of<std::vector<json::value>>},
    {"_id", offsetof(types::invoice_item, id), &json::type_of<std::optional<std::string>>},
    {"productId", offsetof(types::invoice_item, product_id),
     &json::type_of<std::optional<std::string>>},
    {"priceId", offsetof(types::invoice_item, price_id),
     &json::type_of<std::optional<std::string>>},
    {"currency", offsetof(types::invoice_item, currency),
     &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::invoice_item, name), &json::type_of<std::optional<std::string>>},
    {"qty", offsetof(types::invoice_item, qty), &json::type_of<std::optional<double>>},
    {"amount", offsetof(types::invoice_item, amount), &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_item*) noexcept {
    return field_tables::invoice_item;
}

namespace field_tables {
inline constexpr json::field invoice_summary[] = {
    {"subTotal", offsetof(types::invoice_summary, sub_total),
     &json::type_of<std::optional<double>>},
    {"discount", offsetof(types::invoice_summary, discount), &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice_summary*) noexcept {
    return field_tables::invoice_summary;
}

namespace field_tables {
inline constexpr json::field invoice[] = {
    {"_id", offsetof(types::invoice, id), &json::type_of<std::optional<std::string>>},
    {"status", offsetof(types::invoice, status), &json::type_of<std::optional<std::string>>},
    {"liveMode", offsetof(types::invoice, live_mode), &json::type_of<std::optional<bool>>},
    {"amountPaid", offsetof(types::invoice, amount_paid), &json::type_of<std::optional<double>>},
    {"altId", offsetof(types::invoice, alt_id), &json::type_of<std::optional<std::string>>},
    {"altType", offsetof(types::invoice, alt_type), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::invoice, name), &json::type_of<std::optional<std::string>>},
    {"businessDetails", offsetof(types::invoice, business_details),
     &json::type_of<std::optional<types::invoice_business>>},
    {"invoiceNumber", offsetof(types::invoice, invoice_number),
     &json::type_of<std::optional<std::string>>},
    {"currency", offsetof(types::invoice, currency), &json::type_of<std::optional<std::string>>},
    {"contactDetails", offsetof(types::invoice, contact_details),
     &json::type_of<std::optional<types::invoice_contact>>},
    {"issueDate", offsetof(types::invoice, issue_date), &json::type_of<std::optional<std::string>>},
    {"dueDate", offsetof(types::invoice, due_date), &json::type_of<std::optional<std::string>>},
    {"discount", offsetof(types::invoice, discount),
     &json::type_of<std::optional<types::invoice_discount>>},
    {"invoiceItems", offsetof(types::invoice, invoice_items),
     &json::type_of<std::vector<types::invoice_item>>},
    {"total", offsetof(types::invoice, total), &json::type_of<std::optional<double>>},
    {"title", offsetof(types::invoice, title), &json::type_of<std::optional<std::string>>},
    {"amountDue", offsetof(types::invoice, amount_due), &json::type_of<std::optional<double>>},
    {"createdAt", offsetof(types::invoice, created_at), &json::type_of<std::optional<std::string>>},
    {"updatedAt", offsetof(types::invoice, updated_at), &json::type_of<std::optional<std::string>>},
    {"totalSummary", offsetof(types::invoice, total_summary),
     &json::type_of<std::optional<types::invoice_summary>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const invoice*) noexcept {
    return field_tables::invoice;
}

namespace field_tables {
inline constexpr json::field email_flags[] = {
    {"is-authenticated", offsetof(types::email_flags, is_authenticated),
     &json::type_of<std::optional<bool>>},
    {"is-routed", offsetof(types::email_flags, is_routed), &json::type_of<std::optional<bool>>},
    {"is-big", offsetof(types::email_flags, is_big), &json::type_of<std::optional<bool>>},
    {"is-system-test", offsetof(types::email_flags, is_system_test),
     &json::type_of<std::optional<bool>>},
    {"is-test-mode", offsetof(types::email_flags, is_test_mode),
     &json::type_of<std::optional<bool>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_flags*) noexcept {
    return field_tables::email_flags;
}

namespace field_tables {
inline constexpr json::field email_headers[] = {
    {"message-id", offsetof(types::email_headers, message_id),
     &json::type_of<std::optional<std::string>>},
    {"from", offsetof(types::email_headers, from), &json::type_of<std::optional<std::string>>},
    {"to", offsetof(types::email_headers, to), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_headers*) noexcept {
    return field_tables::email_headers;
}

namespace field_tables {
inline constexpr json::field email_message[] = {
    {"attachments", offsetof(types::email_message, attachments),
     &json::type_of<std::vector<json::value>>},
    {"headers", offsetof(types::email_message, headers),
     &json::type_of<std::optional<types::email_headers>>},
    {"size", offsetof(types::email_message, size), &json::type_of<std::optional<std::int64_t>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_message*) noexcept {
    return field_tables::email_message;
}

namespace field_tables {
inline constexpr json::field email_delivery[] = {
    {"attempt-no", offsetof(types::email_delivery, attempt_no),
     &json::type_of<std::optional<std::int64_t>>},
    {"code", offsetof(types::email_delivery, code), &json::type_of<std::optional<std::int64_t>>},
    {"message", offsetof(types::email_delivery, message),
     &json::type_of<std::optional<std::string>>},
    {"description", offsetof(types::email_delivery, description),
     &json::type_of<std::optional<std::string>>},
    {"session-seconds", offsetof(types::email_delivery, session_seconds),
     &json::type_of<std::optional<double>>},
    {"enhanced-code", offsetof(types::email_delivery, enhanced_code),
     &json::type_of<std::optional<std::string>>},
    {"mx-host", offsetof(types::email_delivery, mx_host),
     &json::type_of<std::optional<std::string>>},
    {"utf8", offsetof(types::email_delivery, utf8), &json::type_of<std::optional<bool>>},
    {"i-first-delivery-attempt-seconds",
     offsetof(types::email_delivery, i_first_delivery_attempt_seconds),
     &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_delivery*) noexcept {
    return field_tables::email_delivery;
}

namespace field_tables {
inline constexpr json::field email_envelope[] = {
    {"sender", offsetof(types::email_envelope, sender), &json::type_of<std::optional<std::string>>},
    {"targets", offsetof(types::email_envelope, targets),
     &json::type_of<std::optional<std::string>>},
    {"transport", offsetof(types::email_envelope, transport),
     &json::type_of<std::optional<std::string>>},
    {"sending-ip", offsetof(types::email_envelope, sending_ip),
     &json::type_of<std::optional<std::string>>},
    {"i-ip-pool-id", offsetof(types::email_envelope, i_ip_pool_id),
     &json::type_of<std::optional<std::string>>},
    {"i-ip-pool-name", offsetof(types::email_envelope, i_ip_pool_name),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_envelope*) noexcept {
    return field_tables::email_envelope;
}

namespace field_tables {
inline constexpr json::field email_report[] = {
    {"event", offsetof(types::email_report, event), &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::email_report, id), &json::type_of<std::optional<std::string>>},
    {"timestamp", offsetof(types::email_report, timestamp), &json::type_of<std::optional<double>>},
    {"flags", offsetof(types::email_report, flags),
     &json::type_of<std::optional<types::email_flags>>},
    {"message", offsetof(types::email_report, message),
     &json::type_of<std::optional<types::email_message>>},
    {"log-level", offsetof(types::email_report, log_level),
     &json::type_of<std::optional<std::string>>},
    {"recipient", offsetof(types::email_report, recipient),
     &json::type_of<std::optional<std::string>>},
    {"recipient-domain", offsetof(types::email_report, recipient_domain),
     &json::type_of<std::optional<std::string>>},
    {"tags", offsetof(types::email_report, tags), &json::type_of<std::vector<std::string>>},
    {"recipient-provider", offsetof(types::email_report, recipient_provider),
     &json::type_of<std::optional<std::string>>},
    {"campaigns", offsetof(types::email_report, campaigns),
     &json::type_of<std::vector<json::value>>},
    {"delivery-status", offsetof(types::email_report, delivery_status),
     &json::type_of<std::optional<types::email_delivery>>},
    {"envelope", offsetof(types::email_report, envelope),
     &json::type_of<std::optional<types::email_envelope>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_report*) noexcept {
    return field_tables::email_report;
}

namespace field_tables {
inline constexpr json::field email_stats[] = {
    {"locationId", offsetof(types::email_stats, location_id),
     &json::type_of<std::optional<std::string>>},
    {"companyId", offsetof(types::email_stats, company_id),
     &json::type_of<std::optional<std::string>>},
    {"webhookPayload", offsetof(types::email_stats, webhook_payload),
     &json::type_of<std::optional<types::email_report>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const email_stats*) noexcept {
    return field_tables::email_stats;
}

namespace field_tables {
inline constexpr json::field location[] = {
    {"id", offsetof(types::location, id), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::location, name), &json::type_of<std::optional<std::string>>},
    {"email", offsetof(types::location, email), &json::type_of<std::optional<std::string>>},
    {"stripeProductId", offsetof(types::location, stripe_product_id),
     &json::type_of<std::optional<std::string>>},
    {"companyId", offsetof(types::location, company_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const location*) noexcept {
    return field_tables::location;
}

namespace field_tables {
inline constexpr json::field note[] = {
    {"locationId", offsetof(types::note, location_id), &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::note, id), &json::type_of<std::optional<std::string>>},
    {"body", offsetof(types::note, body), &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::note, contact_id), &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::note, date_added), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const note*) noexcept {
    return field_tables::note;
}

namespace field_tables {
inline constexpr json::field object_labels[] = {
    {"singular", offsetof(types::object_labels, singular),
     &json::type_of<std::optional<std::string>>},
    {"plural", offsetof(types::object_labels, plural), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const object_labels*) noexcept {
    return field_tables::object_labels;
}

namespace field_tables {
inline constexpr json::field object_schema[] = {
    {"id", offsetof(types::object_schema, id), &json::type_of<std::optional<std::string>>},
    {"labels", offsetof(types::object_schema, labels),
     &json::type_of<std::optional<types::object_labels>>},
    {"description", offsetof(types::object_schema, description),
     &json::type_of<std::optional<std::string>>},
    {"searchableProperties", offsetof(types::object_schema, searchable_properties),
     &json::type_of<std::vector<std::string>>},
    {"primaryDisplayProperty", offsetof(types::object_schema, primary_display_property),
     &json::type_of<std::optional<std::string>>},
    {"key", offsetof(types::object_schema, key), &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::object_schema, location_id),
     &json::type_of<std::optional<std::string>>},
    {"createdBy", offsetof(types::object_schema, created_by), &json::type_of<json::value>},
    {"updatedBy", offsetof(types::object_schema, updated_by), &json::type_of<json::value>},
    {"createdAt", offsetof(types::object_schema, created_at),
     &json::type_of<std::optional<std::string>>},
    {"updatedAt", offsetof(types::object_schema, updated_at),
     &json::type_of<std::optional<std::string>>},
    {"timestamp", offsetof(types::object_schema, timestamp),
     &json::type_of<std::optional<std::string>>},
    {"objectType", offsetof(types::object_schema, object_type),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const object_schema*) noexcept {
    return field_tables::object_schema;
}

namespace field_tables {
inline constexpr json::field opportunity[] = {
    {"locationId", offsetof(types::opportunity, location_id),
     &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::opportunity, id), &json::type_of<std::optional<std::string>>},
    {"assignedTo", offsetof(types::opportunity, assigned_to),
     &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::opportunity, contact_id),
     &json::type_of<std::optional<std::string>>},
    {"monetaryValue", offsetof(types::opportunity, monetary_value),
     &json::type_of<std::optional<double>>},
    {"name", offsetof(types::opportunity, name), &json::type_of<std::optional<std::string>>},
    {"pipelineId", offsetof(types::opportunity, pipeline_id),
     &json::type_of<std::optional<std::string>>},
    {"pipelineStageId", offsetof(types::opportunity, pipeline_stage_id),
     &json::type_of<std::optional<std::string>>},
    {"source", offsetof(types::opportunity, source), &json::type_of<std::optional<std::string>>},
    {"status", offsetof(types::opportunity, status), &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::opportunity, date_added),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const opportunity*) noexcept {
    return field_tables::opportunity;
}

namespace field_tables {
inline constexpr json::field order_item[] = {
    {"name", offsetof(types::order_item, name), &json::type_of<std::optional<std::string>>},
    {"qty", offsetof(types::order_item, qty), &json::type_of<std::optional<double>>},
    {"product", offsetof(types::order_item, product), &json::type_of<json::value>},
    {"price", offsetof(types::order_item, price), &json::type_of<json::value>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const order_item*) noexcept {
    return field_tables::order_item;
}

namespace field_tables {
inline constexpr json::field order_amounts[] = {
    {"discount", offsetof(types::order_amounts, discount), &json::type_of<std::optional<double>>},
    {"shipping", offsetof(types::order_amounts, shipping), &json::type_of<std::optional<double>>},
    {"subtotal", offsetof(types::order_amounts, subtotal), &json::type_of<std::optional<double>>},
    {"tax", offsetof(types::order_amounts, tax), &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const order_amounts*) noexcept {
    return field_tables::order_amounts;
}

namespace field_tables {
inline constexpr json::field order_tax[] = {
    {"_id", offsetof(types::order_tax, id), &json::type_of<std::optional<std::string>>},
    {"amount", offsetof(types::order_tax, amount), &json::type_of<std::optional<double>>},
    {"calculation", offsetof(types::order_tax, calculation),
     &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::order_tax, name), &json::type_of<std::optional<std::string>>},
    {"rate", offsetof(types::order_tax, rate), &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const order_tax*) noexcept {
    return field_tables::order_tax;
}

namespace field_tables {
inline constexpr json::field order_source[] = {
    {"id", offsetof(types::order_source, id), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::order_source, name), &json::type_of<std::optional<std::string>>},
    {"type", offsetof(types::order_source, type), &json::type_of<std::optional<std::string>>},
    {"subType", offsetof(types::order_source, sub_type),
     &json::type_of<std::optional<std::string>>},
    {"meta", offsetof(types::order_source, meta), &json::type_of<json::value>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const order_source*) noexcept {
    return field_tables::order_source;
}

namespace field_tables {
inline constexpr json::field order[] = {
    {"locationId", offsetof(types::order, location_id), &json::type_of<std::optional<std::string>>},
    {"altId", offsetof(types::order, alt_id), &json::type_of<std::optional<std::string>>},
    {"altType", offsetof(types::order, alt_type), &json::type_of<std::optional<std::string>>},
    {"_id", offsetof(types::order, id), &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::order, contact_id), &json::type_of<std::optional<std::string>>},
    {"contactSnapshot", offsetof(types::order, contact_snapshot),
     &json::type_of<std::optional<types::contact>>},
    {"status", offsetof(types::order, status), &json::type_of<std::optional<std::string>>},
    {"fulfillmentStatus", offsetof(types::order, fulfillment_status),
     &json::type_of<std::optional<std::string>>},
    {"currency", offsetof(types::order, currency), &json::type_of<std::optional<std::string>>},
    {"amount", offsetof(types::order, amount), &json::type_of<std::optional<double>>},
    {"liveMode", offsetof(types::order, live_mode), &json::type_of<std::optional<bool>>},
    {"items", offsetof(types::order, items), &json::type_of<std::vector<types::order_item>>},
    {"amountSummary", offsetof(types::order, amount_summary),
     &json::type_of<std::optional<types::order_amounts>>},
    {"taxSummary", offsetof(types::order, tax_summary),
     &json::type_of<std::vector<types::order_tax>>},
    {"source", offsetof(types::order, source), &json::type_of<std::optional<types::order_source>>},
    {"createdAt", offsetof(types::order, created_at), &json::type_of<std::optional<std::string>>},
    {"updatedAt", offsetof(types::order, updated_at), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const order*) noexcept {
    return field_tables::order;
}

namespace field_tables {
inline constexpr json::field membership_offer[] = {
    {"label", offsetof(types::membership_offer, label), &json::type_of<std::optional<std::string>>},
    {"value", offsetof(types::membership_offer, value), &json::type_of<std::optional<std::string>>},
    {"_id", offsetof(types::membership_offer, id), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const membership_offer*) noexcept {
    return field_tables::membership_offer;
}

namespace field_tables {
inline constexpr json::field price_recurrence[] = {
    {"interval", offsetof(types::price_recurrence, interval),
     &json::type_of<std::optional<std::string>>},
    {"intervalCount", offsetof(types::price_recurrence, interval_count),
     &json::type_of<std::optional<double>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const price_recurrence*) noexcept {
    return field_tables::price_recurrence;
}

namespace field_tables {
inline constexpr json::field price[] = {
    {"_id", offsetof(types::price, id), &json::type_of<std::optional<std::string>>},
    {"membershipOffers", offsetof(types::price, membership_offers),
     &json::type_of<std::vector<types::membership_offer>>},
    {"variantOptionIds", offsetof(types::price, variant_option_ids),
     &json::type_of<std::vector<std::string>>},
    {"locationId", offsetof(types::price, location_id), &json::type_of<std::optional<std::string>>},
    {"product", offsetof(types::price, product), &json::type_of<std::optional<std::string>>},
    {"userId", offsetof(types::price, user_id), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::price, name), &json::type_of<std::optional<std::string>>},
    {"priceType", offsetof(types::price, price_type), &json::type_of<std::optional<std::string>>},
    {"type", offsetof(types::price, type), &json::type_of<std::optional<std::string>>},
    {"currency", offsetof(types::price, currency), &json::type_of<std::optional<std::string>>},
    {"amount", offsetof(types::price, amount), &json::type_of<std::optional<double>>},
    {"recurring", offsetof(types::price, recurring),
     &json::type_of<std::optional<types::price_recurrence>>},
    {"createdAt", offsetof(types::price, created_at), &json::type_of<std::optional<std::string>>},
    {"updatedAt", offsetof(types::price, updated_at), &json::type_of<std::optional<std::string>>},
    {"compareAtPrice", offsetof(types::price, compare_at_price),
     &json::type_of<std::optional<double>>},
    {"trackInventory", offsetof(types::price, track_inventory),
     &json::type_of<std::optional<bool>>},
    {"availableQuantity", offsetof(types::price, available_quantity),
     &json::type_of<std::optional<double>>},
    {"allowOutOfStockPurchases", offsetof(types::price, allow_out_of_stock_purchases),
     &json::type_of<std::optional<bool>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const price*) noexcept {
    return field_tables::price;
}

namespace field_tables {
inline constexpr json::field variant_option[] = {
    {"id", offsetof(types::variant_option, id), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::variant_option, name), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const variant_option*) noexcept {
    return field_tables::variant_option;
}

namespace field_tables {
inline constexpr json::field product_variant[] = {
    {"id", offsetof(types::product_variant, id), &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::product_variant, name), &json::type_of<std::optional<std::string>>},
    {"options", offsetof(types::product_variant, options),
     &json::type_of<std::vector<types::variant_option>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const product_variant*) noexcept {
    return field_tables::product_variant;
}

namespace field_tables {
inline constexpr json::field product_media[] = {
    {"id", offsetof(types::product_media, id), &json::type_of<std::optional<std::string>>},
    {"title", offsetof(types::product_media, title), &json::type_of<std::optional<std::string>>},
    {"url", offsetof(types::product_media, url), &json::type_of<std::optional<std::string>>},
    {"type", offsetof(types::product_media, type), &json::type_of<std::optional<std::string>>},
    {"isFeatured", offsetof(types::product_media, is_featured),
     &json::type_of<std::optional<bool>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const product_media*) noexcept {
    return field_tables::product_media;
}

namespace field_tables {
inline constexpr json::field product[] = {
    {"_id", offsetof(types::product, id), &json::type_of<std::optional<std::string>>},
    {"description", offsetof(types::product, description),
     &json::type_of<std::optional<std::string>>},
    {"variants", offsetof(types::product, variants),
     &json::type_of<std::vector<types::product_variant>>},
    {"medias", offsetof(types::product, medias), &json::type_of<std::vector<types::product_media>>},
    {"locationId", offsetof(types::product, location_id),
     &json::type_of<std::optional<std::string>>},
    {"name", offsetof(types::product, name), &json::type_of<std::optional<std::string>>},
    {"productType", offsetof(types::product, product_type),
     &json::type_of<std::optional<std::string>>},
    {"availableInStore", offsetof(types::product, available_in_store),
     &json::type_of<std::optional<bool>>},
    {"userId", offsetof(types::product, user_id), &json::type_of<std::optional<std::string>>},
    {"createdAt", offsetof(types::product, created_at), &json::type_of<std::optional<std::string>>},
    {"updatedAt", offsetof(types::product, updated_at), &json::type_of<std::optional<std::string>>},
    {"statementDescriptor", offsetof(types::product, statement_descriptor),
     &json::type_of<std::optional<std::string>>},
    {"image", offsetof(types::product, image), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const product*) noexcept {
    return field_tables::product;
}

namespace field_tables {
inline constexpr json::field provider_message[] = {
    {"contactId", offsetof(types::provider_message, contact_id),
     &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::provider_message, location_id),
     &json::type_of<std::optional<std::string>>},
    {"messageId", offsetof(types::provider_message, message_id),
     &json::type_of<std::optional<std::string>>},
    {"emailMessageId", offsetof(types::provider_message, email_message_id),
     &json::type_of<std::optional<std::string>>},
    {"type", offsetof(types::provider_message, type), &json::type_of<std::optional<std::string>>},
    {"attachments", offsetof(types::provider_message, attachments),
     &json::type_of<std::vector<std::string>>},
    {"message", offsetof(types::provider_message, message),
     &json::type_of<std::optional<std::string>>},
    {"phone", offsetof(types::provider_message, phone), &json::type_of<std::optional<std::string>>},
    {"emailTo", offsetof(types::provider_message, email_to),
     &json::type_of<std::vector<std::string>>},
    {"emailFrom", offsetof(types::provider_message, email_from),
     &json::type_of<std::optional<std::string>>},
    {"html", offsetof(types::provider_message, html), &json::type_of<std::optional<std::string>>},
    {"subject", offsetof(types::provider_message, subject),
     &json::type_of<std::optional<std::string>>},
    {"userId", offsetof(types::provider_message, user_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const provider_message*) noexcept {
    return field_tables::provider_message;
}

namespace field_tables {
inline constexpr json::field record[] = {
    {"id", offsetof(types::record, id), &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::record, location_id),
     &json::type_of<std::optional<std::string>>},
    {"timestamp", offsetof(types::record, timestamp), &json::type_of<std::optional<std::string>>},
    {"owners", offsetof(types::record, owners), &json::type_of<std::vector<std::string>>},
    {"followers", offsetof(types::record, followers), &json::type_of<std::vector<std::string>>},
    {"properties", offsetof(types::record, properties), &json::type_of<json::value>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const record*) noexcept {
    return field_tables::record;
}

namespace field_tables {
inline constexpr json::field relation[] = {
    {"id", offsetof(types::relation, id), &json::type_of<std::optional<std::string>>},
    {"firstObjectKey", offsetof(types::relation, first_object_key),
     &json::type_of<std::optional<std::string>>},
    {"firstRecordId", offsetof(types::relation, first_record_id),
     &json::type_of<std::optional<std::string>>},
    {"secondObjectKey", offsetof(types::relation, second_object_key),
     &json::type_of<std::optional<std::string>>},
    {"secondRecordId", offsetof(types::relation, second_record_id),
     &json::type_of<std::optional<std::string>>},
    {"associationId", offsetof(types::relation, association_id),
     &json::type_of<std::optional<std::string>>},
    {"locationId", offsetof(types::relation, location_id),
     &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const relation*) noexcept {
    return field_tables::relation;
}

namespace field_tables {
inline constexpr json::field task[] = {
    {"locationId", offsetof(types::task, location_id), &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::task, id), &json::type_of<std::optional<std::string>>},
    {"assignedTo", offsetof(types::task, assigned_to), &json::type_of<std::optional<std::string>>},
    {"body", offsetof(types::task, body), &json::type_of<std::optional<std::string>>},
    {"contactId", offsetof(types::task, contact_id), &json::type_of<std::optional<std::string>>},
    {"title", offsetof(types::task, title), &json::type_of<std::optional<std::string>>},
    {"dateAdded", offsetof(types::task, date_added), &json::type_of<std::optional<std::string>>},
    {"dueDate", offsetof(types::task, due_date), &json::type_of<std::optional<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const task*) noexcept {
    return field_tables::task;
}

namespace field_tables {
inline constexpr json::field user[] = {
    {"locationId", offsetof(types::user, location_id), &json::type_of<std::optional<std::string>>},
    {"companyId", offsetof(types::user, company_id), &json::type_of<std::optional<std::string>>},
    {"id", offsetof(types::user, id), &json::type_of<std::optional<std::string>>},
    {"firstName", offsetof(types::user, first_name), &json::type_of<std::optional<std::string>>},
    {"lastName", offsetof(types::user, last_name), &json::type_of<std::optional<std::string>>},
    {"email", offsetof(types::user, email), &json::type_of<std::optional<std::string>>},
    {"phone", offsetof(types::user, phone), &json::type_of<std::optional<std::string>>},
    {"extension", offsetof(types::user, extension), &json::type_of<std::optional<std::string>>},
    {"role", offsetof(types::user, role), &json::type_of<std::optional<std::string>>},
    {"permissions", offsetof(types::user, permissions), &json::type_of<json::map<bool>>},
    {"locations", offsetof(types::user, locations), &json::type_of<std::vector<std::string>>},
};
} // namespace field_tables
constexpr std::span<const json::field> json_fields(const user*) noexcept {
    return field_tables::user;
}

} // namespace highlevel::webhooks::types

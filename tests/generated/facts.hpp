// SPDX-License-Identifier: BSL-1.0
//
// What must hold for every generated operation, whatever the description says. Type-erased, so that
// a thousand operations cost one function.
#pragma once

#include <highlevel/operation.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace test {

/// Collects what is wrong with operations.
class fact_checker {
public:
    /// `size` is the operation's.
    void check(const highlevel::operation_meta& meta, std::size_t size) {
        ++operations_;
        where_ = std::string(highlevel::to_string(meta.version_of_description)) + " " +
            std::string(meta.family) + " " + std::string(meta.name);
        expect(
            identities_
                .insert(
                    std::string(highlevel::to_string(meta.verb)) + " " + std::string(meta.path) +
                    " " + std::string(highlevel::to_string(meta.version_of_description)))
                .second,
            "method and path are taken");
        expect(!meta.family.empty() && !meta.name.empty() && !meta.id.empty(), "no name");
        expect(meta.path.starts_with('/'), "path without a slash");
        expect(
            meta.version == "2021-07-28" || meta.version == "2021-04-15" || meta.version == "v3",
            "odd Version");
        expect(meta.extra_query_offset < size && meta.extra_body_offset < size, "bags outside");
        anonymous_ += meta.tokens == highlevel::token_kinds::none ? 1 : 0;

        check_parameters(meta, size);
        check_body(meta, size);
        check_locator(meta, meta.location);
        check_locator(meta, meta.company);
        check_paging(meta);
    }

    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
    [[nodiscard]] std::size_t operations() const noexcept { return operations_; }
    [[nodiscard]] std::size_t anonymous() const noexcept { return anonymous_; }
    /// Structs reached from parameters and bodies.
    [[nodiscard]] std::size_t structs() const noexcept { return structs_; }

    /// Checks a type and everything that it holds. (Those of responses are made by the same
    /// template, and would double the time to compile this.)
    void check(const highlevel::json::type& t) {
        if (!seen_.insert(&t).second) return;
        if (t.inner != nullptr) check(*t.inner);
        for (const highlevel::json::type* alternative : t.alternatives)
            check(*alternative);
        if (t.what == highlevel::json::kind::enumeration) {
            std::set<std::string_view> texts;
            for (auto const text : t.names())
                expect(!text.empty() && texts.insert(text).second, "enumerator stands twice");
            expect(texts.size() >= 2, "enumeration of one value");
        }
        if (t.what != highlevel::json::kind::structure) return;
        ++structs_;
        expect(
            t.unknown_fields != highlevel::json::type::npos,
            "struct forgets what it does not know");
        std::set<std::string_view> names;
        std::size_t before = 0;
        bool first = true;
        for (auto const& field : t.fields()) {
            expect(names.insert(field.name).second, std::string(field.name) + " stands twice");
            expect(first || field.offset > before, std::string(field.name) + " is out of order");
            expect(field.offset < t.unknown_fields, "unknown_fields is not last");
            before = field.offset;
            first = false;
            if (field.of == nullptr)
                expect(false, std::string(field.name) + " has no type");
            else
                check(*field.of);
        }
    }

private:
    void expect(bool holds, std::string_view text) {
        if (!holds) problems_.push_back(where_ + ": " + std::string(text));
    }

    void check_parameters(const highlevel::operation_meta& meta, std::size_t size) {
        std::vector<std::string_view> placeholders;
        for (std::size_t at = meta.path.find('{'); at != std::string_view::npos;
             at = meta.path.find('{', at)) {
            auto const end = meta.path.find('}', at);
            placeholders.push_back(meta.path.substr(at + 1, end - at - 1));
            at = end;
        }
        std::set<std::size_t> offsets{meta.extra_query_offset, meta.extra_body_offset};
        std::size_t in_path = 0;
        for (auto const& p : meta.parameters) {
            expect(p.offset < size, std::string(p.name) + " lies outside");
            expect(offsets.insert(p.offset).second, std::string(p.name) + " shares its place");
            if (p.type == nullptr) {
                expect(false, std::string(p.name) + " has no type");
                continue;
            }
            check(*p.type);
            expect(
                p.in == highlevel::place::path || p.in == highlevel::place::query,
                "parameter elsewhere");
            if (p.in != highlevel::place::path) continue;
            expect(
                in_path < placeholders.size() && placeholders[in_path] == p.name,
                std::string(p.name) + " is not in the template's order");
            expect(
                p.required && p.type == &highlevel::json::type_of<std::string>, "path parameter");
            ++in_path;
        }
        expect(in_path == placeholders.size(), "a placeholder has no member");
    }

    void check_body(const highlevel::operation_meta& meta, std::size_t size) {
        bool const files = meta.files_offset != highlevel::operation_meta::npos;
        expect(files == (meta.sends == highlevel::content::multipart), "files without multipart");
        expect(!files || meta.files_offset < size, "files lie outside");
        if (meta.body_type == nullptr) {
            expect(meta.sends == highlevel::content::none || files, "content without a body");
            return;
        }
        expect(meta.sends != highlevel::content::none, "body without content");
        expect(meta.body_offset < size, "body lies outside");
        check(*meta.body_type);
    }

    [[nodiscard]] static bool has(
        const highlevel::operation_meta& meta, highlevel::place in, std::string_view name) {
        if (in == highlevel::place::body) {
            const highlevel::json::type* t = meta.body_type;
            while (t != nullptr && t->inner != nullptr)
                t = t->inner;
            if (t == nullptr || t->what != highlevel::json::kind::structure) return false;
            for (auto const& field : t->fields())
                if (field.name == name) return true;
            return false;
        }
        for (auto const& p : meta.parameters)
            if (p.in == in && p.name == name) return true;
        return false;
    }

    void check_locator(const highlevel::operation_meta& meta, const highlevel::locator& l) {
        if (l.in == highlevel::place::none) return;
        expect(has(meta, l.in, l.name), "resource member is not there");
        if (l.with_alt_type) expect(has(meta, l.in, "altType"), "altType is not there");
    }

    void check_paging(const highlevel::operation_meta& meta) {
        if (meta.pages == nullptr || meta.pages->style == highlevel::paging_style::none) return;
        auto const& pages = *meta.pages;
        expect(!pages.position.empty(), "pages without a position");
        for (auto const name : {pages.position, pages.position_id, pages.size})
            if (!name.empty()) expect(has(meta, pages.in, name), "page member is not there");
        for (auto const pointer : {pages.items, pages.next, pages.next_id, pages.total})
            expect(pointer.empty() || pointer.starts_with('/'), "not a JSON pointer");
    }

    std::string where_;
    std::vector<std::string> problems_;
    std::set<std::string> identities_;
    std::set<const highlevel::json::type*> seen_;
    std::size_t operations_ = 0;
    std::size_t anonymous_ = 0;
    std::size_t structs_ = 0;
};

/// Checks the operations of a list, and at compile time that each is an operation.
template <class Operations>
fact_checker check_facts() {
    fact_checker made;
    Operations::for_each([&]<highlevel::operation Op>() {
        static_assert(std::is_standard_layout_v<Op>, "offsets need a standard layout");
        static_assert(
            std::is_same_v<typename Op::response_type, std::string> ||
            !std::is_aggregate_v<typename Op::response_type>);
        made.check(Op::meta, sizeof(Op));
    });
    return made;
}

} // namespace test

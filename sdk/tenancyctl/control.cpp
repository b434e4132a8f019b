#include "tenancyctl/control.hpp"

#include <algorithm>
#include <iostream>
#include <stdexcept>

namespace tenancyctl {

namespace {

constexpr auto replace = json::error_handler_t::replace;

std::string cell(const json& value) {
    if (value.is_null())
        return "-";
    if (value.is_string())
        return one_line(value.get<std::string>(), 80);
    if (value.is_boolean())
        return value.get<bool>() ? "yes" : "no";
    if (value.is_array()) {
        std::string text;
        for (const auto& element : value)
            text += (text.empty() ? "" : ",") + cell(element);
        return text.empty() ? "-" : text;
    }
    return one_line(value.dump(-1, ' ', false, replace), 80);
}

// Characters, not bytes, so that columns stay under each other.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }));
}

std::string dumped(const json& value) {
    return value.dump(2, ' ', false, replace);
}

} // namespace

CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& description) {
    auto* group = app.add_subcommand(name, description);
    group->require_subcommand(1);
    return group;
}

tenancy::tenant_reference tenant_reference_of(const std::string& name) {
    if (const auto id = tenancy::tenant_id::parse(name))
        return *id;
    return tenancy::tenant_slug{name};
}

tenancy::organization_reference organization_reference_of(const std::string& name) {
    if (const auto id = tenancy::organization_id::parse(name))
        return *id;
    return tenancy::organization_slug{name};
}

tenancy::tenant_id tenant_named(const tenancy::control& calls, const std::string& name) {
    if (const auto id = tenancy::tenant_id::parse(name))
        return *id;
    if (const auto found = tenancy::tenants{calls}.get(tenancy::tenant_slug{name}))
        return found->id;
    const tenancy::diagnostics info{"TN002", "tenant is not available", "", "See `tenancyctl tenant list`."};
    throw tenancy::tenant_unavailable{info.message, "", info};
}

tenancy::user_id user_named(const tenancy::control& calls, const std::string& name) {
    if (const auto id = tenancy::user_id::parse(name))
        return *id;
    if (const auto found = tenancy::users{calls}.find_by_email(name))
        return found->id;
    throw std::runtime_error{"no user has the e-mail address " + one_line(name, 80)};
}

void print_list(const context& ctx, const json& list, const std::vector<column>& columns) {
    if (ctx.json) {
        std::cout << dumped(list) << "\n";
        return;
    }
    std::vector<std::vector<std::string>> lines;
    if (!ctx.quiet) {
        auto& headings = lines.emplace_back();
        for (const auto& c : columns)
            headings.emplace_back(c.heading);
    }
    for (const auto& record : list) {
        auto& line = lines.emplace_back();
        for (const auto& c : columns)
            line.push_back(cell(record.at(c.member)));
    }
    std::vector<std::size_t> widths(columns.size(), 0);
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i)
            widths[i] = std::max(widths[i], width(line[i]));
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            text += line[i];
            if (i + 1 < line.size())
                text.append(widths[i] - width(line[i]) + 2, ' ');
        }
        std::cout << text << "\n";
    }
}

void print_record(const context& ctx, const json& record) {
    if (ctx.json) {
        std::cout << dumped(record) << "\n";
        return;
    }
    for (const auto& [name, value] : record.items()) {
        std::string label = name;
        std::replace(label.begin(), label.end(), '_', ' ');
        label.append(label.size() < 20 ? 20 - label.size() : 1, ' ');
        std::cout << label << one_line(value.is_string() ? value.get<std::string>() : cell(value), 400)
                  << "\n";
    }
}

void print_done(const context& ctx, const json& record, const std::string& sentence) {
    if (ctx.json)
        std::cout << dumped(record) << "\n";
    else if (!ctx.quiet)
        std::cout << sentence << "\n";
}

json maybe(const std::optional<tenancy::timestamp>& value) {
    return value ? json(tenancy::to_string(*value)) : json();
}

json parsed(const std::optional<std::string>& text) {
    if (!text)
        return {};
    return json::parse(*text, nullptr, false);
}

std::optional<std::string> given(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>{text};
}

} // namespace tenancyctl

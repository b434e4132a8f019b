#include "tenancyctl/conninfo.hpp"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <libpq-fe.h>

namespace tenancyctl {

namespace {

std::string quoted(std::string_view value) {
    std::string text = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\')
            text += '\\';
        text += c;
    }
    return text + "'";
}

// The server splits `options` at blanks.
std::string escaped_option(std::string_view value) {
    std::string text;
    for (const char c : value) {
        if (c == ' ' || c == '\\')
            text += '\\';
        text += c;
    }
    return text;
}

} // namespace

std::string with_role(const std::string& conninfo, const std::string& role) {
    if (role.empty())
        return conninfo;
    char* problem = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> settings{
        PQconninfoParse(conninfo.c_str(), &problem), &PQconninfoFree};
    if (!settings) {
        std::string message = problem ? problem : "out of memory";
        PQfreemem(problem);
        while (!message.empty() && message.back() == '\n')
            message.pop_back();
        throw std::invalid_argument{message};
    }
    std::string result;
    // The parameter replaces PGOPTIONS, so that goes in as well.
    std::string options;
    if (const char* from_environment = std::getenv("PGOPTIONS"))
        options = from_environment;
    for (const auto* setting = settings.get(); setting->keyword; ++setting) {
        if (!setting->val)
            continue;
        if (std::string_view{setting->keyword} == "options")
            options = setting->val;
        else
            result += std::string{setting->keyword} + "=" + quoted(setting->val) + " ";
    }
    if (!options.empty())
        options += ' ';
    options += "-c role=" + escaped_option(role);
    return result + "options=" + quoted(options);
}

} // namespace tenancyctl

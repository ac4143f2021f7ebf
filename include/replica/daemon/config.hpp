// Reads Swift's configuration files as Swift does: a file must mean the same to both daemons.
// Swift's reader is Python's configparser with additions: [DEFAULT] is inherited, values continue
// on indented lines, %(name)s is replaced, a directory of *.conf files counts as one file, and a
// key given twice in a file is an error. No INI library does all of this. Behaviour: readconf of
// Swift 2.30.1 on Python 3.11.
#ifndef REPLICA_DAEMON_CONFIG_HPP
#define REPLICA_DAEMON_CONFIG_HPP

#include <replica/error.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace replica::daemon {

/// A file that cannot be used: missing, malformed, or with a bad value. The message names the file,
/// the line or section, the key and the reason; it is printed to stderr before exit 1. Code:
/// Error::bad_config.
class ConfigError : public Failure {
public:
    explicit ConfigError(std::string what)
        : Failure(Error::bad_config, what), what_(std::move(what)) {}

    [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

private:
    std::string what_;
};

/// One value and its place, "FILE:LINE", for messages.
struct ConfigValue {
    std::string text;
    std::string where;
    std::string spelling{}; ///< Of the key.
};

/// Keys are lower case, as configparser makes them, and Swift up to 2.31.
using ConfigValues = std::map<std::string, ConfigValue, std::less<>>;

/// When a % in a value is special. Daemon files: only if the value contains "%(", so
/// `fallocate_reserve = 1%` works. swift.conf: always, so a literal % must be written %%.
enum class Interpolation {
    when_referenced,
    always,
};

/// Removes the blanks that Python's str.strip() removes from ASCII text.
[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
    constexpr std::string_view spaces = " \t\n\r\f\v\x1c\x1d\x1e\x1f";
    const auto first = text.find_first_not_of(spaces);
    if (first == text.npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

/// Reads the whole text as a number, or returns false. A leading + is allowed as in Python,
/// underscores are not.
template <class Number>
[[nodiscard]] bool read_number(std::string_view text, Number& number) {
    if (text.starts_with('+') && !text.starts_with("+-")) {
        text.remove_prefix(1);
    }
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && stop == end;
}

[[nodiscard]] inline std::string lower_case(std::string_view text) {
    std::string lower{text};
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

/// A parsed configuration. Values are kept as written; values() resolves references. Not thread
/// safe; read at start and dropped.
class Config {
public:
    /// Reads a file, or all *.conf files of a directory in the order of their names; later files
    /// override earlier ones. Throws ConfigError.
    [[nodiscard]] static Config read(const std::filesystem::path& path) {
        Config config;
        config.path_ = path.string();
        for (const auto& file : files_of(path)) {
            errno = 0;
            std::ifstream stream{file, std::ios::binary};
            const int reason = errno; // of open(2)
            std::string text{std::istreambuf_iterator<char>{stream}, {}};
            if (!stream.is_open() || stream.bad()) {
                const auto why = reason == 0 ? "" : ": " + std::generic_category().message(reason);
                throw ConfigError("Unable to read config from " + file.string() + why);
            }
            config.add(text, file.string());
        }
        return config;
    }

    /// Adds the text of one file. A section or key given twice in one text is an error: one of the
    /// two would be ignored in silence. A later text overrides an earlier one. Throws ConfigError.
    void add(std::string_view text, const std::string& file);

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] bool has(std::string_view section) const { return sections_.contains(section); }

    /// All sections but DEFAULT.
    [[nodiscard]] std::vector<std::string> sections() const {
        std::vector<std::string> names;
        names.reserve(sections_.size());
        for (const auto& [name, values] : sections_) {
            names.push_back(name);
        }
        return names;
    }

    /// What stands in a section itself, as written: without [DEFAULT]. Empty if there is none.
    [[nodiscard]] ConfigValues own(std::string_view section) const {
        const auto found = sections_.find(section);
        return found == sections_.end() ? ConfigValues() : found->second;
    }

    /// Whether another value of the section or of [DEFAULT] has a reference to a name, which is in
    /// lower case.
    [[nodiscard]] bool refers(std::string_view section, const std::string& name) const {
        const auto has = [&](const ConfigValues& values) {
            return std::ranges::any_of(values, [&](const auto& each) {
                return lower_case(each.second.text).find("%(" + name + ")") != std::string::npos;
            });
        };
        return has(defaults_) || has(own(section));
    }

    /// The values of a section, with references replaced. The section's own keys override
    /// [DEFAULT], and `set key = value` (the form in which paste.deploy servers override a default)
    /// overrides both. The name `here` is the directory of the file. Throws ConfigError if there is
    /// no such section, or for a reference to a name that is not set.
    [[nodiscard]] ConfigValues values(std::string_view section,
                                      Interpolation when = Interpolation::when_referenced) const;

private:
    // The parser's state from line to line.
    struct Cursor {
        std::string file;
        std::size_t line = 0;
        std::size_t indent = 0;
        std::string section{};
        ConfigValues* values = nullptr;
        std::string key{};
        std::set<std::string> seen_sections{};
        std::set<std::pair<std::string, std::string>> seen_keys{};

        [[nodiscard]] std::string where() const { return file + ":" + std::to_string(line); }
    };

    [[nodiscard]] static std::vector<std::filesystem::path>
    files_of(const std::filesystem::path& path);
    void add_line(Cursor& cursor, std::string_view line);
    void open_section(Cursor& cursor, std::string_view name);
    static void add_option(Cursor& cursor, std::string_view line);
    [[nodiscard]] static std::string resolve(const ConfigValues& values, const ConfigValue& value,
                                             std::string_view rest, int depth);

    std::string path_{};
    ConfigValues defaults_{};
    std::map<std::string, ConfigValues, std::less<>> sections_{};
};

inline std::vector<std::filesystem::path> Config::files_of(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        return {path};
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
        const auto name = entry.path().filename().string();
        if (name.ends_with(".conf") && !name.starts_with(".")) {
            files.push_back(entry.path());
        }
    }
    if (files.empty()) {
        throw ConfigError("Unable to read config from " + path.string() + ": no *.conf files");
    }
    std::ranges::sort(files);
    return files;
}

inline void Config::add(std::string_view text, const std::string& file) {
    if (path_.empty()) {
        path_ = file;
    }
    Cursor cursor{.file = file};
    while (!text.empty()) {
        const auto end = text.find_first_of("\r\n");
        ++cursor.line;
        add_line(cursor, text.substr(0, end));
        const bool two = end != text.npos && text.substr(end, 2) == "\r\n";
        text.remove_prefix(end == text.npos ? text.size() : end + (two ? 2 : 1));
    }
    const auto drop_blank_tail = [](ConfigValues& values) {
        for (auto& [key, value] : values) {
            const auto last = value.text.find_last_not_of(" \t\n\r\f\v");
            value.text.erase(last == value.text.npos ? 0 : last + 1);
        }
    };
    drop_blank_tail(defaults_);
    for (auto& [name, values] : sections_) {
        drop_blank_tail(values);
    }
}

inline void Config::add_line(Cursor& cursor, std::string_view line) {
    const auto content = trimmed(line);
    if (content.starts_with('#') || content.starts_with(';')) {
        return;
    }
    const bool in_value = cursor.values != nullptr && !cursor.key.empty();
    if (content.empty()) {
        if (in_value) {
            (*cursor.values)[cursor.key].text += '\n'; // kept if the value goes on after it
        }
        return;
    }
    const auto indent = static_cast<std::size_t>(content.data() - line.data());
    if (in_value && indent > cursor.indent) {
        (*cursor.values)[cursor.key].text.append("\n").append(content);
        return;
    }
    cursor.indent = indent;
    const auto close = content.rfind(']');
    if (content.starts_with('[') && close != content.npos && close > 1) {
        open_section(cursor, content.substr(1, close - 1));
    } else if (cursor.values == nullptr) {
        throw ConfigError(cursor.where() + ": \"" + std::string{content} +
                          "\" stands before the first [section]");
    } else {
        add_option(cursor, content);
    }
}

inline void Config::open_section(Cursor& cursor, std::string_view name) {
    cursor.section = name;
    cursor.key.clear();
    if (name == "DEFAULT") {
        cursor.values = &defaults_;
        return;
    }
    if (!cursor.seen_sections.insert(cursor.section).second) {
        throw ConfigError(cursor.where() + ": section [" + cursor.section + "] is given twice");
    }
    cursor.values = &sections_[cursor.section];
}

inline void Config::add_option(Cursor& cursor, std::string_view line) {
    const auto delimiter = line.find_first_of("=:");
    const std::string spelling(trimmed(line.substr(0, delimiter)));
    const auto key = lower_case(spelling);
    if (delimiter == line.npos || key.empty()) {
        throw ConfigError(cursor.where() + ": [" + cursor.section + "]: \"" + std::string{line} +
                          "\" is not of the form key = value");
    }
    if (!cursor.seen_keys.emplace(cursor.section, key).second) {
        throw ConfigError(cursor.where() + ": [" + cursor.section + "] " + key + " is given twice");
    }
    cursor.key = key;
    (*cursor.values)[key] = {std::string{trimmed(line.substr(delimiter + 1))}, cursor.where(),
                             spelling};
}

inline ConfigValues Config::values(std::string_view section, Interpolation when) const {
    const auto found = sections_.find(section);
    if (found == sections_.end()) {
        throw ConfigError("Unable to find " + std::string{section} + " config section in " + path_);
    }
    ConfigValues raw = defaults_;
    for (const auto& [key, value] : found->second) {
        raw.insert_or_assign(key, value);
    }
    for (const auto& [key, value] : found->second) {
        if (key.starts_with("set ")) {
            raw.insert_or_assign(std::string{trimmed(key.substr(4))}, value);
        }
    }
    const auto directory = std::filesystem::absolute(path_).parent_path().string();
    raw.try_emplace("here", ConfigValue{directory, path_});
    ConfigValues resolved = raw;
    for (auto& [key, value] : resolved) {
        const bool literal =
            when == Interpolation::when_referenced && value.text.find("%(") == value.text.npos;
        if (!literal && key != "here") {
            const ConfigValue original{value.text,
                                       value.where + ": [" + std::string{section} + "] " + key};
            value.text = resolve(raw, original, value.text, 1);
        }
    }
    return resolved;
}

inline std::string Config::resolve(const ConfigValues& values, const ConfigValue& value,
                                   std::string_view rest, int depth) {
    if (depth > 10) { // configparser's limit, for a value that refers to itself
        throw ConfigError(value.where + ": references in \"" + value.text +
                          "\" go more than ten levels deep; does the value refer to itself?");
    }
    std::string result;
    while (!rest.empty()) {
        const auto percent = rest.find('%');
        result += rest.substr(0, percent);
        if (percent == rest.npos) {
            break;
        }
        rest.remove_prefix(percent + 1);
        if (rest.starts_with('%')) {
            result += '%';
            rest.remove_prefix(1);
            continue;
        }
        const auto end = rest.find(')');
        if (!rest.starts_with('(') || end == rest.npos || end == 1 ||
            rest.substr(end + 1, 1) != "s") {
            throw ConfigError(value.where + ": in \"" + value.text +
                              "\" a % must be written as %% or belong to %(name)s");
        }
        const auto name = lower_case(rest.substr(1, end - 1));
        const auto found = values.find(name);
        if (found == values.end()) {
            throw ConfigError(value.where + ": \"" + value.text + "\" refers to " + name +
                              ", which is not set");
        }
        result += resolve(values, value, found->second.text, depth + 1);
        rest.remove_prefix(end + 2);
    }
    return result;
}

} // namespace replica::daemon

#endif

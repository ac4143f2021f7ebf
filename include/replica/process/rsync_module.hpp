#ifndef REPLICA_PROCESS_RSYNC_MODULE_HPP
#define REPLICA_PROCESS_RSYNC_MODULE_HPP

// The destination at a node's rsync daemon, as a template: operators give each disk a module of its
// own to limit its connections, or put the module into a device's meta. Swift finds a mistyped
// field at the first transfer; here the daemon does not start.

#include <replica/error.hpp>
#include <replica/ring.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// "{replication_ip}::container_{device}", or "rsync://{ip}:873/container". Fields are those of a
/// ring's device: ip, port, replication_ip, replication_port, region, zone, device and meta. "{{"
/// and "}}" stand for braces. IPv6 addresses get brackets; slashes at the end are removed. Of
/// Python's format strings only plain fields are known (Swift 2.30.1: rsync_module_interpolation).
/// Thread safety: any thread; a module does not change.
class RsyncModule {
public:
    /// Throws Failure with bad_config that names the field.
    explicit RsyncModule(std::string_view text) {
        while (text.ends_with('/')) {
            text.remove_suffix(1);
        }
        const std::string whole(text);
        std::string literal;
        while (!text.empty()) {
            const char first = text.front();
            if ((first == '{' || first == '}') && text.substr(1).starts_with(first)) {
                literal += first;
                text.remove_prefix(2);
            } else if (first == '{') {
                const std::size_t end = text.find('}');
                if (end == std::string_view::npos) {
                    refuse(whole, "an opening brace without a closing one");
                }
                const std::string_view name = text.substr(1, end - 1);
                pieces_.push_back({std::exchange(literal, {}), field(name, whole)});
                text.remove_prefix(name.size() + 2);
            } else if (first == '}') {
                refuse(whole, "a closing brace without an opening one");
            } else {
                literal += first;
                text.remove_prefix(1);
            }
        }
        rest_ = std::move(literal);
    }

    /// The module of one device.
    [[nodiscard]] std::string of(const Device& device) const {
        std::string text;
        for (const Piece& piece : pieces_) {
            text += piece.literal;
            text += piece.field->value(device);
        }
        text += rest_;
        while (text.ends_with('/')) {
            text.pop_back();
        }
        return text;
    }

private:
    struct Field {
        std::string_view name;
        std::string (*value)(const Device&);
    };

    struct Piece {
        std::string literal;
        const Field* field;
    };

    static std::string bracketed(const std::string& ip) {
        const bool six = ip.find(':') != std::string::npos && !ip.starts_with('[');
        return six ? "[" + ip + "]" : ip;
    }

    static constexpr std::array<Field, 8> fields{{
        {"ip", [](const Device& device) { return bracketed(device.ip); }},
        {"port", [](const Device& device) { return std::to_string(device.port); }},
        {"replication_ip", [](const Device& device) { return bracketed(device.replication_ip); }},
        {"replication_port",
         [](const Device& device) { return std::to_string(device.replication_port); }},
        {"region", [](const Device& device) { return std::to_string(device.region); }},
        {"zone", [](const Device& device) { return std::to_string(device.zone); }},
        {"device", [](const Device& device) { return device.device; }},
        {"meta", [](const Device& device) { return device.meta; }},
    }};

    static const Field* field(std::string_view name, const std::string& whole) {
        for (const Field& field : fields) {
            if (field.name == name) {
                return &field;
            }
        }
        refuse(whole, "unknown field {" + std::string(name) +
                          "}; known are ip, port, replication_ip, replication_port, region, zone, "
                          "device, meta");
    }

    [[noreturn]] static void refuse(const std::string& whole, const std::string& reason) {
        throw Failure(Error::bad_config, "rsync_module = " + whole + ": " + reason);
    }

    std::vector<Piece> pieces_;
    std::string rest_;
};

} // namespace replica

#endif // REPLICA_PROCESS_RSYNC_MODULE_HPP

#ifndef REPLICA_RING_RING_FILE_HPP
#define REPLICA_RING_RING_FILE_HPP

// The form of a JSON ring, and the errors in one. A ring decides where data goes and what may be
// deleted, so nothing is guessed: an unknown key is an error like a missing one. An error names its
// key, such as "devices[2].port".
//
//     {"part_power": 10, "replicas": 3,
//      "devices": [{"id": 0, "region": 1, "zone": 1, "ip": "10.0.0.1", "port": 6201,
//                   "replication_ip": "10.1.0.1", "replication_port": 6201,
//                   "device": "sdb1", "weight": 100, "meta": ""}, null],
//      "assignments": [[0, 2, 1], [1, 0, 2]]}
//
// Defaults: region, zone and weight are 1, meta is empty, replication_ip and replication_port are
// ip and port. A null in devices is a removed device. assignments has one row per replica, with the
// device id of each partition; the last row may be shorter, as for 2.5 replicas, and `replicas` may
// be left out. Without assignments placement.hpp chooses the devices.

#include <replica/disk/mounts.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/ring/placement.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace replica {

/// The checked contents of a ring file. Immutable after parse_ring.
struct RingTable {
    unsigned part_power = 0; ///< At most 31: partitions are counted in 32 bits.
    double replicas = 0;     ///< May have a fraction.
    std::vector<Device> devices;
    Tiers tiers{{}};
    std::vector<std::vector<std::uint32_t>> rows; ///< Indexes into devices; empty: no assignments.

    [[nodiscard]] std::uint32_t partition_count() const { return 1U << part_power; }

    /// The number of rows of a table, a short last row included.
    [[nodiscard]] std::size_t row_count() const {
        return static_cast<std::size_t>(std::ceil(replicas));
    }

    /// The partitions of a row: all; for 2.5 replicas the third row has half of them.
    [[nodiscard]] std::uint32_t row_length(std::size_t row) const {
        const double part = std::min(1.0, replicas - static_cast<double>(row));
        return static_cast<std::uint32_t>(std::ceil(part * partition_count()));
    }

    /// The number of primaries of a partition.
    [[nodiscard]] std::size_t replicas_of(std::uint32_t partition) const {
        return row_count() - (partition < row_length(row_count() - 1) ? 0 : 1);
    }
};

/// What reads ring files, ours and Swift's, and refuses what is not right in them.
namespace ring_file {

/// Thrown where the name of the file is not known.
struct BadRing {
    std::string reason;
};

[[noreturn]] inline void refuse_ring(const std::string& key, const std::string& reason) {
    throw BadRing{key.empty() ? reason : key + ": " + reason};
}

/// A value for an error message, cut after 40 characters.
[[nodiscard]] inline std::string shown(const boost::json::value& value) {
    std::string text = boost::json::serialize(value);
    return text.size() <= 40 ? text : text.substr(0, 40) + "...";
}

/// Written by hand an unknown key is a mistake; Swift's tools write more than we need.
enum class UnknownKeys {
    refused,
    ignored
};

/// Reads the members of one object; errors name the key.
class RingObject {
public:
    RingObject(const boost::json::value& value, std::string key,
               std::initializer_list<std::string_view> known,
               UnknownKeys unknown = UnknownKeys::refused)
        : key_(std::move(key)) {
        if (!value.is_object()) {
            refuse_ring(key_, shown(value) + " is not an object");
        }
        object_ = &value.get_object();
        for (const auto& member : *object_) {
            const std::string_view name(member.key().data(), member.key().size());
            if (unknown == UnknownKeys::refused && std::ranges::find(known, name) == known.end()) {
                refuse_ring(key_of(name), "unknown key");
            }
        }
    }

    [[nodiscard]] const boost::json::value* find(std::string_view name) const {
        return object_->if_contains({name.data(), name.size()});
    }

    [[nodiscard]] const boost::json::value& at(std::string_view name) const {
        const auto* const value = find(name);
        if (value == nullptr) {
            refuse_ring(key_of(name), "missing");
        }
        return *value;
    }

    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t low,
                                       std::int64_t high) const {
        const boost::json::value& value = at(name);
        boost::system::error_code code;
        const bool whole = value.is_int64() || value.is_uint64();
        const auto number = value.to_number<std::int64_t>(code);
        if (!whole || code || number < low || number > high) {
            refuse_ring(key_of(name), shown(value) + " is not a whole number from " +
                                          std::to_string(low) + " to " + std::to_string(high));
        }
        return number;
    }

    [[nodiscard]] double number(std::string_view name) const {
        const boost::json::value& value = at(name);
        boost::system::error_code code;
        const auto number = value.to_number<double>(code);
        if (code || !std::isfinite(number) || number < 0) {
            refuse_ring(key_of(name), shown(value) + " is not a number of 0 or more");
        }
        return number;
    }

    [[nodiscard]] std::string text(std::string_view name) const {
        const boost::json::value& value = at(name);
        if (!value.is_string()) {
            refuse_ring(key_of(name), shown(value) + " is not a string");
        }
        return std::string(value.get_string().data(), value.get_string().size());
    }

    /// An address or a host name; it becomes part of URLs and of rsync's arguments.
    [[nodiscard]] std::string host(std::string_view name) const {
        std::string host = text(name);
        const auto allowed = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '.' || c == ':' || c == '-' || c == '_';
        };
        if (host.empty() || host.size() > 255 || host.front() == '-' ||
            !std::ranges::all_of(host, allowed)) {
            refuse_ring(key_of(name), shown(at(name)) + " is no address and no host name");
        }
        return host;
    }

    [[nodiscard]] std::string key_of(std::string_view name) const {
        return key_.empty() ? std::string(name) : key_ + "." + std::string(name);
    }

private:
    std::string key_;
    const boost::json::object* object_ = nullptr;
};

[[nodiscard]] inline Device parse_device(const boost::json::value& value, const std::string& key,
                                         UnknownKeys unknown) {
    const RingObject object(value, key,
                            {"id", "region", "zone", "ip", "port", "replication_ip",
                             "replication_port", "device", "weight", "meta"},
                            unknown);
    const auto integer = [&](std::string_view name, std::int64_t low, std::int64_t high,
                             std::int64_t otherwise) {
        return object.find(name) != nullptr ? object.integer(name, low, high) : otherwise;
    };
    constexpr std::int64_t most = 2147483647;
    Device device;
    device.id = object.integer("id", 0, most);
    device.region = integer("region", 0, most, 1);
    device.zone = integer("zone", 0, most, 1);
    device.ip = object.host("ip");
    device.port = static_cast<std::uint16_t>(object.integer("port", 1, 65535));
    device.replication_ip =
        object.find("replication_ip") != nullptr ? object.host("replication_ip") : device.ip;
    device.replication_port =
        static_cast<std::uint16_t>(integer("replication_port", 1, 65535, device.port));
    device.device = object.text("device");
    device.weight = object.find("weight") != nullptr ? object.number("weight") : 1;
    device.meta = object.find("meta") != nullptr ? object.text("meta") : "";
    if (!is_drive_name(device.device)) {
        refuse_ring(key + ".device", shown(object.at("device")) + " is not a valid drive name");
    }
    return device;
}

/// The devices without the nulls, which are removed devices. `list` is the key of the list.
[[nodiscard]] inline std::vector<Device>
parse_devices(const boost::json::value& value, const std::string& list, UnknownKeys unknown) {
    if (!value.is_array()) {
        refuse_ring(list, shown(value) + " is not a list");
    }
    std::vector<Device> devices;
    std::map<std::int64_t, std::string> by_id;
    std::map<std::tuple<std::string, std::uint16_t, std::string>, std::string> by_place;
    const auto unique = [](const auto& place, const std::string& key, const char* what) {
        if (!place.second) {
            refuse_ring(key, what + place.first->second);
        }
    };
    for (std::size_t i = 0; i < value.get_array().size(); ++i) {
        if (value.get_array()[i].is_null()) {
            continue;
        }
        const std::string key = list + "[" + std::to_string(i) + "]";
        const Device device = parse_device(value.get_array()[i], key, unknown);
        unique(by_id.emplace(device.id, key), key + ".id", "the same id as ");
        unique(by_place.emplace(std::tuple(device.ip, device.port, device.device), key), key,
               "the same ip, port and device as ");
        devices.push_back(device);
    }
    return devices;
}

/// Checks that each partition gets its devices, none twice.
[[nodiscard]] inline std::vector<std::vector<std::uint32_t>>
parse_assignments(const boost::json::value& value, const RingTable& table) {
    const std::size_t rows_wanted = table.row_count();
    if (!value.is_array() || value.get_array().size() != rows_wanted) {
        refuse_ring("assignments",
                    "not a list of " + std::to_string(rows_wanted) + " rows, one for each replica");
    }
    std::map<std::int64_t, std::uint32_t> index;
    for (std::uint32_t i = 0; i < table.devices.size(); ++i) {
        index[table.devices[i].id] = i;
    }
    std::vector<std::vector<std::uint32_t>> rows;
    for (std::size_t r = 0; r < rows_wanted; ++r) {
        const boost::json::value& source = value.get_array()[r];
        const std::string key = "assignments[" + std::to_string(r) + "]";
        const std::size_t wanted = table.row_length(r);
        if (!source.is_array() || source.get_array().size() != wanted) {
            refuse_ring(key, "not a list of " + std::to_string(wanted) +
                                 " device ids, one for each partition");
        }
        std::vector<std::uint32_t>& row = rows.emplace_back();
        row.reserve(wanted);
        for (std::size_t p = 0; p < wanted; ++p) {
            const boost::json::value& id = source.get_array()[p];
            const auto found = id.is_int64() ? index.find(id.get_int64()) : index.end();
            const std::string here = key + "[" + std::to_string(p) + "]";
            if (found == index.end()) {
                refuse_ring(here, shown(id) + " is not the id of a device");
            }
            for (std::size_t other = 0; other < r; ++other) {
                if (rows[other][p] == found->second) {
                    refuse_ring(here, "device " + shown(id) + " has this partition already");
                }
            }
            row.push_back(found->second);
        }
    }
    return rows;
}

/// The number of replicas given by the rows: only the last may be short.
[[nodiscard]] inline double count_replicas(const boost::json::value& assignments,
                                           std::uint32_t partitions) {
    if (!assignments.is_array() || assignments.get_array().empty() ||
        !assignments.get_array().back().is_array()) {
        refuse_ring("assignments", "not a list of rows, one for each replica");
    }
    const auto& rows = assignments.get_array();
    return static_cast<double>(rows.size() - 1) +
           static_cast<double>(rows.back().get_array().size()) / partitions;
}

[[nodiscard]] inline RingTable parse_ring_object(const boost::json::value& value) {
    const RingObject object(value, "", {"part_power", "replicas", "devices", "assignments"});
    const auto* const assignments = object.find("assignments");
    RingTable table;
    table.part_power = static_cast<unsigned>(object.integer("part_power", 0, 31));
    table.replicas = object.find("replicas") == nullptr && assignments != nullptr
                         ? count_replicas(*assignments, table.partition_count())
                         : object.number("replicas");
    table.devices = parse_devices(object.at("devices"), "devices", UnknownKeys::refused);
    table.tiers = Tiers(table.devices);
    const auto usable = std::ranges::count_if(table.devices, [&](const Device& device) {
        return assignments != nullptr || device.weight > 0;
    });
    if (table.replicas < 1) {
        refuse_ring("replicas", "must be 1 or more");
    }
    if (std::ceil(table.replicas) > static_cast<double>(usable)) {
        refuse_ring("replicas",
                    "more than the usable devices, of which there are " + std::to_string(usable));
    }
    if (assignments != nullptr) {
        table.rows = parse_assignments(*assignments, table);
    }
    return table;
}

} // namespace ring_file

/// Parses a ring file. Throws Failure with bad_config that names `file`, the key and the reason.
[[nodiscard]] inline RingTable parse_ring(std::string_view text, const std::string& file) {
    try {
        boost::system::error_code code;
        const boost::json::value value = boost::json::parse({text.data(), text.size()}, code);
        if (code) {
            ring_file::refuse_ring("", "not JSON: " + code.message());
        }
        return ring_file::parse_ring_object(value);
    } catch (const ring_file::BadRing& bad) {
        throw Failure(Error::bad_config, file + ": " + bad.reason);
    }
}

} // namespace replica

#endif // REPLICA_RING_RING_FILE_HPP

#ifndef REPLICA_RING_SWIFT_RING_FILE_HPP
#define REPLICA_RING_SWIFT_RING_FILE_HPP

// The bytes of `account.ring.gz` and `container.ring.gz`, as swift-ring-builder writes them. gzip,
// and inside it, all lengths in network order:
//
//     format 1   "R1NG" 0x0001, length (4 bytes), a JSON object: devs, part_shift, replica_count,
//                byteorder; then replica_count rows of device ids, 2 bytes each in that byte order.
//     format 2   "R1NG" 0x0002, sections of length (8 bytes) and content: metadata (part_shift,
//     (2.36)     dev_id_bytes), the list of devices, the rows in network order; last the index, a
//                JSON object of section -> [packed start, start, packed end, end, digest, hex];
//                where the index starts, and where it starts in the packed file (8 bytes each).
//
// A row has the device of each partition. The last row may be shorter: for 2.5 replicas it ends
// after half of the partitions. Swift uses whatever rows it can read, so a file that was cut off
// looks like fewer replicas. Here every byte must be accounted for: with too few primaries a
// database would be removed too early.
//
// Format 2 follows Swift's documents and sources. It was tested with files that test/swift/ring.py
// writes from them, not with Swift itself: 2.30.1, the version compared with, does not have it.

#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/ring/gzip.hpp>
#include <replica/ring/placement.hpp>
#include <replica/ring/ring_file.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// The checked contents of a Swift ring file. Immutable after parse_swift_ring. Takes 12 MB for
/// three replicas of 2^20 partitions.
struct SwiftRingTable {
    static constexpr std::size_t tier_count = 4; ///< Region, zone, node, device.

    unsigned part_power = 0; ///< At most 31: partitions are counted in 32 bits.
    std::vector<Device> devices;
    std::vector<std::array<std::size_t, tier_count>> tiers; ///< For each device, as small numbers.
    std::vector<std::vector<std::uint32_t>> rows;           ///< Indexes into devices.

    /// The number of regions, zones, nodes and devices that hold any partition. Once so many were
    /// given, the search for handoffs ends.
    std::array<std::size_t, tier_count> assigned{};

    [[nodiscard]] std::uint32_t partition_count() const { return 1U << part_power; }
};

namespace ring_file {

/// Reads a text from its front.
class RingBytes {
public:
    explicit RingBytes(std::string_view rest) : rest_(rest) {}

    /// `what` is the key in the error message.
    [[nodiscard]] std::string_view take(std::uint64_t bytes, const std::string& what) {
        if (bytes > rest_.size()) {
            refuse_ring(what, std::to_string(bytes) + " bytes wanted, " +
                                  std::to_string(rest_.size()) + " left");
        }
        const auto taken = rest_.substr(0, static_cast<std::size_t>(bytes));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    /// A number in network byte order.
    [[nodiscard]] std::uint64_t number(std::size_t bytes, const std::string& what) {
        std::uint64_t number = 0;
        for (const char c : take(bytes, what)) {
            number = number << 8 | static_cast<std::uint8_t>(c);
        }
        return number;
    }

    /// Bytes that follow their length.
    [[nodiscard]] std::string_view blob(std::size_t length_bytes, const std::string& what) {
        return take(number(length_bytes, what), what);
    }

    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

[[nodiscard]] inline boost::json::value ring_json(std::string_view text, const std::string& what) {
    boost::system::error_code code;
    boost::json::value value = boost::json::parse({text.data(), text.size()}, code);
    if (code) {
        refuse_ring(what, "not JSON: " + code.message());
    }
    return value;
}

[[nodiscard]] inline RingObject swift_object(const boost::json::value& value, std::string key) {
    return {value, std::move(key), {}, UnknownKeys::ignored};
}

/// A device's id must be its index in the list: if table and list disagreed, databases would be
/// sent to wrong nodes.
inline void read_swift_devices(SwiftRingTable& table, const boost::json::value& list) {
    table.devices = parse_devices(list, "devs", UnknownKeys::ignored);
    std::size_t next = 0;
    for (std::size_t i = 0; i < list.get_array().size(); ++i) {
        if (list.get_array()[i].is_null()) {
            continue;
        }
        const std::int64_t id = table.devices[next++].id;
        if (id != static_cast<std::int64_t>(i)) {
            refuse_ring("devs[" + std::to_string(i) + "].id",
                        std::to_string(id) + " is not its index in the list");
        }
    }
    const Tiers tiers(table.devices);
    for (std::size_t device = 0; device < table.devices.size(); ++device) {
        const Tiers::Of& of = tiers.of(device);
        table.tiers.push_back({of.region, of.zone, of.node, device});
    }
}

/// The form of the device ids in rows.
struct IdFormat {
    std::size_t bytes;
    std::endian order;
};

/// Reads all of `bytes` as rows: whole ones, and a last one that may be short.
inline void read_swift_rows(SwiftRingTable& table, std::string_view bytes, IdFormat format) {
    const std::size_t partitions = table.partition_count();
    const std::size_t ids = bytes.size() / format.bytes;
    if (bytes.size() % format.bytes != 0 || ids < partitions) {
        refuse_ring("rows", std::to_string(bytes.size()) + " bytes are not a row of " +
                                std::to_string(partitions) + " ids of " +
                                std::to_string(format.bytes) + " bytes, or several");
    }
    constexpr auto nobody = static_cast<std::uint32_t>(-1);
    std::vector<std::uint32_t> by_id;
    for (std::uint32_t i = 0; i < table.devices.size(); ++i) {
        by_id.resize(static_cast<std::size_t>(table.devices[i].id) + 1, nobody);
        by_id.back() = i;
    }
    std::vector<bool> used(table.devices.size());
    for (std::size_t i = 0; i < ids; ++i) {
        if (i % partitions == 0) {
            table.rows.emplace_back().reserve(std::min(partitions, ids - i));
        }
        std::uint64_t id = 0;
        for (std::size_t k = 0; k < format.bytes; ++k) {
            const std::size_t from = format.order == std::endian::big ? k : format.bytes - 1 - k;
            id = id << 8 | static_cast<std::uint8_t>(bytes[i * format.bytes + from]);
        }
        const std::uint32_t device = id < by_id.size() ? by_id[id] : nobody;
        if (device == nobody) {
            refuse_ring("rows[" + std::to_string(i / partitions) + "][" +
                            std::to_string(i % partitions) + "]",
                        std::to_string(id) + " is not the id of a device");
        }
        table.rows.back().push_back(device);
        used[device] = true;
    }
    std::array<std::set<std::size_t>, SwiftRingTable::tier_count> seen;
    for (std::size_t device = 0; device < used.size(); ++device) {
        for (std::size_t tier = 0; used[device] && tier < seen.size(); ++tier) {
            seen[tier].insert(table.tiers[device][tier]);
            table.assigned[tier] = seen[tier].size();
        }
    }
}

[[nodiscard]] inline unsigned part_power_of(const RingObject& metadata) {
    return static_cast<unsigned>(32 - metadata.integer("part_shift", 1, 32));
}

/// Files from before 2.12 have no byte order: then it is that of this machine.
[[nodiscard]] inline std::endian byte_order_of(const RingObject& metadata) {
    if (metadata.find("byteorder") == nullptr) {
        return std::endian::native;
    }
    const std::string order = metadata.text("byteorder");
    if (order != "little" && order != "big") {
        refuse_ring("byteorder", '"' + order + "\" is neither little nor big");
    }
    return order == "big" ? std::endian::big : std::endian::little;
}

[[nodiscard]] inline SwiftRingTable read_format_1(RingBytes bytes) {
    const boost::json::value value = ring_json(bytes.blob(4, "metadata"), "metadata");
    const RingObject metadata = swift_object(value, "");
    SwiftRingTable table;
    table.part_power = part_power_of(metadata);
    const auto rows = static_cast<std::size_t>(metadata.integer("replica_count", 1, 65536));
    const IdFormat format{2, byte_order_of(metadata)};
    read_swift_devices(table, metadata.at("devs"));
    read_swift_rows(table, bytes.rest(), format);
    if (table.rows.size() != rows) {
        refuse_ring("replica_count", std::to_string(rows) + ", but there are " +
                                         std::to_string(table.rows.size()) + " rows");
    }
    return table;
}

/// The sections of format 2. Their digests are not checked: unlike Swift we have read the whole
/// file, and its CRC-32 was right.
class RingSections {
public:
    /// `content` is the whole inflated file.
    explicit RingSections(std::string_view content) : content_(content) {
        constexpr std::size_t tail = 16;
        const std::string what = "index";
        const std::size_t end = content.size() - std::min(tail, content.size());
        const std::uint64_t start = RingBytes(content.substr(end)).number(8, what);
        const std::string_view text = at(start, what);
        if (start + 8 + text.size() != end) {
            refuse_ring(what, "does not end where the file does");
        }
        index_ = ring_json(text, what);
    }

    [[nodiscard]] std::string_view find(const std::string& name) const {
        const boost::json::value& entry = swift_object(index_, "index").at(name);
        const auto* const fields = entry.if_array();
        const auto number = [&](std::size_t i) {
            boost::system::error_code code;
            const auto offset = (*fields)[i].to_number<std::uint64_t>(code);
            if (code) {
                refuse_ring(name, shown(entry) + " in the index is not a start and an end");
            }
            return offset;
        };
        if (fields == nullptr || fields->size() < 4) {
            refuse_ring(name, shown(entry) + " in the index is not a start and an end");
        }
        const std::uint64_t start = number(1);
        const std::string_view section = at(start, name);
        if (!(*fields)[3].is_null() && number(3) != start + 8 + section.size()) {
            refuse_ring(name, "the index says that it ends elsewhere");
        }
        return section;
    }

private:
    [[nodiscard]] std::string_view at(std::uint64_t start, const std::string& what) const {
        RingBytes bytes(content_);
        static_cast<void>(bytes.take(start, what));
        return bytes.blob(8, what);
    }

    std::string_view content_;
    boost::json::value index_;
};

[[nodiscard]] inline SwiftRingTable read_format_2(std::string_view content) {
    const RingSections sections(content);
    const boost::json::value value = ring_json(sections.find("swift/ring/metadata"), "metadata");
    const RingObject metadata = swift_object(value, "");
    SwiftRingTable table;
    table.part_power = part_power_of(metadata);
    const auto id_bytes = static_cast<std::size_t>(metadata.integer("dev_id_bytes", 2, 8));
    if (!std::has_single_bit(id_bytes)) {
        refuse_ring("dev_id_bytes", std::to_string(id_bytes) + " is not 2, 4 or 8");
    }
    read_swift_devices(table, ring_json(sections.find("swift/ring/devices"), "devs"));
    read_swift_rows(table, sections.find("swift/ring/assignments"), {id_bytes, std::endian::big});
    return table;
}

} // namespace ring_file

/// Parses a ring file. Throws Failure with bad_config that names `file` and the reason.
[[nodiscard]] inline SwiftRingTable parse_swift_ring(std::string_view packed,
                                                     const std::string& file) {
    constexpr std::size_t most = 512U << 20; // room for three replicas of 2^26 partitions
    try {
        const std::string content = ring_file::inflate_ring(std::string(packed), most);
        ring_file::RingBytes bytes(content);
        if (!content.starts_with("R1NG")) {
            ring_file::refuse_ring("",
                                   "does not begin with R1NG: not a ring, or one of before Swift "
                                   "1.7.0, which swift-ring-builder writes anew with write_ring");
        }
        static_cast<void>(bytes.take(4, "magic"));
        const std::uint64_t format = bytes.number(2, "format");
        if (format != 1 && format != 2) {
            ring_file::refuse_ring("", "ring format " + std::to_string(format) +
                                           " is not known, only 1 and 2 are");
        }
        return format == 1 ? ring_file::read_format_1(bytes) : ring_file::read_format_2(content);
    } catch (const ring_file::BadRing& bad) {
        throw Failure(Error::bad_config, file + ": " + bad.reason);
    }
}

} // namespace replica

#endif // REPLICA_RING_SWIFT_RING_FILE_HPP

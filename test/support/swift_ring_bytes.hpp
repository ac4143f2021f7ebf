#ifndef REPLICA_TEST_SUPPORT_SWIFT_RING_BYTES_HPP
#define REPLICA_TEST_SUPPORT_SWIFT_RING_BYTES_HPP

// Ring files of Swift's put together byte by byte, well-formed or not.

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>

namespace replica::test {

/// `bytes` in gzip; level 0 does not make them smaller.
[[nodiscard]] inline std::string gzip(std::string bytes, int level = 6) {
    z_stream stream{};
    if (deflateInit2(&stream, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        throw std::bad_alloc();
    }
    std::string packed(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

/// A number in network order.
[[nodiscard]] inline std::string network(std::uint64_t number, std::size_t bytes) {
    std::string text;
    while (bytes-- > 0) {
        text += static_cast<char>(number >> (8 * bytes));
    }
    return text;
}

[[nodiscard]] inline std::string ids(std::initializer_list<std::uint64_t> all, std::size_t bytes) {
    std::string text;
    for (const std::uint64_t id : all) {
        text += network(id, bytes);
    }
    return text;
}

[[nodiscard]] inline std::string magic(std::uint64_t format) {
    return "R1NG" + network(format, 2);
}

/// The inflated content of format 1.
[[nodiscard]] inline std::string format_1(std::string_view metadata, std::string_view rows) {
    return magic(1) + network(metadata.size(), 4) + std::string(metadata) + std::string(rows);
}

/// The inflated content of format 2. Offsets in the packed file are of no use to us: all are 7.
struct Format2 {
    void add(const std::string& name, std::string_view section) {
        const std::size_t start = content.size();
        content += network(section.size(), 8) + std::string(section);
        index += (index.empty() ? "" : ", ") + ('"' + name + "\": [7, ") + std::to_string(start) +
                 ", 7, " + std::to_string(content.size()) + R"(, "sha256", "00"])";
    }
    /// The whole, with this index or the one of the sections that were added.
    [[nodiscard]] std::string done(const std::string& other_index = {}) const {
        const std::string text = other_index.empty() ? '{' + index + '}' : other_index;
        return content + network(text.size(), 8) + text + network(content.size(), 8) +
               network(7, 8);
    }

    std::string content = magic(2);
    std::string index{};
};

[[nodiscard]] inline std::string format_2(std::string_view metadata, std::string_view devices,
                                          std::string_view rows) {
    Format2 file;
    file.add("swift/ring/metadata", metadata);
    file.add("swift/ring/devices", devices);
    file.add("swift/ring/assignments", rows);
    return file.done();
}

/// Four devices in three nodes, two zones and two regions; the one with id 1 was removed.
inline constexpr std::string_view some_devices = R"([
    {"id": 0, "region": 1, "zone": 1, "ip": "10.0.0.1", "port": 6201, "device": "sdb1",
     "replication_ip": "10.1.0.1", "replication_port": 6301, "weight": 100.0, "meta": "old"},
    null,
    {"id": 2, "region": 1, "zone": 2, "ip": "10.0.0.2", "port": 6201, "device": "sdb1",
     "weight": 100.0, "meta": ""},
    {"id": 3, "region": 1, "zone": 2, "ip": "10.0.0.2", "port": 6201, "device": "sdc1",
     "weight": 100.0, "meta": ""},
    {"id": 4, "region": 2, "zone": 1, "ip": "fe80::1", "port": 6201, "device": "sdb1",
     "weight": 0, "meta": "", "parts": 3, "parts_wanted": 0}])";

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_SWIFT_RING_BYTES_HPP

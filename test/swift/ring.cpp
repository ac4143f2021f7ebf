// Primaries and handoffs of our ring are those of Swift's own Ring, for every partition and to the
// last device. Swift is Debian's own python3-swift; ring.py does its part.

#define BOOST_TEST_MODULE swift_ring
#include "laws/ring.hpp"

#include <replica/ring/swift_ring.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace replica;
using Ids = std::vector<std::int64_t>;

namespace {

struct Rings {
    Rings() {
        std::string pattern = (fs::temp_directory_path() / "replica-rings-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        // Tests run in the root of the source tree; __FILE__ may be relative to the build's.
        const std::string command = "/usr/bin/python3 test/swift/ring.py " + root.string();
        BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                              "ring.py failed; it needs the package python3-swift");
    }
    ~Rings() { fs::remove_all(root); }
    Rings(const Rings&) = delete;
    Rings& operator=(const Rings&) = delete;

    fs::path root;
};

boost::json::value read_json(const fs::path& path) {
    std::ifstream in(path);
    return boost::json::parse(std::string(std::istreambuf_iterator(in), {}));
}

Ids ids(const std::vector<Device>& devices) {
    Ids found;
    for (const Device& device : devices) {
        found.push_back(device.id);
    }
    return found;
}

void require_same_devices(const std::vector<Device>& ours, const boost::json::array& swifts) {
    BOOST_REQUIRE(ours.size() == swifts.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        const auto& want = swifts[i].as_object();
        const Device& got = ours[i];
        BOOST_TEST(got.id == want.at("id").as_int64());
        BOOST_TEST(got.region == want.at("region").as_int64());
        BOOST_TEST(got.zone == want.at("zone").as_int64());
        BOOST_TEST(got.ip == want.at("ip").as_string());
        BOOST_TEST(got.port == want.at("port").as_int64());
        BOOST_TEST(got.replication_ip == want.at("replication_ip").as_string());
        BOOST_TEST(got.replication_port == want.at("replication_port").as_int64());
        BOOST_TEST(got.device == want.at("device").as_string());
        BOOST_TEST(got.weight == want.at("weight").to_number<double>());
        BOOST_TEST(got.meta == want.at("meta").as_string());
    }
}

/// How many partitions were compared.
std::size_t require_same(const fs::path& file, const boost::json::value& expected) {
    SwiftRing<> ring(file.string());
    const SwiftRingVersion version = ring.version();
    require_same_devices(version.devices(), expected.at("devices").as_array());
    BOOST_REQUIRE(version.partition_count() == expected.at("partition_count").as_int64());
    for (const auto& [hash, partition] : expected.at("partition_of").as_object()) {
        BOOST_TEST(version.partition(hash) == partition.as_int64());
    }
    for (const auto& want : expected.at("partitions").as_array()) {
        const auto partition = want.at("partition").to_number<std::uint32_t>();
        BOOST_TEST_CONTEXT("partition " << partition) {
            BOOST_TEST(ids(version.primaries(partition)) ==
                           boost::json::value_to<Ids>(want.at("primaries")),
                       boost::test_tools::per_element());
            BOOST_TEST(ids(replica::test::all_handoffs(version, partition)) ==
                           boost::json::value_to<Ids>(want.at("handoffs")),
                       boost::test_tools::per_element());
        }
    }
    return expected.at("partitions").as_array().size();
}

BOOST_FIXTURE_TEST_CASE(primaries_and_handoffs_are_swifts_own_for_every_partition, Rings) {
    std::size_t rings = 0;
    std::size_t partitions = 0;
    for (const auto& entry : fs::directory_iterator(root)) {
        if (entry.path().extension() == ".json") {
            fs::path file = entry.path();
            file.replace_extension(".ring.gz");
            BOOST_TEST_CONTEXT(file.filename().string()) {
                partitions += require_same(file, read_json(entry.path()));
                ++rings;
            }
        }
    }
    BOOST_TEST_MESSAGE(rings << " rings, " << partitions << " partitions");
    BOOST_TEST(rings > 50U);
    BOOST_TEST(partitions > 6000U);

    const std::string old = (root / "old.pickle.gz").string();
    BOOST_CHECK_EXCEPTION(SwiftRing<>{old}, Failure, [&](const Failure& failure) {
        return std::string(failure.what()).find(old + ": does not begin with R1NG") == 0;
    });
}

} // namespace

#include <replica/ring/any_ring.hpp>

#define BOOST_TEST_MODULE ring_any_ring
#include <boost/test/unit_test.hpp>

#include <laws/ring.hpp>
#include <support/swift_ring_bytes.hpp>

#include <filesystem>
#include <fstream>

namespace fs = std::filesystem;
using namespace replica;
using namespace replica::test;

namespace {

const std::string swift = gzip(format_2(R"({"part_shift": 30, "dev_id_bytes": 2})", some_devices,
                                        ids({0, 2, 3, 4, 4, 0, 2}, 2)));
const std::string json = R"({"part_power": 3, "replicas": 2, "devices": [
    {"id": 0, "ip": "a", "port": 1, "device": "d0"},
    {"id": 1, "ip": "b", "port": 1, "device": "d1"},
    {"id": 2, "ip": "c", "port": 1, "device": "d2"}]})";

/// What a parse throws.
template <RingFormat V>
std::string reason(const std::string& bytes, const std::string& file) {
    try {
        static_cast<void>(V::parse(bytes, file));
    } catch (const Failure& failure) {
        return failure.what();
    }
    return "accepted";
}

/// The same answers to every question.
void require_same(const RingVersion auto& any, const RingVersion auto& one) {
    BOOST_TEST((any.devices() == one.devices()));
    BOOST_REQUIRE(any.partition_count() == one.partition_count());
    BOOST_TEST(any.partition(hash_of(0x9abcdef0)) == one.partition(hash_of(0x9abcdef0)));
    for (std::uint32_t partition = 0; partition < one.partition_count(); ++partition) {
        BOOST_TEST((any.primaries(partition) == one.primaries(partition)));
        BOOST_TEST((all_handoffs(any, partition) == all_handoffs(one, partition)));
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_name_that_ends_in_gz_is_a_ring_of_swift) {
    const auto any = AnyRingVersion::parse(swift, "/etc/swift/account.ring.gz");
    require_same(any, SwiftRingVersion::parse(swift, ""));
    check_ring_version_laws(any);
}

BOOST_AUTO_TEST_CASE(any_other_name_is_a_json_ring) {
    const auto any = AnyRingVersion::parse(json, "/etc/ring.json");
    require_same(any, JsonRingVersion::parse(json, ""));
    check_ring_version_laws(any);
}

BOOST_AUTO_TEST_CASE(what_is_not_what_its_name_says_is_refused_in_the_words_of_that_kind) {
    BOOST_TEST(reason<AnyRingVersion>(json, "a.ring.gz") ==
               reason<SwiftRingVersion>(json, "a.ring.gz"));
    BOOST_TEST(reason<AnyRingVersion>(json, "a.ring.gz").find("a.ring.gz: damaged gzip") == 0U);
    BOOST_TEST(reason<AnyRingVersion>(swift, "ring") == reason<JsonRingVersion>(swift, "ring"));
    BOOST_TEST(reason<AnyRingVersion>(swift, "ring").find("ring: not JSON") == 0U);
}

BOOST_AUTO_TEST_CASE(a_file_of_either_kind_keeps_the_laws) {
    std::string pattern = (fs::temp_directory_path() / "replica-ring-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    const std::string root = pattern;
    std::ofstream(root + "/container.ring.gz", std::ios::binary) << swift;
    std::ofstream(root + "/ring.json") << json;
    check_ring_laws(AnyRing<>(root + "/container.ring.gz"));
    check_ring_laws(AnyRing<>(root + "/ring.json"));
    fs::remove_all(root);
}

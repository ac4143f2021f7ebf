#include <replica/ring.hpp>

#define BOOST_TEST_MODULE ring
#include <boost/test/unit_test.hpp>

#include <laws/ring.hpp>
#include <support/table_ring.hpp>

using namespace replica;

// The first 32 bits of the hash, of which the highest part_power count.
static_assert(partition_of("00000000ffffffffffffffffffffffff", 10) == 0);
static_assert(partition_of("ffffffff000000000000000000000000", 10) == 1023);
static_assert(partition_of("e28cc9c78696a68b7920b82ab697f9c3", 10) == 906); // a stock node's choice
static_assert(partition_of("375e7e790dcc12b3deeaabcfa1c639c0", 10) == 221);
static_assert(partition_of("0ec25a0c605d999968b1617c03ae955d", 10) == 59);
static_assert(partition_of("80000000", 1) == 1);
static_assert(partition_of("7fffffff", 1) == 0);
static_assert(partition_of("ffffffff", 0) == 0);
static_assert(partition_of("89abcdef", 32) == 0x89abcdef);

namespace {

/// What a version must have, one part short each time.
struct Whole {
    struct Handoffs {
        std::optional<Device> next() { return std::nullopt; }
    };
    const std::vector<Device>& devices() const { return devices_; }
    std::uint32_t partition_count() const { return 1; }
    std::uint32_t partition(std::string_view) const { return 0; }
    std::vector<Device> primaries(std::uint32_t) const { return {}; }
    Handoffs handoffs(std::uint32_t) const { return {}; }
    std::vector<Device> devices_;
};
struct SignedPartition : Whole {
    int partition(std::string_view) const { return 0; }
};
struct HandoffsAtOnce : Whole {
    std::vector<Device> handoffs(std::uint32_t) const { return {}; }
};
struct NotCopyable : Whole {
    NotCopyable(const NotCopyable&) = delete;
    NotCopyable& operator=(const NotCopyable&) = delete;
};
struct Unversioned {
    int version() const { return 1; }
};

static_assert(RingVersion<Whole>);
static_assert(!RingVersion<SignedPartition>);
static_assert(!RingVersion<HandoffsAtOnce>);
static_assert(!RingVersion<NotCopyable>);
static_assert(!Ring<Unversioned>);
static_assert(!Ring<Whole>);

std::vector<Device> numbered(std::int64_t count) {
    std::vector<Device> devices;
    for (std::int64_t id = 0; id < count; ++id) {
        Device& device = devices.emplace_back();
        device.id = id;
        device.device = "sdb" + std::to_string(id);
    }
    return devices;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_ring_that_fits_on_a_page_keeps_the_laws) {
    for (const unsigned part_power : {0U, 1U, 5U, 14U}) {
        replica::test::check_ring_laws(replica::test::TableRing(numbered(5), 3, part_power));
    }
    replica::test::check_ring_laws(replica::test::TableRing(numbered(1), 1, 3));
}

BOOST_AUTO_TEST_CASE(a_device_differs_by_any_of_its_fields) {
    const Device device = numbered(1)[0];
    Device other = device;
    BOOST_TEST((device == other));
    other.replication_port = 1;
    BOOST_TEST((device != other));
    BOOST_TEST(Device{}.id == -1);
    BOOST_TEST(Device{}.weight == 0.0);
}

#include <replica/replica.hpp>

#define BOOST_TEST_MODULE replica_models
#include <replica/decorators.hpp>
#include <replica/disk/posix.hpp>
#include <replica/local/file_sync.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/sim/file_sync.hpp>
#include <replica/sim/transport.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <type_traits>

using namespace replica;

// Every model is a model of its concept and of no other: two of them can never be swapped by
// mistake in the list of a replicator's parameters.

using Accounts = BasicAccountBroker<SimDisk, SimClock>;
using Containers = BasicContainerBroker<SimDisk, SimClock>;

template <class T>
constexpr int concepts_of =
    Broker<T> + Database<T> + Ring<T> + Transport<T> + Peer<T> + FileSync<T> + Clock<T> + Disk<T>;

static_assert(Clock<SystemClock> && concepts_of<SystemClock> == 1);
static_assert(Clock<SimClock> && concepts_of<SimClock> == 1);
static_assert(Disk<PosixDisk> && concepts_of<PosixDisk> == 1);
static_assert(Disk<SimDisk> && concepts_of<SimDisk> == 1);
static_assert(Ring<JsonRing<>> && concepts_of<JsonRing<>> == 1);
static_assert(Ring<SwiftRing<>> && concepts_of<SwiftRing<>> == 1);
static_assert(Ring<AnyRing<>> && concepts_of<AnyRing<>> == 1);
static_assert(Transport<SimTransport> && concepts_of<SimTransport> == 1);
static_assert(Peer<SimPeer> && concepts_of<SimPeer> == 1);
static_assert(FileSync<LocalFileSync<>> && concepts_of<LocalFileSync<>> == 1);
static_assert(FileSync<SimFileSync> && concepts_of<SimFileSync> == 1);
static_assert(Broker<Accounts> && concepts_of<Accounts> == 1);
static_assert(Broker<Containers> && concepts_of<Containers> == 1);
static_assert(Database<Accounts::database_type> && concepts_of<Accounts::database_type> == 1);
static_assert(Database<Containers::database_type> && concepts_of<Containers::database_type> == 1);
static_assert(concepts_of<int> == 0);
static_assert(concepts_of<std::string> == 0);

// An account's database takes no rows of a container, and the other way round.
static_assert(std::is_same_v<row_type_of<Accounts>, ContainerRow>);
static_assert(std::is_same_v<row_type_of<Containers>, ObjectRow>);
static_assert(std::is_same_v<info_type_of<Containers>, ContainerInfo>);

// What has no state costs no byte.
static_assert(std::is_empty_v<SystemClock>);
static_assert(std::is_empty_v<Silent>);
static_assert(std::is_empty_v<AccountKind> && std::is_empty_v<ContainerKind>);
static_assert(Observer<Silent>);

/// Beside something else, as a replicator keeps its policies.
template <class Policy>
struct Beside {
    std::string policy_owner;
    [[no_unique_address]] Policy policy;
};
static_assert(sizeof(Beside<SystemClock>) == sizeof(std::string));
static_assert(sizeof(Beside<Silent>) == sizeof(std::string));

template <class O>
using Simulated = Replicator<Containers, JsonRing<>, SimTransport, SimFileSync, SimClock, O>;
static_assert(sizeof(Simulated<Silent>) == sizeof(std::shared_ptr<int>));

BOOST_AUTO_TEST_CASE(copies_of_a_model_share_what_they_stand_for) {
    const SimClock clock;
    const SimClock same = clock;
    same.advance(Seconds(1));
    BOOST_TEST((clock.monotonic() == same.monotonic()));

    const SimDisk disk(clock);
    const SimDisk copy = disk;
    copy.write("/f", "1");
    BOOST_TEST(disk.content("/f")->bytes == "1");

    const SimVfs vfs("models", disk, 1);
    Containers broker(disk, clock, SqliteOptions{.vfs = vfs.name()});
    Containers other = broker;
    const std::string id = broker.create("/x.db", {}).info().id;
    BOOST_TEST(other.open("/x.db", clock.monotonic()).info().id == id);
}
